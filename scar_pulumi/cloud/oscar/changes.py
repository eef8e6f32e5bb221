"""Services made, changed and deleted, one change of a service after the other."""

import asyncio
from collections import defaultdict
from typing import Any

from scar_pulumi.cloud.oscar.buckets import Buckets, own_buckets
from scar_pulumi.cloud.oscar.definitions import Definition, DefinitionError, completed
from scar_pulumi.cloud.oscar.images import ServiceImages
from scar_pulumi.cloud.oscar.jobs import Jobs
from scar_pulumi.cloud.oscar.queue import JobQueue
from scar_pulumi.cloud.oscar.services import Service, Services


class Changes:
    """What makes a definition a service: its image, its buckets, its place on disk; `minio` has its storage."""

    def __init__(
        self,
        *,
        services: Services,
        images: ServiceImages,
        buckets: Buckets,
        jobs: Jobs,
        queue: JobQueue,
        minio: dict[str, Any],
    ) -> None:
        self._services = services
        self._images = images
        self._buckets = buckets
        self._jobs = jobs
        self._queue = queue
        self._minio = minio
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def create(self, cluster: str, document: Any) -> bool:
        """Make a service. Raises DefinitionError."""
        definition = completed(document, self._minio)
        async with self._locks[cluster, definition["name"]]:
            if self._services.find(cluster, definition["name"]):
                raise DefinitionError("A service with the provided name already exists")
            await self._put(cluster, definition)
        return True

    async def update(self, cluster: str, document: Any) -> bool:
        """Change a service; tells whether there is one. Raises DefinitionError."""
        name = completed(document, self._minio)["name"]
        async with self._locks[cluster, name]:
            before = self._services.find(cluster, name)
            if before is None:
                return False
            await self._put(cluster, completed(document, self._minio, before.definition))
        return True

    async def delete(self, cluster: str, name: str) -> bool:
        """Delete a service with its jobs, and with the buckets that were made for it, as OSCAR does.

        Buckets that it has no more, that were there before, or that other services have, too, stay. Tells whether there
        was one.
        """
        async with self._locks[cluster, name]:
            service = self._services.find(cluster, name)
            if service is None:
                return False
            self._services.remove(service)
            for job in self._jobs.of(cluster, name):
                await self._queue.remove(job)
            self._images.forget(service)
            for bucket in await self._left_alone(service):
                await self._buckets.wipe(bucket)
        return True

    async def _left_alone(self, service: Service) -> list[str]:
        others = {bucket for other in self._services.all() for bucket in own_buckets(other.definition)}
        candidates = [bucket for bucket in own_buckets(service.definition) if bucket not in others]
        key = service.cluster, service.name
        return [bucket for bucket in candidates if await self._buckets.owner(bucket) == key]

    async def _put(self, cluster: str, definition: Definition) -> None:
        image = await self._images.prepare(cluster, definition)
        await self._buckets.provide(cluster, definition)
        self._services.put(Service(cluster, definition, image))
