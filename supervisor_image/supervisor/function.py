"""The function that this process serves, and the context of one of its invocations."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from supervisor.configuration import Configuration, Image, read_configuration, read_image
from supervisor.log import Log
from supervisor.storage import Storages


class Function(NamedTuple):
    """What stays the same from one event to the next."""

    configuration: Configuration
    image: Image
    environment: Mapping[str, str]
    log: Log
    storages: Storages

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Function":
        """Return the function that this environment and this image define. Raises ConfigurationInvalid."""
        configuration = read_configuration(environment)
        log = Log(configuration.log_level, form=configuration.log_format)
        return cls(configuration, read_image(), environment, log, Storages(configuration))


class Context(NamedTuple):
    """What is known of an invocation besides its event; `deadline` is in seconds since the epoch.

    `respond_early` sends a response while the invocation goes on, where the platform allows that.
    """

    request_id: str
    deadline: float
    log_group: str = ""
    log_stream: str = ""
    trace_id: str | None = None
    respond_early: Callable[[bytes], None] | None = None
