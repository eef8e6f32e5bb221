"""What is known of an invocation beside its event."""

from collections.abc import Callable
from typing import NamedTuple


class Context(NamedTuple):
    """The request, its log, and until when it may take: `deadline` in seconds since the epoch.

    `answer_early` gives an answer while the work goes on, where the platform can do that.
    """

    request_id: str
    deadline: float
    log_group: str = ""
    log_stream: str = ""
    trace_id: str | None = None
    answer_early: Callable[[bytes], None] | None = None
