"""CancelJob and TerminateJob."""

from collections.abc import Callable
from typing import Any

from scar_pulumi.local.batch.errors import ClientError
from scar_pulumi.local.batch.outcomes import Outcomes
from scar_pulumi.local.batch.store import Job, Store
from scar_pulumi.local.credentials import Caller

_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")


class Control:
    """The two operations; `kill` ends the attempt of a job."""

    def __init__(self, store: Store, outcomes: Outcomes, kill: Callable[[str], bool]) -> None:
        self._store = store
        self._outcomes = outcomes
        self._kill = kill

    def cancel(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CancelJob: what has not started fails; what has goes on."""
        for job in self._meant(document["jobId"]):
            if job.status in _WAITING:
                job.state["isCancelled"] = True
                self._outcomes.failed(job, document["reason"])
        return {}

    def terminate(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TerminateJob: it fails, whether it has started or not, and none of its processes lives on."""
        for job in self._meant(document["jobId"]):
            self._terminate(job, document["reason"])
        return {}

    def end_queue(self, queue: str) -> None:
        """Ends the jobs of a queue that is deleted."""
        open_ = "queue = ? AND kind NOT IN ('array', 'node') AND status NOT IN ('SUCCEEDED', 'FAILED')"
        for job in self._store.jobs(open_, queue):
            self._terminate(job, "Job Queue deleted")

    def _terminate(self, job: Job, reason: str) -> None:
        current = self._store.job(job.id)
        if current is None or current.status in ("SUCCEEDED", "FAILED"):
            return
        current.state |= {"isTerminated": True, "terminationReason": reason}
        if current.status in _WAITING:
            self._outcomes.failed(current, reason)
            return
        self._store.save(current)
        self._kill(current.id)

    def _meant(self, reference: str) -> list[Job]:
        """The jobs of an id: an array's children; a node means the whole job."""
        job = self._store.job(reference.partition("#")[0])
        if job is None:
            raise ClientError(f"Job {reference} does not exist")
        return list(self._store.jobs("parent = ?", job.id)) if job.kind == "array" else [job]
