"""How a state fails: an error's name, by which Retry and Catch know it, and its cause.

https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html
"""

ALL = "States.ALL"
DATA_LIMIT = "States.DataLimitExceeded"
EXCEED_TOLERATED = "States.ExceedToleratedFailureThreshold"
INTRINSIC = "States.IntrinsicFailure"
ITEM_READER = "States.ItemReaderFailed"
NO_CHOICE = "States.NoChoiceMatched"
PARAMETER_PATH = "States.ParameterPathFailure"
RESULT_PATH = "States.ResultPathMatchFailure"
RESULT_WRITER = "States.ResultWriterFailed"
RUNTIME = "States.Runtime"
TASK_FAILED = "States.TaskFailed"
TIMEOUT = "States.Timeout"

_TERMINAL = frozenset({DATA_LIMIT, RUNTIME})
_NOT_FAILED_TASKS = frozenset({TIMEOUT})


class StateFailureError(Exception):
    """A state has failed; `error` and `cause` are what AWS shows of it."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(f"{error}: {cause}")
        self.error = error
        self.cause = cause


def is_matched(error: str, names: list[str]) -> bool:
    """Return whether the names in ErrorEquals mean an error; two errors are not meant by the names for all."""
    if error in names:
        return True
    if error in _TERMINAL:
        return False
    return ALL in names or (TASK_FAILED in names and error not in _NOT_FAILED_TASKS)
