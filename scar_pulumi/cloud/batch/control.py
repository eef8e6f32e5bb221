"""CancelJob and TerminateJob."""

from collections.abc import Callable
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.outcomes import Outcomes
from scar_pulumi.cloud.batch.store import Job, Store
from scar_pulumi.cloud.signature import Caller

_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")


class Control:
    """The two operations; `kill` ends the attempt of a job."""

    def __init__(self, store: Store, outcomes: Outcomes, kill: Callable[[str], bool]) -> None:
        self._store = store
        self._outcomes = outcomes
        self._kill = kill

    def cancel(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CancelJob: what has not started fails; what has goes on."""
        waiting = [job for job in self._meant(document["jobId"]) if job.status in _WAITING]
        for job in waiting:
            job.state["isCancelled"] = True
        self._outcomes.failed(waiting, document["reason"])
        return {}

    def terminate(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TerminateJob: it fails, whether it has started or not, and none of its processes lives on."""
        self._terminate(self._meant(document["jobId"]), document["reason"])
        return {}

    def cancel_all(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CancelJobs."""
        return _each(self.cancel, caller, document)

    def terminate_all(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TerminateJobs."""
        return _each(self.terminate, caller, document)

    def end_queue(self, queue: str) -> None:
        """Ends the jobs of a queue that is deleted."""
        open_ = "queue = ? AND kind NOT IN ('array', 'node') AND status NOT IN ('SUCCEEDED', 'FAILED')"
        self._terminate(list(self._store.jobs(open_, queue)), "Job Queue deleted")

    def _terminate(self, jobs: list[Job], reason: str) -> None:
        open_ = [job for job in jobs if job.status not in ("SUCCEEDED", "FAILED")]
        for job in open_:
            job.state |= {"isTerminated": True, "terminationReason": reason}
        self._outcomes.failed((job for job in open_ if job.status in _WAITING), reason)
        for job in open_:
            if job.status not in _WAITING:
                self._store.save(job)
                self._kill(job.id)

    def _meant(self, reference: str) -> list[Job]:
        """The jobs of an id: an array's children; a node means the whole job."""
        job = self._store.job(reference.partition("#")[0])
        if job is None:
            raise ClientError(f"Job {reference} does not exist")
        return list(self._store.jobs("parent = ?", job.id)) if job.kind == "array" else [job]


def _each(
    end: Callable[[Caller, dict[str, Any]], dict[str, Any]], caller: Caller, document: dict[str, Any]
) -> dict[str, Any]:
    successful: list[str] = []
    errors: list[dict[str, str]] = []
    for identifier in document["jobs"]:
        try:
            end(caller, {"jobId": identifier, "reason": document["reason"]})
            successful.append(identifier)
        except ClientError as error:
            errors.append({"job": identifier, "code": "ClientException", "message": str(error)})
    return {"successful": successful, "errors": errors}
