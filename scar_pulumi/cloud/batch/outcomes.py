"""What the end of an attempt means: for the job, for those that wait for it, and for the array that it belongs to."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scar_pulumi.cloud.batch.store import ENDED, BatchJob, BatchStore, milliseconds

_CONDITIONS = {"onExitCode": "exitCode", "onReason": "reason", "onStatusReason": "statusReason"}


def is_retried(strategy: Mapping[str, Any], attempts: int, ended: Mapping[str, Any]) -> bool:
    """Return whether a job that failed is tried again.

    `attempts` is how many there were; `ended` has exitCode, reason and statusReason of the last one.
    https://docs.aws.amazon.com/batch/latest/userguide/job_retries.html
    """
    if attempts >= strategy.get("attempts", 1):
        return False
    for rule in strategy.get("evaluateOnExit") or ():
        conditions = {key: rule[key] for key in _CONDITIONS if key in rule}
        if all(_matches(pattern, ended.get(_CONDITIONS[key])) for key, pattern in conditions.items()):
            return str(rule["action"]).upper() == "RETRY"
    return True


def _matches(pattern: str, value: object) -> bool:
    """Return whether a value matches, whatever its case; a star at the end stands for anything."""
    if value is None:
        return False
    wanted = re.escape(pattern.removesuffix("*")) + (".*" if pattern.endswith("*") else "")
    return re.fullmatch(wanted, str(value), re.IGNORECASE | re.DOTALL) is not None


@dataclass(frozen=True)
class Ended:
    """How an attempt ended; `final` when it must not be repeated, whatever the job's retry strategy says."""

    exit_code: int | None
    reason: str = ""
    status_reason: str = "Essential container in task exited"
    final: bool = False

    def document(self) -> dict[str, Any]:
        """Return the end as a container's document has it."""
        found = {"exitCode": self.exit_code, "reason": self.reason or None}
        return {key: value for key, value in found.items() if value is not None}


class Outcomes:
    """Stores how jobs end; `changed` is called when other jobs may start."""

    def __init__(self, store: BatchStore, changed: Callable[[], None]) -> None:
        self._store = store
        self._changed = changed
        self.ended = {"SUCCEEDED": 0, "FAILED": 0}

    def attempted(self, identifier: str, ended: Ended) -> None:
        """Store the end of an attempt: the job has ended, or is runnable again."""
        with self._store.transaction():
            job = self._store.job(identifier)
            assert job is not None, identifier
            self._note(job, ended)
            failed = ended.exit_code != 0
            if failed and job.termination is None and not ended.final and self._is_retried(job, ended):
                job.status, job.started = "RUNNABLE", None
                self._store.save(job)
                self._store.rerun_children(job.id)
            else:
                self._store.save(job)
                succeeded = not failed and job.termination is None
                reason = ended.status_reason if job.termination is None else job.termination
                self._finish(job.id, "SUCCEEDED" if succeeded else "FAILED", reason)
        self._changed()

    def failed(self, jobs: Iterable[BatchJob], reason: str) -> None:
        """Fail jobs that have not started."""
        with self._store.transaction():
            for job in jobs:
                self._store.save(job)
                self._finish(job.id, "FAILED", reason)
        self._changed()

    def _note(self, job: BatchJob, ended: Ended) -> None:
        container = job.container | ended.document()
        attempt: dict[str, Any] = {"container": {**container, "networkInterfaces": []}}
        attempt["statusReason"] = ended.status_reason
        times = {"startedAt": job.started, "stoppedAt": milliseconds()}
        attempt |= {key: value for key, value in times.items() if value is not None}
        job.container = container
        job.attempts.append(attempt)

    def _is_retried(self, job: BatchJob, ended: Ended) -> bool:
        strategy = self._store.spec(job)["retryStrategy"]
        words = {**ended.document(), "statusReason": ended.status_reason}
        return is_retried(strategy, len(job.attempts), words)

    def _finish(self, identifier: str, status: str, reason: str) -> None:
        """End a job, and all jobs that end because of it."""
        pending = deque([(identifier, status, reason)])
        while pending:
            job = self._store.job(pending[0][0])
            _, status, reason = pending.popleft()
            if job is not None and job.status not in ENDED:
                pending.extend(self._end(job, status, reason))

    def _end(self, job: BatchJob, status: str, reason: str) -> Iterator[tuple[str, str, str]]:
        """End one job; yield the jobs that end because of it, with status and reason."""
        job.status, job.stopped = status, milliseconds()
        job.reason = reason
        self._store.save(job)
        if job.kind in ("job", "child", "multinode"):
            self.ended[status] += 1
        if job.kind == "multinode":
            self._end_nodes(job)
        for other in self._store.end_waits(job.id):
            if status == "FAILED":
                yield other, "FAILED", "Dependent Job failed"
            else:
                self._store.release(other)
        if job.kind == "child" and job.parent:
            yield from self._end_of_array(job.parent)

    def _end_of_array(self, parent: str) -> Iterator[tuple[str, str, str]]:
        if self._store.has_open_children(parent):
            return
        failed = self._store.has_failed_children(parent)
        yield parent, "FAILED" if failed else "SUCCEEDED", "Array Child Job failed" if failed else ""

    def _end_nodes(self, job: BatchJob) -> None:
        for node in self._store.open_children(job.id):
            node.status, node.stopped, node.reason = job.status, job.stopped, job.reason
            self._store.save(node)
