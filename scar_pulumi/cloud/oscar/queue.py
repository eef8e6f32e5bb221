"""The queue of jobs: each accepted event runs once, to its end, whatever happens to the local cloud meanwhile."""

import asyncio
import logging
import time

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.oscar.containers import Containers
from scar_pulumi.cloud.oscar.job_log import JobLogs
from scar_pulumi.cloud.oscar.jobs import Job, Jobs
from scar_pulumi.cloud.oscar.services import Service, Services
from scar_pulumi.cloud.runner import Limits, RunnerStoppedError

_log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 3600.0


class JobQueue:
    """A task per job; as many run at once as events of Lambda functions do. What a kill interrupts begins anew."""

    def __init__(self, jobs: Jobs, services: Services, containers: Containers) -> None:
        self._jobs = jobs
        self._services = services
        self._containers = containers
        self._slots = asyncio.Semaphore(Limits().background)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._expiry: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes up what a predecessor left."""
        for job in self._jobs.unfinished():
            self._begin(job)
        self._expiry = asyncio.create_task(self._expire())

    def put(self, service: Service, event: bytes) -> Job:
        """Accepts an event: it is on disk when this returns."""
        job = self._jobs.create(service.cluster, service.name, event)
        self._begin(job)
        return job

    async def remove(self, job: Job) -> None:
        """Ends a job and forgets it."""
        if task := self._tasks.get(job.name):
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self._jobs.remove(job)

    async def close(self) -> None:
        """Stops; what is not done stays on disk."""
        tasks = [*self._tasks.values(), *((self._expiry,) if self._expiry else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, job: Job) -> None:
        task = asyncio.create_task(self._run(job))
        self._tasks[job.name] = task
        task.add_done_callback(lambda task: self._done(job, task))

    def _done(self, job: Job, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job.name, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RunnerStoppedError):
            _log.error("%s: job %s stays queued", job.service, job.name, exc_info=error)

    async def _run(self, job: Job) -> None:
        async with self._slots:
            service = self._services.find(job.cluster, job.service)
            if service is None:
                self._jobs.remove(job)
                return
            self._jobs.log(job).unlink(missing_ok=True)  # of the attempt that a kill has ended
            succeeded = await self._execute(service, job)
            self._jobs.ended(self._jobs.find(job.cluster, job.service, job.name) or job, succeeded=succeeded)

    async def _execute(self, service: Service, job: Job) -> bool:
        folder, log = self._jobs.folder(job) / "container", self._jobs.log(job)
        event = self._jobs.event(job)
        try:
            outcome = await self._containers.run(
                service, job.name, event, folder=folder, log=log, started=lambda: self._began(job)
            )
        except RunnerStoppedError:
            raise
        except LocalCloudError as error:
            JobLogs().put("", str(log), [(time.time_ns() // 1_000_000, str(error))])
            return False
        return outcome.result.exit_code == 0

    def _began(self, job: Job) -> None:
        self._jobs.began(job)

    async def _expire(self) -> None:
        while True:
            self._jobs.expire()
            await asyncio.sleep(_EXPIRY_SECONDS)
