"""Reasons for which an invocation fails; callers see the class name as the error type.

SupervisorError
├── BadPair                a MapReduce script printed a line that is no pair
├── BadRecord              the input of a MapReduce run has a record that cannot be read
├── ConfigurationInvalid   the function's configuration cannot be used
├── DelegationFailed       the event could not be submitted to AWS Batch
├── EventInvalid           the event is malformed
├── EventNotQueued         the event could not be put into the function's queue
├── InputFailed            an input could not be staged
│   └── InputChanged       the input of a MapReduce run was replaced while it was read
├── OutOfDisk              the disk is too small for the input, or for what the user's program wrote
├── OutputFailed           outputs could not be stored
├── ResponseTooLarge       the response is larger than an HTTP call can return
├── ScriptFailed           the user's program could not be started, or exited with an error
│   └── OutOfMemory        the user's program needed more memory than the function has
├── ScriptTimedOut         the user's program did not finish in time
└── SumsDiffer             a MapReduce run has lost or doubled something, so that nothing of it is published
"""


# The names are what callers read in `errorType`, so they say what happened.
# ruff: noqa: N818


class SupervisorError(Exception):
    """An invocation failed for a known reason, which the message gives."""


class BadPair(SupervisorError):
    """A MapReduce script printed a line that is no pair."""


class BadRecord(SupervisorError):
    """The input of a MapReduce run has a record that cannot be read."""


class ConfigurationInvalid(SupervisorError):
    """The function's configuration cannot be used."""


class DelegationFailed(SupervisorError):
    """The event could not be submitted to AWS Batch."""


class EventInvalid(SupervisorError):
    """The event is malformed."""


class EventNotQueued(SupervisorError):
    """The event could not be put into the function's queue; `status` is the HTTP status for its caller."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class InputFailed(SupervisorError):
    """An input could not be staged."""


class InputChanged(InputFailed):
    """The input of a MapReduce run was replaced while it was read."""


class OutOfDisk(SupervisorError):
    """The disk is too small for the input, or for what the user's program wrote; `code` is the program's exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class OutputFailed(SupervisorError):
    """Outputs could not be stored."""


class ResponseTooLarge(SupervisorError):
    """The response is larger than an HTTP call can return."""


class ScriptFailed(SupervisorError):
    """The user's program could not be started, or exited with an error; `code` is its exit code as shells report it."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class OutOfMemory(ScriptFailed):
    """The user's program needed more memory than the function has."""


class ScriptTimedOut(SupervisorError):
    """The user's program did not finish in time; `done` are the numbers of the inputs that were finished by then."""

    done: tuple[int, ...] = ()


class SumsDiffer(SupervisorError):
    """A MapReduce run has lost or doubled something, so that nothing of it is published."""
