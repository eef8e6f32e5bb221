"""One local cluster: OSCAR's server over the local cloud's storage and containers, and what it says of jobs."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.oscar.buckets import LocalStorage
from scar_pulumi.cloud.oscar.containers import moment, read_log
from scar_pulumi.cloud.oscar.job_queue import Calls, JobQueue
from scar_pulumi.cloud.oscar.refusals import Answer
from scar_pulumi.cloud.oscar.server import (
    OscarServer,
    ServiceStore,
    configuration,
    information,
    job_page,
    token_refusal,
)
from scar_pulumi.cloud.oscar.service_images import ServiceImages
from scar_pulumi.cloud.oscar.specification import NAMESPACE, NEWEST, Definition, is_exposed
from scar_pulumi.cloud.oscar.store import Jobs, OscarJob, Services, StoredService

_BACKEND = "Knative"
"""Calls are answered here, which takes Knative on a real cluster."""
_TAIL = 200
"""Entries of a deployment's log that OSCAR returns by default."""
_NOT_DEPLOYED = "The local cloud runs no HTTP interfaces of services."


def _shown(job: OscarJob) -> dict[str, str]:
    times = {"creation_time": job.created, "start_time": job.started, "finish_time": job.finished}
    known = {name: moment(value) for name, value in times.items() if value is not None}
    return {"status": job.status, **known}


class LocalServices(ServiceStore):
    """The services of one cluster, with their images, secrets and jobs."""

    def __init__(self, cluster: str, services: Services, images: ServiceImages, jobs: Jobs, queue: JobQueue) -> None:
        self._cluster = cluster
        self._services = services
        self._images = images
        self._jobs = jobs
        self._queue = queue
        self._files: dict[str, Any] = {}

    def names(self) -> list[str]:
        """Return the names of all services."""
        return [service.name for service in self._services.of(self._cluster)]

    def find(self, name: str) -> Definition | None:
        """Return a service's definition; None if there is none."""
        service = self._services.find(self._cluster, name)
        return service.definition if service else None

    def use_file(self, name: str, image_file: Any) -> None:
        """Take the image of a service from a file; OSCAR drops this key."""
        self._files[name] = image_file

    async def put(self, definition: Definition) -> None:
        """Prepare the service's image and keep the definition. Raises InvalidError if there is no such image."""
        file = self._files.pop(definition["name"], None)
        whole = {**definition, **({"image_file": file} if file else {})}
        image = await self._images.prepare(self._cluster, whole)
        await self._services.put(StoredService(self._cluster, whole, image))

    async def remove(self, name: str) -> None:
        """Forget a service, its jobs and its image."""
        if service := self._services.find(self._cluster, name):
            await self._services.remove(service)
            await self._queue.remove(self._jobs.of(self._cluster, name))
            self._images.forget(service)

    def has_secrets(self, name: str) -> bool:
        """Return whether a service has secrets."""
        return self._services.secrets(self._cluster, name) is not None

    async def put_secrets(self, name: str, values: Mapping[str, str]) -> None:
        """Keep the values of a service's secrets."""
        await self._services.put_secrets(self._cluster, name, values)

    def is_exposed(self, name: str) -> bool:
        """Return whether a service was created with an HTTP interface."""
        found = self.find(name)
        return found is not None and is_exposed(found)

    def set_exposed(self, name: str, *, exists: bool) -> None:
        """Note nothing: there are no such interfaces here."""


