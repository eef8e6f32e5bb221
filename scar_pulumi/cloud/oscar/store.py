"""Services and jobs on disk: a service before its creation is answered, a job before its event is acknowledged."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote, unquote

from scar_foundation.files import write_whole

Status = Literal["Pending", "Running", "Succeeded", "Failed"]
_LIFETIME = 2_592_000.0
"""Seconds that a finished job is kept: the default of OSCAR's TTL_JOB."""


@dataclass(frozen=True)
class Service:
    """A service: its definition holds secrets; `image` is the digest of the prepared image in the image store."""

    cluster: str
    definition: dict[str, Any] = field(repr=False)
    image: str

    @property
    def name(self) -> str:
        """Its name on the cluster."""
        return str(self.definition["name"])


class Services:
    """One file per service, readable by its owner only."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._services = {(found.cluster, found.name): found for found in self._read()}

    def of(self, cluster: str) -> list[Service]:
        """The services of a cluster, by name."""
        return [service for _, service in sorted(self._services.items()) if service.cluster == cluster]

    def all(self) -> list[Service]:
        """The services of all clusters."""
        return list(self._services.values())

    def find(self, cluster: str, name: str) -> Service | None:
        """A service, or None."""
        return self._services.get((cluster, name))

    def put(self, service: Service) -> None:
        """Keeps a service, or what has become of it."""
        path = self._path(service.cluster, service.name)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        document = {"definition": service.definition, "image": service.image}
        write_whole(path, json.dumps(document).encode())
        self._services[service.cluster, service.name] = service

    def remove(self, service: Service) -> None:
        """Forgets a service."""
        self._path(service.cluster, service.name).unlink(missing_ok=True)
        self._services.pop((service.cluster, service.name), None)

    def _path(self, cluster: str, name: str) -> Path:
        return self._directory / quote(cluster, safe="") / f"{name}.json"

    def _read(self) -> Iterator[Service]:
        for path in self._directory.glob("*/*.json"):
            document = json.loads(path.read_bytes())
            yield Service(unquote(path.parent.name), document["definition"], document["image"])


@dataclass(frozen=True)
class OscarJob:
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

    def create(self, cluster: str, service: str, event: bytes) -> OscarJob:
        """Accepts an event; on return the operating system has it."""
        job = OscarJob(cluster, service, f"{service}-{uuid.uuid4()}", time.time())
        folder = self.folder(job)
        folder.mkdir(mode=0o700, parents=True)
        write_whole(folder / "event", event)
        self._put(job)
        return job

    def event(self, job: OscarJob) -> bytes:
        """What a job is to work on."""
        return (self.folder(job) / "event").read_bytes()

    def log(self, job: OscarJob) -> Path:
        """The file with its output; it may not be there."""
        return self.folder(job) / "log"

    def began(self, job: OscarJob) -> OscarJob:
        """Notes that its container runs."""
        return self._put(replace(job, status="Running", started=time.time()))

    def ended(self, job: OscarJob, *, succeeded: bool) -> OscarJob:
        """Notes how it ended; its event is not needed any more."""
        status: Status = "Succeeded" if succeeded else "Failed"
        done = self._put(replace(job, status=status, finished=time.time()))
        (self.folder(job) / "event").unlink(missing_ok=True)
        return done

    def of(self, cluster: str, service: str) -> list[OscarJob]:
        """The jobs of a service, the youngest first."""
        return [job for job in reversed(self._jobs.values()) if (job.cluster, job.service) == (cluster, service)]

    def find(self, cluster: str, service: str, name: str) -> OscarJob | None:
        """A job of a service, or None."""
        job = self._jobs.get(name)
        return job if job and (job.cluster, job.service) == (cluster, service) else None

    def unfinished(self) -> list[OscarJob]:
        """Those that wait, and those whose container a kill has ended; the oldest first."""
        return [job for job in self._jobs.values() if job.finished is None]

    def counts(self) -> dict[str, int]:
        """How many jobs are in which state."""
        states = [job.status for job in self._jobs.values()]
        return {state.lower(): states.count(state) for state in ("Pending", "Running", "Succeeded", "Failed")}

    def remove(self, job: OscarJob) -> None:
        """Forgets a job with its output."""
        self._jobs.pop(job.name, None)
        (self.folder(job) / "job.json").unlink(missing_ok=True)  # without it the rest means nothing
        shutil.rmtree(self.folder(job), ignore_errors=True)

    def expire(self) -> None:
        """Removes the jobs that ended too long ago."""
        oldest = time.time() - _LIFETIME
        for job in [job for job in self._jobs.values() if job.finished is not None and job.finished < oldest]:
            self.remove(job)

    def folder(self, job: OscarJob) -> Path:
        """The job's own folder."""
        return self._directory / quote(job.cluster, safe="") / job.service / job.name

    def _put(self, job: OscarJob) -> OscarJob:
        write_whole(self.folder(job) / "job.json", json.dumps(asdict(job)).encode())
        self._jobs[job.name] = job
        return job

    def _read(self) -> Iterator[OscarJob]:
        for folder in self._directory.glob("*/*/*"):
            if (folder / "job.json").is_file():
                yield OscarJob(**json.loads((folder / "job.json").read_bytes()))
            else:  # a kill came before it was accepted, or while it was removed
                shutil.rmtree(folder, ignore_errors=True)
