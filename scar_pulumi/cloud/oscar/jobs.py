"""Jobs on disk: an event is here before it is acknowledged, and its job stays until it is removed or has expired."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from scar_foundation.files import write_whole

Status = Literal["Pending", "Running", "Succeeded", "Failed"]

_LIFETIME = 2_592_000.0
"""Seconds that a finished job is kept: the default of OSCAR's TTL_JOB."""


@dataclass(frozen=True)
class Job:
    """One event of a service; times are seconds since the epoch."""

    cluster: str
    service: str
    name: str
    created: float
    status: Status = "Pending"
    started: float | None = None
    finished: float | None = None


class Jobs:
    """A folder per job: `event`, `job.json`, `log`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._jobs = {job.name: job for job in sorted(self._read(), key=lambda job: job.created)}

    def create(self, cluster: str, service: str, event: bytes) -> Job:
        """Accepts an event; on return the operating system has it."""
        job = Job(cluster, service, f"{service}-{uuid.uuid4()}", time.time())
        folder = self.folder(job)
        folder.mkdir(mode=0o700, parents=True)
        write_whole(folder / "event", event)
        self._put(job)
        return job

    def event(self, job: Job) -> bytes:
        """What a job is to work on."""
        return (self.folder(job) / "event").read_bytes()

    def log(self, job: Job) -> Path:
        """The file with its output; it may not be there."""
        return self.folder(job) / "log"

    def began(self, job: Job) -> Job:
        """Notes that its container runs."""
        return self._put(replace(job, status="Running", started=time.time()))

    def ended(self, job: Job, *, succeeded: bool) -> Job:
        """Notes how it ended; its event is not needed any more."""
        status: Status = "Succeeded" if succeeded else "Failed"
        done = self._put(replace(job, status=status, finished=time.time()))
        (self.folder(job) / "event").unlink(missing_ok=True)
        return done

    def of(self, cluster: str, service: str) -> list[Job]:
        """The jobs of a service, the youngest first."""
        return [job for job in reversed(self._jobs.values()) if (job.cluster, job.service) == (cluster, service)]

    def find(self, cluster: str, service: str, name: str) -> Job | None:
        """A job of a service, or None."""
        job = self._jobs.get(name)
        return job if job and (job.cluster, job.service) == (cluster, service) else None

    def unfinished(self) -> list[Job]:
        """Those that wait, and those whose container a kill has ended; the oldest first."""
        return [job for job in self._jobs.values() if job.finished is None]

    def counts(self) -> dict[str, int]:
        """How many jobs are in which state."""
        states = [job.status for job in self._jobs.values()]
        return {state.lower(): states.count(state) for state in ("Pending", "Running", "Succeeded", "Failed")}

    def remove(self, job: Job) -> None:
        """Forgets a job with its output."""
        self._jobs.pop(job.name, None)
        (self.folder(job) / "job.json").unlink(missing_ok=True)  # without it the rest means nothing
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def expire(self) -> None:
        """Removes the jobs that ended too long ago."""
        oldest = time.time() - _LIFETIME
        for job in [job for job in self._jobs.values() if job.finished is not None and job.finished < oldest]:
            self.remove(job)

    def folder(self, job: Job) -> Path:
        """The job's own folder."""
        return self._directory / quote(job.cluster, safe="") / job.service / job.name

    def _put(self, job: Job) -> Job:
        write_whole(self.folder(job) / "job.json", json.dumps(asdict(job)).encode())
        self._jobs[job.name] = job
        return job

    def _read(self) -> Iterator[Job]:
        for folder in self._directory.glob("*/*/*"):
            if (folder / "job.json").is_file():
                yield Job(**json.loads((folder / "job.json").read_bytes()))
            else:  # a kill came before it was accepted, or while it was removed
                shutil.rmtree(folder, ignore_errors=True)
