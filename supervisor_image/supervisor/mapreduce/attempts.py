"""One attempt at a task: who is first writes the manifest that counts, the others remove what they stored."""

import contextlib
import errno
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from supervisor.errors import OutOfDisk, SupervisorError
from supervisor.function import Context, Function
from supervisor.log import Log
from supervisor.mapreduce.run import Plan, Work
from supervisor.mapreduce.settings import Settings

_LONGEST_MESSAGE = 3500  # characters
KINDS = {"map": "m", "reduce": "r"}
"""The folder of each stage's manifests."""


class Call(NamedTuple):
    """The function, and the event that it has in hand."""

    function: Function
    settings: Settings
    context: Context
    log: Log


class Attempt(NamedTuple):
    """One attempt at a task, under a name of its own; `started` is in seconds since the epoch."""

    call: Call
    work: Work
    plan: Plan
    stage: str
    task: int
    name: str
    started: float

    @classmethod
    def begin(cls, call: Call, work: Work, stage: str, task: int) -> "Attempt":
        """Begin an attempt."""
        return cls(call, work, work.plan(), stage, task, os.urandom(8).hex(), time.time())

    @property
    def manifest(self) -> str:
        """The name of the task's manifest."""
        return manifest_name(self.stage, self.task)

    @property
    def variables(self) -> dict[str, str]:
        """The variables that every program of the task gets."""
        run = self.plan.run
        return {"MAPREDUCE_RUN": run.run, "MAPREDUCE_SOURCE": run.uri, "MAPREDUCE_TASKS": str(self.plan.map_count)}

    def settle(self, document: dict[str, Any], stored: list[str]) -> dict[str, Any]:
        """Write the manifest, or remove what was stored if another attempt was first; return the one that counts."""
        own = {"task": self.task, "attempt": self.name, "seconds": round(time.time() - self.started, 3), **document}
        found = self.work.settle(self.manifest, own)
        if found["attempt"] != self.name:
            self.call.log.info(f"another attempt has finished {self.stage} task {self.task}, so this one is dropped")
            for name in stored:
                self.work.bucket.delete(self.work.key(name))
        return found


def manifest_name(stage: str, task: int) -> str:
    """Return the name of a task's manifest."""
    return f"{KINDS[stage]}/{task:05d}.json"


@contextlib.contextmanager
def failures_kept(work: Work, stage: str, task: int, log: Log) -> Iterator[None]:
    """Keep why an attempt failed: a Distributed Map tells only how many of its children did."""
    try:
        yield
    except Exception as error:
        message = str(error)[:_LONGEST_MESSAGE]
        document = {"error": type(error).__name__, "message": message, "time": time.time()}
        try:
            work.write(f"e/{stage}-{task}.json", document)
        except SupervisorError as second:
            log.warning(f"the failure cannot be kept: {second}")
        raise


@contextlib.contextmanager
def disk_watched() -> Iterator[None]:
    """Tell a full disk apart from other errors of the operating system."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise OutOfDisk(f"the pairs do not fit on the disk: {error}; raise the ephemeral_storage") from error