class LocalCluster:
    """The operations of a cluster's interface, by their names in the table of routes."""

    def __init__(
        self,
        name: str,
        *,
        storage: LocalStorage,
        services: Services,
        images: ServiceImages,
        jobs: Jobs,
        queue: JobQueue,
        calls: Calls,
    ) -> None:
        self._name = name
        self._storage = storage
        self._services = services
        self._jobs = jobs
        self._queue = queue
        self._calls = calls
        self._store = LocalServices(name, services, images, jobs, queue)
        self._server = OscarServer(storage, self._store, spares_others=True)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.find = self._server.find
        self.all_services = self._server.all_services
        self.buckets = self._server.buckets
        self.bucket = self._server.bucket
        self.make_bucket = self._server.make_bucket
        self.delete_bucket = self._server.delete_bucket

    def information(self) -> Answer:
        """Return what `/system/info` says."""
        return Answer(200, information(NEWEST, _BACKEND))

    def settings(self) -> Answer:
        """Return what `/system/config` says."""
        return Answer(200, configuration(_BACKEND, self._storage.settings()))

    async def create(self, body: Any) -> Answer:
        """Create a service."""
        async with self._locks[self._take_file(body)]:
            return await self._server.create(body)

    async def update(self, body: Any) -> Answer:
        """Update a service."""
        async with self._locks[self._take_file(body)]:
            return await self._server.update(body)

    def _take_file(self, body: Any) -> str:
        """Note which file a service's image is in, and return the service's name."""
        document = body if isinstance(body, dict) else {}
        name = str(document.get("name"))
        self._store.use_file(name, document.get("image_file"))
        return name

    async def delete(self, name: str) -> Answer:
        """Delete a service."""
        async with self._locks[name]:
            return await self._server.delete(name)

    async def start_job(self, name: str, event: bytes, authorization: str, job: str) -> Answer:
        """Start a job of a name, or of a new one."""
        service = self._services.find(self._name, name)
        if refusal := token_refusal(authorization, service.definition if service else None):
            return refusal
        if job and self._jobs.is_taken(job):
            return Answer(500, f'jobs.batch "{job}" already exists')
        await self._queue.put([service] if service else [], event, job)
        return Answer(201)

    async def call(self, name: str, event: bytes, authorization: str) -> tuple[int, bytes]:
        """Call a service and wait for what it answers."""
        service = self._services.find(self._name, name)
        if refusal := token_refusal(authorization, service.definition if service else None):
            return refusal.status, str(refusal.content or "").encode()
        assert service is not None
        answer = await self._calls.run(service, event)
        return answer.status, answer.body

    def deployment(self, name: str) -> Answer:
        """Return the state of what answers calls."""
        service = self._services.find(self._name, name)
        if service is None:
            return Answer(404)
        exposed = is_exposed(service.definition)
        state = {"state": "unavailable", "reason": _NOT_DEPLOYED, "resource_kind": "unavailable"}
        ready = {"state": "ready", "reason": "Runtime service is ready.", "resource_kind": "knative_service"}
        counts = {"active_instances": 0, "affected_instances": 0}
        return Answer(200, {"service_name": name, "namespace": NAMESPACE, **(state if exposed else ready), **counts})

    def deployment_logs(self, name: str, timestamps: str, tail: str) -> Answer:
        """Return what calls have printed, the latest entries."""
        service = self._services.find(self._name, name)
        if service is None:
            return Answer(404)
        path = self._calls.log(service)
        count = int(tail) if tail.isdecimal() else _TAIL
        lines = read_log(path, timestamps=True).splitlines()[-count:] if path.is_file() else []
        entries = [_entry(line, is_timed=timestamps == "true") for line in lines]
        missing = {} if entries else {"message": "Deployment logs are not yet available."}
        return Answer(200, {"service_name": name, "available": bool(entries), **missing, "entries": entries})

    def job_list(self, service: str, page: str) -> Answer:
        """Return a page of a service's jobs."""
        if not self._services.find(self._name, service):
            return Answer(404)
        return job_page([(job.name, _shown(job)) for job in self._jobs.of(self._name, service)], page)

    async def delete_jobs(self, service: str, which: str) -> Answer:
        """Delete a service's jobs: those that succeeded, or all."""
        jobs = self._jobs.of(self._name, service)
        await self._queue.remove(job for job in jobs if which == "true" or job.status == "Succeeded")
        return Answer(204)

    def job_log(self, service: str, name: str, timestamps: str) -> Answer:
        """Return what a job has printed so far; the server fails for one that it does not know."""
        job = self._jobs.find(self._name, service, name)
        if job is None:
            return Answer(500)
        path = self._jobs.log(job)
        return Answer(200, read_log(path, timestamps=timestamps == "true") if path.is_file() else "")

    async def delete_job(self, service: str, name: str) -> Answer:
        """Delete a job with what it has printed."""
        job = self._jobs.find(self._name, service, name)
        if job is None:
            return Answer(404)
        await self._queue.remove([job])
        return Answer(204)


def _entry(line: str, *, is_timed: bool) -> dict[str, str]:
    time, _, message = line.partition(" ")
    return {"timestamp": time, "message": message} if is_timed else {"message": message}
