"""How events of services run: jobs from a queue, and calls whose answer the caller waits for."""

import asyncio
import logging
import shutil
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.oscar.containers import Containers, JobLogs, read_log
from scar_pulumi.cloud.oscar.store import Jobs, OscarJob, Services, StoredService
from scar_pulumi.cloud.runner import Limits, RunnerStoppedError

_log = logging.getLogger(__name__)
_EXPIRY_SECONDS = 3600.0
_SECONDS = 300.0
"""Longest call: OSCAR's default of READ_TIMEOUT and WRITE_TIMEOUT."""
_LOG_LIMIT = 1024 * 1024


class JobQueue:
    """Runs as many jobs at once as asynchronous events of Lambda; a job that a kill interrupts starts again."""

    def __init__(self, jobs: Jobs, services: Services, containers: Containers) -> None:
        self._jobs = jobs
        self._services = services
        self._containers = containers
        self._slots = asyncio.Semaphore(Limits().background)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._expiry: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Go on with the jobs of an earlier daemon."""
        for job in self._jobs.unfinished():
            self._begin(job)
        self._expiry = asyncio.create_task(self._expire())

    async def put(self, services: Iterable[StoredService], event: bytes, name: str = "") -> None:
        """Accept an event for services: it is on the disk when this returns. Default: jobs with new names."""
        for service in services:
            self._begin(self._jobs.create(service.cluster, service.name, event, name))
        await self._jobs.flushed()

    async def remove(self, jobs: Iterable[OscarJob]) -> None:
        """End jobs and forget them; on return the disk has forgotten them, too."""
        for job in jobs:
            if task := self._tasks.get(job.name):
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            self._jobs.remove(job)
        await self._jobs.flushed()

    async def close(self) -> None:
        """Stop; unfinished jobs stay."""
        tasks = [*self._tasks.values(), *((self._expiry,) if self._expiry else ())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, job: OscarJob) -> None:
        task = asyncio.create_task(self._run(job))
        self._tasks[job.name] = task
        task.add_done_callback(lambda task: self._done(job, task))

    def _done(self, job: OscarJob, task: asyncio.Task[None]) -> None:
        self._tasks.pop(job.name, None)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, RunnerStoppedError):
            _log.error("%s: job %s stays queued", job.service, job.name, exc_info=error)

    async def _run(self, job: OscarJob) -> None:
        async with self._slots:
            service = self._services.find(job.cluster, job.service)
            if service is None:
                self._jobs.remove(job)
                return
            self._jobs.log(job).unlink(missing_ok=True)  # of the attempt that a kill has ended
            succeeded = await self._execute(service, job)
            self._jobs.ended(job, succeeded=succeeded)

    async def _execute(self, service: StoredService, job: OscarJob) -> bool:
        folder, log = self._jobs.folder(job) / "container", self._jobs.log(job)
        event = self._jobs.event(job)
        try:
            outcome = await self._containers.run(
                service, job.name, event, folder=folder, log=log, started=lambda: self._jobs.began(job)
            )
        except RunnerStoppedError:
            raise
        except LocalCloudError as error:
            JobLogs().put("", str(log), [(time.time_ns() // 1_000_000, str(error))])
            return False
        return outcome.result.exit_code == 0

    async def _expire(self) -> None:
        while True:
            self._jobs.expire()
            await asyncio.sleep(_EXPIRY_SECONDS)


@dataclass(frozen=True)
class CallResult:
    """What the caller of a service gets; `status` is HTTP's."""

    status: int
    body: bytes


class Calls:
    """Runs services while callers wait, each at most `synchronous.max_scale` times at once."""

    def __init__(self, directory: Path, containers: Containers) -> None:
        self._directory = directory
        self._running = directory / "running"
        shutil.rmtree(self._running, ignore_errors=True)  # what a kill has left
        self._running.mkdir(mode=0o700, parents=True)
        self._containers = containers
        self._everybody = asyncio.Semaphore(Limits().synchronous)
        self._slots: defaultdict[tuple[str, str, int], asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))

    async def run(self, service: StoredService, event: bytes) -> CallResult:
        """Run an event; a failed container is a result, too."""
        most = int((service.definition.get("synchronous") or {}).get("max_scale") or 0) or Limits().synchronous
        key = service.cluster, service.name, most
        if key not in self._slots:
            self._slots[key] = asyncio.Semaphore(most)
        async with self._slots[key], self._everybody:
            try:
                return await asyncio.wait_for(self._run(service, event), _SECONDS)
            except TimeoutError:
                return CallResult(504, f"{service.name}: no answer within {_SECONDS:.0f} s".encode())
            except LocalCloudError as error:
                return CallResult(503, str(error).encode())

    async def _run(self, service: StoredService, event: bytes) -> CallResult:
        name = f"{service.name}-{uuid.uuid4()}"
        log = self._running / f"{name}.log"
        try:
            outcome = await self._containers.run(
                service, name, event, folder=self._running / name, log=log, started=lambda: None
            )
            printed = read_log(log)
            self._keep(service, log)
        finally:
            log.unlink(missing_ok=True)
        if outcome.result.exit_code == 0:
            return CallResult(200, outcome.answer)
        return CallResult(500, f"exit status {outcome.result.exit_code}\n{printed[-4096:]}".encode())

    def log(self, service: StoredService) -> Path:
        """Return the file with what calls of a service have printed, the latest last."""
        return self._directory / f"{service.cluster}.{service.name}.log".replace("/", "_")

    def _keep(self, service: StoredService, log: Path) -> None:
        path = self.log(service)
        if path.is_file() and path.stat().st_size > _LOG_LIMIT:
            path.unlink()
        with path.open("ab") as kept:
            kept.write(log.read_bytes())
