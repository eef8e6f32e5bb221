"""A cluster for the tests of services: OSCAR's server as the local clouds have it, over a MinIO that can fail."""

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

from scar_pulumi.cloud.oscar.refusals import Answer
from scar_pulumi.cloud.oscar.server import (
    ClusterStorage,
    OscarServer,
    ServiceStore,
    StoredObject,
    configuration,
    information,
    job_page,
    token_refusal,
)
from scar_pulumi.cloud.oscar.specification import RELEASES, Definition, Place
from tests.components.oscar_service.minio import Minio


class Cluster:
    """A cluster of one of the releases; tests look into it, and replace its methods to make it answer oddly."""

    def __init__(self, version: str = "4.1.2", backend: str = "", restart_seconds: float = 0.05) -> None:
        self.version = version
        self.backend = backend
        self.minio = Minio(restart_seconds)
        self.services: dict[str, Definition] = {}
        self.secrets: dict[str, dict[str, str]] = {}
        self.s3_buckets: set[str] = set()
        self.exposed: set[str] = set()
        """Services whose Deployment, Service, HPA and Ingress exist."""
        self.jobs: dict[str, dict[str, dict[str, str]]] = {}
        """For each service its jobs by name: `status`, `creation_time` and so on."""
        self.events: dict[str, bytes] = {}
        """What each job that was begun over `/job` is to work on."""
        self.logs: dict[str, str] = {}
        """What each job has printed."""
        self.odd_answers: list[Answer] = []
        """What the next questions about a bucket are answered with, as while MinIO restarts."""
        self.storage = _Storage(self)
        self._server = OscarServer(self.storage, _Services(self), RELEASES[version])

    def information(self) -> Answer:
        return Answer(200, information(self._server.release, self.backend))

    def settings(self) -> Answer:
        return Answer(200, configuration(self.backend, self.storage.settings()))

    def create(self, body: Any) -> Answer:
        return _run(self._server.create(body))

    def update(self, body: Any) -> Answer:
        return _run(self._server.update(body))

    def find(self, name: str) -> Answer:
        return self._server.find(name)

    def all_services(self) -> Answer:
        return self._server.all_services()

    def delete(self, name: str) -> Answer:
        return _run(self._server.delete(name))

    def buckets(self) -> Answer:
        return _run(self._server.buckets())

    def bucket(self, name: str, page: str = "") -> Answer:
        return self.odd_answers.pop(0) if self.odd_answers else _run(self._server.bucket(name, page))

    def make_bucket(self, body: Any) -> Answer:
        return _run(self._server.make_bucket(body))

    def delete_bucket(self, name: str) -> Answer:
        return _run(self._server.delete_bucket(name))

    def start_job(self, service: str, event: bytes, authorization: str, name: str) -> Answer:
        if refusal := token_refusal(authorization, self.services.get(service)):
            return refusal
        name = name or f"{service}-{len(self.events)}"
        if name in self.events:
            return Answer(500, f'jobs.batch "{name}" already exists')
        self.jobs.setdefault(service, {})[name] = {"status": "Pending", "creation_time": "2026-06-01T12:00:00Z"}
        self.events[name] = event
        return Answer(201)

    def job_list(self, service: str, page: str) -> Answer:
        return job_page(list(self.jobs.get(service, {}).items()), page)

    def job_log(self, service: str, name: str, timestamps: str) -> Answer:
        known = name in self.jobs.get(service, {})
        return Answer(200, self.logs.get(name, "")) if known else Answer(500)

    def delete_job(self, service: str, name: str) -> Answer:
        return Answer(404 if self.jobs.get(service, {}).pop(name, None) is None else 204)

    def started(self, bucket: str, key: str) -> set[str]:
        """Return the services that a new key starts: `/job` refuses a token that is not the service's present one."""
        told = self.minio.notified(bucket, key)
        return {name for name in told if self.minio.webhooks[name] == self.services[name]["token"]}


def _run(answer: Coroutine[Any, Any, Answer]) -> Answer:
    return asyncio.run(answer)


class _Storage(ClusterStorage):
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._minio = cluster.minio
        self.endpoint = "https://minio.minio:9000"

    def settings(self) -> dict[str, Any]:
        keys = {"access_key": "minio", "secret_key": "minio-secret", "region": "us-east-1", "verify": False}
        return {"endpoint": self.endpoint, **keys}

    async def register(self, service: str, token: str) -> None:
        self._minio.register(service, token)

    async def unregister(self, service: str) -> None:
        self._minio.unregister(service)

    async def buckets(self) -> list[str]:
        self._minio.check_reachable()
        return list(self._minio.buckets)

    async def tags(self, bucket: str) -> dict[str, str] | None:
        self._minio.check_reachable()
        found = self._minio.buckets.get(bucket)
        return dict(found.tags) if found else None

    async def tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        self._minio.buckets[bucket].tags = dict(tags)

    async def make(self, bucket: str) -> None:
        self._minio.make(bucket)

    async def add_folder(self, bucket: str, folder: str) -> None:
        self._minio.buckets[bucket].objects.add(f"{folder}/")

    async def notify(self, bucket: str, service: str, folder: str) -> None:
        self._minio.buckets[bucket].notifications.add((service, f"{folder}/"))

    async def silence(self, bucket: str, service: str) -> None:
        found = self._minio.buckets[bucket]
        found.notifications = {rule for rule in found.notifications if rule[0] != service}

    async def page(self, bucket: str, start: str) -> tuple[list[StoredObject], str]:
        return self._minio.page(bucket, start)

    async def delete(self, bucket: str) -> None:
        del self._minio.buckets[bucket]

    async def make_elsewhere(self, wanted: Place, definition: Definition) -> bool:
        is_new = wanted.bucket not in self._cluster.s3_buckets
        self._cluster.s3_buckets.add(wanted.bucket)
        return is_new


class _Services(ServiceStore):
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def names(self) -> list[str]:
        return list(self._cluster.services)

    def find(self, name: str) -> Definition | None:
        return self._cluster.services.get(name)

    async def put(self, definition: Definition) -> None:
        self._cluster.services[definition["name"]] = definition

    async def remove(self, name: str) -> None:
        self._cluster.services.pop(name, None)
        self._cluster.secrets.pop(name, None)

    def has_secrets(self, name: str) -> bool:
        return name in self._cluster.secrets

    async def put_secrets(self, name: str, values: Mapping[str, str]) -> None:
        self._cluster.secrets[name] = dict(values)

    def is_exposed(self, name: str) -> bool:
        return name in self._cluster.exposed

    def set_exposed(self, name: str, *, exists: bool) -> None:
        (self._cluster.exposed.add if exists else self._cluster.exposed.discard)(name)
