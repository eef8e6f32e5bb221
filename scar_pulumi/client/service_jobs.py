"""The jobs of services on OSCAR clusters: their states, why they fail, and the input files that none of them took.

OSCAR tells a job's state and its log, and nothing of its event. The file that a job was for stands in its log only.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from scar_foundation.minio_event import EventObject
from scar_pulumi.client.failures import Try
from scar_pulumi.client.logs import milliseconds

if TYPE_CHECKING:
    from scar_pulumi.client.oscar import ClusterClient

SETTLED_SECONDS = 60
"""How long a service must have begun no job before files without one count as lost: OSCAR takes two events a second."""

_FAILED = "FAILED"
_STATES = {"": "PENDING", "UNKNOWN": "RUNNING", "SUSPENDED": "PENDING"}
"""OSCAR's states, which are those of pods, in the words of AWS Batch where they are others."""
# https://github.com/grycap/faas-supervisor, faassupervisor/storage/providers
_TAKEN = re.compile(r"Downloading item from bucket '(?P<bucket>[^']+)' with key '(?P<key>.+)'")
_WAITING = (
    "its pod has not started, and OSCAR does not say why: no room for it, an image that cannot be pulled, or the "
    "Secret of the MinIO user that wrote the file is missing"
)


@dataclass(frozen=True)
class ServiceJob:
    """A job of a service; times in ms since the epoch, 0 for none yet."""

    id: str
    cluster: str
    function: str
    """Name of the service."""
    status: str
    created: int
    started: int
    stopped: int
    reason: str = ""
    inputs: tuple[str, ...] = ()
    """The files that its log names, each as `bucket/key`."""

    def document(self) -> dict[str, Any]:
        """Return the job as a JSON document, with the keys of a job in AWS Batch."""
        return {
            "id": self.id,
            "name": self.id,
            "function": self.function,
            "cluster": self.cluster,
            "requestId": self.id,
            "status": self.status,
            "reason": self.reason,
            "exitCode": None,
            "createdAt": self.created or None,
            "startedAt": self.started or None,
            "stoppedAt": self.stopped or None,
            "parts": 0,
            "inputs": list(self.inputs),
        }


def list_service_jobs(client: "ClusterClient", service: str) -> list[ServiceJob]:
    """Return a service's jobs, newest first."""
    found = [_read(client, name, service, entry) for name, entry in client.jobs(service).items()]
    return sorted(found, key=lambda job: (job.created, job.id), reverse=True)


def explained(client: "ClusterClient", job: ServiceJob) -> ServiceJob:
    """Return a job with what its log tells: its files, and why it failed."""
    from scar_pulumi.client.oscar import read_job_lines  # noqa: PLC0415 - help and functions need no HTTP

    if job.status == "PENDING":
        return replace(job, reason=_WAITING)
    lines = [line.message for line in read_job_lines(client, job.function, job=job.id)]
    ours = Try(job.id, 0)
    for line in lines:
        ours.take(line)
    named = tuple(dict.fromkeys((*_taken(lines), *ours.inputs)))
    return replace(job, inputs=named, reason=_why(ours, lines) if job.status == _FAILED else "")


def _read(client: "ClusterClient", name: str, service: str, entry: Mapping[str, Any]) -> ServiceJob:
    state = str(entry.get("status") or "").upper()
    created, started, stopped = (_moment(entry.get(key)) for key in ("creation_time", "start_time", "finish_time"))
    return ServiceJob(name, client.cluster.name, service, _STATES.get(state, state), created, started, stopped)


def _moment(text: Any) -> int:
    return milliseconds(str(text)) if text else 0


def _taken(lines: Iterable[str]) -> Iterable[str]:
    """Yield the files that lines of OSCAR's own supervisor name."""
    for line in lines:
        if found := _TAKEN.search(line):
            yield f"{found['bucket']}/{found['key']}"


def _why(ours: Try, lines: Sequence[str]) -> str:
    """Return the first failure that this project's supervisor tells, else the last line that was printed."""
    for place, told in ours.failures():
        return told.partition(f"{place}: ")[2] or told
    said = [line.strip() for line in lines if line.strip()]
    return said[-1] if said else "it has printed nothing; its pod may never have started"


@dataclass(frozen=True)
class Unprocessed:
    """The files that no job took, and what makes that uncertain, if anything does."""

    files: tuple[EventObject, ...]
    doubt: str = ""


def unprocessed(files: Iterable[EventObject], jobs: Sequence[ServiceJob], now: int) -> Unprocessed:
    """Return the files that no job's log names.

    MinIO keeps events that OSCAR has not taken in its memory, and loses them whenever it restarts.
    """
    taken = {name for job in jobs for name in job.inputs}
    left = tuple(file for file in files if f"{file.bucket}/{file.key}" not in taken)
    silent = [job for job in jobs if not job.inputs and job.status != "PENDING"]
    newest = max([job.created for job in jobs] + [file.written for file in left], default=0)
    if any(job.status == "PENDING" for job in jobs):
        return Unprocessed(left, "jobs that have not started may be theirs")
    if silent:
        return Unprocessed(left, f"{len(silent)} jobs do not say in their logs which files they had")
    if now - newest < SETTLED_SECONDS * 1000:
        return Unprocessed(left, "their events may still be on the way, as OSCAR takes about two a second")
    return Unprocessed(left)
