"""Decides which job starts next: queues by priority, jobs in order, on the first environment with room.

https://docs.aws.amazon.com/batch/latest/userguide/job_scheduling.html
"""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scar_pulumi.cloud.batch.capacity import Allocation, Capacity, Needs, could_fit
from scar_pulumi.cloud.batch.job_definitions import requirements
from scar_pulumi.cloud.batch.resources import QUEUE
from scar_pulumi.cloud.batch.store import BatchJob, BatchStore

_log = logging.getLogger(__name__)
_AT_ONCE = 32
_TOO_LARGE = (
    "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement (vCPU/memory/GPU) is higher than that "
    "can be met by the CE(s) attached to the job queue."
)

_Environments = list[Mapping[str, Any]]


class Scheduler:
    """Makes submitted jobs runnable and calls `begin` for each one that starts."""

    def __init__(self, store: BatchStore, capacity: Capacity, begin: Callable[[BatchJob, Allocation], None]) -> None:
        self._store = store
        self._capacity = capacity
        self._begin = begin
        self._awake = asyncio.Event()
        self._specs: dict[str, Needs] = {}

    def wake(self) -> None:
        """Look again: something has changed that may let jobs start."""
        self._awake.set()

    async def run(self) -> None:
        """Schedule jobs until cancelled."""
        while True:
            await self._awake.wait()
            self._awake.clear()
            try:
                self._store.admit()
                self._place()
            except Exception:  # noqa: BLE001 - one odd job must not stop all others
                _log.exception("jobs could not be placed")
            await asyncio.sleep(0)

    def _place(self) -> None:
        blocked: set[str] = set()
        queues = sorted(self._store.resources(QUEUE), key=lambda queue: -queue["priority"])
        for queue in queues:
            environments = list(self._environments(queue))
            if queue["status"] != "DELETING" and environments and not self._capacity.is_full:
                self._place_queue(queue, environments, blocked)

    def _place_queue(self, queue: Mapping[str, Any], environments: _Environments, blocked: set[str]) -> None:
        """Start what can start; an environment without room for a job is `blocked` for the jobs behind it."""
        for job in self._runnable(queue):
            if self._capacity.is_full or all(_arn(found) in blocked for found in environments):
                return
            needs = self._needs(job)
            fitting = [found for found in environments if could_fit(found, needs)]
            if not fitting:
                self._note(job)
                continue
            free = (found for found in fitting if _arn(found) not in blocked and self._capacity.fits(found, needs))
            chosen = next(free, None)
            if chosen is None:
                blocked.update(map(_arn, fitting))
            elif not self._capacity.admits(sum(need["memory"] for need in needs)):
                blocked.update(map(_arn, environments))
            else:
                self._begin(job, self._capacity.take(job.id, _arn(chosen), needs))

    def _runnable(self, queue: Mapping[str, Any]) -> Iterator[BatchJob]:
        by_priority, last = bool(queue.get("schedulingPolicyArn")), 0
        arn = queue["jobQueueArn"]
        while jobs := self._store.runnable_jobs(arn, by_priority=by_priority, limit=_AT_ONCE, offset=last):
            yield from jobs
            # What has started meanwhile is no longer among the runnable ones.
            last += sum(job.status == "RUNNABLE" for job in jobs)

    def _environments(self, queue: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        for entry in queue["computeEnvironmentOrder"]:
            found = self._store.resource(entry["computeEnvironment"])
            if found and found["state"] == "ENABLED" and found["status"] in ("VALID", "UPDATING"):
                yield found

    def _needs(self, job: BatchJob) -> Needs:
        if job.parent is None:
            return requirements(job.spec)
        if job.parent not in self._specs:
            parent = self._store.job(job.parent)
            assert parent is not None, job.parent
            self._specs = {job.parent: requirements(parent.spec)}
        return self._specs[job.parent]

    def _note(self, job: BatchJob) -> None:
        if job.reason != _TOO_LARGE:
            job.reason = _TOO_LARGE
            self._store.save(job)


def _arn(environment: Mapping[str, Any]) -> str:
    return str(environment["computeEnvironmentArn"])
