"""What can go wrong with one event; the class name is the error type that the caller sees.

SupervisorError
├── AnswerTooLarge         the answer is larger than a call over HTTP can have
├── ConfigurationInvalid   what the function was deployed with cannot be used
├── DelegationFailed       the event could not be handed over to AWS Batch
├── EventNotQueued         the event could not be put where it waits until the function has time for it
├── EventInvalid           the event asks for something it does not say properly
├── InputFailed            the input could not be brought into the container
├── OutOfDisk              there is no room left for the input, or for what the user's program wrote
├── OutputFailed           outputs could not be stored
├── ScriptFailed           the user's program could not be started, or ended with an error
│   └── OutOfMemory        the user's program needed more memory than the function has
└── ScriptTimedOut         the user's program took longer than the function may
"""


# The names are what callers read in `errorType`, so they say what happened.
# ruff: noqa: N818


class SupervisorError(Exception):
    """An invocation that failed for a known reason, told in the message."""


class AnswerTooLarge(SupervisorError):
    """The answer is larger than a call over HTTP can have."""


class ConfigurationInvalid(SupervisorError):
    """What the function was deployed with cannot be used."""


class DelegationFailed(SupervisorError):
    """The event could not be handed over to AWS Batch."""


class EventInvalid(SupervisorError):
    """The event asks for something it does not say properly."""


class EventNotQueued(SupervisorError):
    """The event could not be put where it waits until the function has time for it; `status` is for its caller."""

    def __init__(self, message: str, status: int = 500) -> None:
        super().__init__(message)
        self.status = status


class InputFailed(SupervisorError):
    """The input could not be brought into the container."""


class OutputFailed(SupervisorError):
    """Outputs could not be stored."""


class OutOfDisk(SupervisorError):
    """There is no room left for the input, or for what the user's program wrote: `code` is the program's."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class ScriptFailed(SupervisorError):
    """The user's program could not be started, or ended with an error: `code` as shells give it."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


class OutOfMemory(ScriptFailed):
    """The user's program needed more memory than the function has."""


class ScriptTimedOut(SupervisorError):
    """The user's program took longer than the function may; `done` are the inputs that were through by then."""

    done: tuple[int, ...] = ()
