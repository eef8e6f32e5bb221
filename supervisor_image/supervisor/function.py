"""The function as one process sees it for all of its life."""

from collections.abc import Mapping
from typing import NamedTuple

from supervisor.configuration import Configuration, Image, read_configuration, read_image
from supervisor.log import Log
from supervisor.storage import Storages


class Function(NamedTuple):
    """What stays the same from event to event."""

    configuration: Configuration
    image: Image
    environment: Mapping[str, str]
    log: Log
    storages: Storages

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Function":
        """The function that this environment and this image make."""
        configuration = read_configuration(environment)
        log = Log(configuration.log_level, form=configuration.log_format)
        return cls(configuration, read_image(), environment, log, Storages(configuration))
