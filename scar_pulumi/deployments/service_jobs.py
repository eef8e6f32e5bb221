"""Jobs of deployed services on OSCAR clusters, and their input files that no job took."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from scar_foundation.errors import InputError
from scar_foundation.minio_event import EventObject, minio_event
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.failures import Failure
from scar_pulumi.client.objects import Location, objects
from scar_pulumi.client.outputs import DeployedService
from scar_pulumi.client.service_jobs import ServiceJob, explained, list_service_jobs, unprocessed
from scar_pulumi.deployments.find import Deployments

if TYPE_CHECKING:
    from scar_pulumi.client.oscar import ClusterClient

_LOGS_AT_ONCE = 4
_SKEW_MILLISECONDS = 60_000
"""How far the clocks of MinIO and Kubernetes may be apart."""

# Jobs go with the service, whose files stay.
_EARLIER = "its job was one of an earlier service of this name: the file is older than all jobs that are known"

Job = TypeVar("Job")


class ServiceJobs:
    """The jobs of the services of some deployments."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments
        self._clients: dict[str, ClusterClient] = {}

    def services(self, name: str | None = None) -> list[DeployedService]:
        """Return the services, or those of a name, `NAME` or `CLUSTER/NAME`."""
        return [found for stack in self._deployments.stacks for found in stack.outputs.services(name or "")]

    def listed(self, services: Sequence[DeployedService]) -> list[ServiceJob]:
        """Return the jobs of services, newest first."""
        found = [job for service in services for job in list_service_jobs(self._client(service), service.name)]
        return sorted(found, key=lambda job: job.created, reverse=True)

    def explained(self, jobs: Sequence[Job]) -> list[Job]:
        """Return jobs, those of services with their files and why they failed, as their logs tell."""
        with ThreadPoolExecutor(_LOGS_AT_ONCE) as pool:
            return list(pool.map(self._explained, jobs))

    def find(self, target: str) -> ServiceJob | None:
        """Find a job by its id, or the newest job of a service; None if no service has such a job.

        Raises:
            InputError: The service has no jobs.
        """
        if named := self.services(target):
            newest = self.listed(named)
            if not newest:
                raise InputError(f"{target}: the service has no jobs yet")
            return newest[0]
        # A job's name begins with its service's, or with the first 16 characters of a long one.
        likely = [one for one in self.services() if target.startswith(one.name[:16])]
        return next((job for job in self.listed(likely) if job.id == target), None)

    def failures(self, service: DeployedService, start: int) -> Iterator[Failure]:
        """Yield the jobs that failed, and the input files that no job took, since `start` in ms since the epoch.

        Raises:
            ScarError: The cluster or its MinIO cannot be reached; the failed jobs have been yielded before.
        """
        early, known = start - _SKEW_MILLISECONDS, self.listed([service])
        jobs = self.explained([job for job in known if not job.created or job.created >= early])
        done = {name: job.created for job in reversed(jobs) if job.status == "SUCCEEDED" for name in job.inputs}
        for job in jobs:
            names = [name for name in job.inputs if done.get(name, 0) < job.created]
            if job.status == "FAILED" and (names or not job.inputs):
                yield from self._failed(service, job, names)
        now = int(time.time() * 1000)
        left = unprocessed(self._files(service, start), jobs, now)
        first = min((job.created for job in known if job.created), default=now) - _SKEW_MILLISECONDS
        for file in left.files:
            doubt = left.doubt or (_EARLIER if file.written < first else "")
            reason = f"no job took it{f', or {doubt}' if doubt else ': MinIO or OSCAR has lost its event'}"
            event = None if doubt else self._event(service, file)
            name = f"{file.bucket}/{file.key}"
            yield Failure(service, name, reason, 0, file.written, "", event=event, otherwise=doubt)

    def _failed(self, service: DeployedService, job: ServiceJob, names: Sequence[str]) -> Iterator[Failure]:
        when = job.stopped or job.created
        for name in names:
            bucket, _, key = name.partition("/")
            event = self._event(service, EventObject(bucket, key, job.created))
            yield Failure(service, name, job.reason, 1, when, "", job.id, event)
        if not names:
            untold = "its log does not name the file that it was for"
            yield Failure(service, "", job.reason, 1, when, "", job.id, otherwise=untold)

    def run_again(self, service: DeployedService, failure: Failure) -> str:
        """Send the event of a failure to its service, and return the id of the new job. Raises ScarError."""
        from scar_pulumi.client.oscar import failure_of, send_event  # noqa: PLC0415 - help and functions need no HTTP

        client = self._client(service)
        token = client.cluster.services[service.name].token or client.token(service.name)
        sent = send_event(client, client.cluster.services[service.name], json.dumps(failure.event).encode(), token)
        if sent.status_code != 201:
            raise failure_of(sent)
        return sent.request_id

    def _explained(self, job: Any) -> Any:
        return explained(self._clients[job.cluster], job) if isinstance(job, ServiceJob) else job

    def _files(self, service: DeployedService, start: int) -> Iterator[EventObject]:
        """Yield the files of a service's inputs in its cluster's MinIO that were written since `start`."""
        own = ("minio.default", f"minio.{service.cluster}")
        for path in service.inputs:
            if path.provider not in own:
                continue
            bucket, _, folder = path.path.strip("/").partition("/")
            place = Location(bucket, f"{folder}/" if folder else "", f"minio.{service.cluster}")
            with about(f"files of {place}"):
                for found in objects(self._deployments.storage(place), place):
                    written = int(found.modified.timestamp() * 1000)
                    if written >= start and not found.key.endswith("/"):
                        yield EventObject(bucket, found.key, written, found.size, found.etag)

    def _event(self, service: DeployedService, file: EventObject) -> dict[str, object]:
        settings = self._client(service).storage()
        user, region = str(settings.get("access_key") or ""), str(settings.get("region") or "us-east-1")
        return minio_event(file, user, region=region, endpoint=str(settings.get("endpoint") or ""))

    def _client(self, service: DeployedService) -> "ClusterClient":
        if service.cluster not in self._clients:
            self._clients[service.cluster] = self._deployments.cluster(service)
        return self._clients[service.cluster]
