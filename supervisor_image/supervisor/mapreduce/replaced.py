"""An input that another object has replaced: its run ends, and says so before, as the first object may come back.

An event about an object that is there again finds the run of its content still running. Whether that run is about to
end for want of the object is then known, because it is noted before the last look at the object.
"""

from collections.abc import Callable
from typing import TypeVar

from supervisor.errors import InputChanged, InputFailed
from supervisor.function import Function
from supervisor.mapreduce.objects import Bucket
from supervisor.mapreduce.run import Run, Work, provider_of

NOTE = "replaced.json"
_TRIES = 3
Result = TypeVar("Result")


def unless_replaced(function: Function, work: Work, run: Run, action: Callable[[], Result]) -> Result:
    """Return the action's result; do it again where the input has come back. Raises InputChanged."""
    for left in reversed(range(_TRIES)):
        try:
            return action()
        except InputChanged:
            work.write(NOTE, {"replaced": True})
            if not left or not _is_there(function, run):
                raise
            work.write(NOTE, {"replaced": False})
    raise AssertionError


def is_noted(work: Work) -> bool:
    """Return whether the run is about to end because its input was replaced."""
    return bool((work.find(NOTE) or {}).get("replaced"))


def forget(work: Work) -> None:
    """Begin anew."""
    if is_noted(work):
        work.write(NOTE, {"replaced": False})


def _is_there(function: Function, run: Run) -> bool:
    bucket = Bucket(function.storages, provider_of(function, run.bucket, run.key), run.bucket)
    try:
        present = bucket.head(run.key)
    except InputFailed:
        return False
    return (present.etag, present.size) == (run.etag, run.size)
