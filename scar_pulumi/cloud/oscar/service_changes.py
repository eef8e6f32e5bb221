"""Services created, updated and deleted, with their images and buckets."""

import asyncio
import io
import json
import shlex
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scar_pulumi.cloud.ecr.image_store import ImageStore, Repository
from scar_pulumi.cloud.oscar.buckets import Buckets, own_buckets
from scar_pulumi.cloud.oscar.definitions import Definition, DefinitionError, completed
from scar_pulumi.cloud.oscar.job_queue import JobQueue
from scar_pulumi.cloud.oscar.store import Jobs, Services, StoredService

if TYPE_CHECKING:
    from scar_components.images import ImagePlan

_ACCOUNT = "oscar"
_FOLDERS = ("oscar", "oscar/bin", "oscar/config", "oscar/answer", "run", "run/secrets", "run/secrets/providers", "var")
_LINKS = {"var/run": "/run"}


class ServiceImages:
    """Prepares images, in a thread, because the first one of a base takes seconds."""

    def __init__(self, images: ImageStore) -> None:
        self._images = images

    async def prepare(self, cluster: str, definition: Mapping[str, Any]) -> str:
        """Put the service's image into the store and return its digest. Raises DefinitionError."""
        return await asyncio.to_thread(self._prepare, _repository(cluster, str(definition["name"])), definition)

    def forget(self, service: StoredService) -> None:
        """Drop the image of a service that is deleted."""
        self._images.drop(_repository(service.cluster, service.name))

    def _prepare(self, repository: Repository, definition: Mapping[str, Any]) -> str:
        from scar_components.images import ImageError, plan_image  # noqa: PLC0415 - brings boto3

        file = definition.get("image_file")
        image = None if file else str(definition["image"])
        try:
            return self._store(repository, plan_image(image=image, image_file=file, top=mount_points))
        except ImageError as error:
            raise DefinitionError(f"{definition['name']}: {error}") from None

    def _store(self, repository: Repository, plan: "ImagePlan") -> str:
        from scar_components.images import load_blob  # noqa: PLC0415

        manifest = json.loads(plan.manifest)
        self._put(repository, manifest["config"]["digest"], [plan.config])
        for layer in plan.layers:
            self._put(repository, layer.digest, load_blob(layer))
        digest = self._images.put_manifest(repository, plan.manifest, manifest["mediaType"])
        self._images.keep(repository, {digest}, ())
        return digest

    def _put(self, repository: Repository, digest: str, content: Iterable[bytes]) -> None:
        blobs = self._images.blobs
        blobs.lease(str(repository), digest)
        if digest in blobs:
            return
        upload = blobs.begin()
        try:
            for chunk in content:
                upload.write(chunk)
            upload.commit(digest)
        finally:
            blobs.finish(upload)


def mount_points(entrypoint: Sequence[str]) -> bytes:
    """Return the top layer: mount points, and the supervisor where OSCAR has it."""
    buffer = io.BytesIO()
    script = f'#!/bin/sh\nexec {shlex.join(entrypoint)} "$@"\n'.encode()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in _FOLDERS:
            folder = tarfile.TarInfo(name)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(folder)
        for name, target in _LINKS.items():
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, target
            archive.addfile(link)
        entry = tarfile.TarInfo("oscar/bin/supervisor")
        entry.size, entry.mode = len(script), 0o755
        archive.addfile(entry, io.BytesIO(script))
    return buffer.getvalue()


def _repository(cluster: str, service: str) -> Repository:
    return Repository(_ACCOUNT, quote(cluster, safe=""), service)


class ServiceChanges:
    """Makes services of definitions; `minio` are the settings of the clusters' storage."""

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
        """Create a service. Raises DefinitionError."""
        definition = completed(document, self._minio)
        async with self._locks[cluster, definition["name"]]:
            if self._services.find(cluster, definition["name"]):
                raise DefinitionError("A service with the provided name already exists")
            await self._put(cluster, definition)
        return True

    async def update(self, cluster: str, document: Any) -> bool:
        """Update a service; return whether there is one. Raises DefinitionError."""
        name = completed(document, self._minio)["name"]
        async with self._locks[cluster, name]:
            before = self._services.find(cluster, name)
            if before is None:
                return False
            await self._put(cluster, completed(document, self._minio, before.definition))
        return True

    async def delete(self, cluster: str, name: str) -> bool:
        """Delete a service, its jobs and the buckets created for it, as OSCAR does; return whether it was there.

        Buckets that it no longer uses, that existed before it, or that other services use, stay.
        """
        async with self._locks[cluster, name]:
            service = self._services.find(cluster, name)
            if service is None:
                return False
            await self._services.remove(service)
            await self._queue.remove(self._jobs.of(cluster, name))
            self._images.forget(service)
            for bucket in await self._left_alone(service):
                await self._buckets.wipe(bucket)
        return True

    async def _left_alone(self, service: StoredService) -> list[str]:
        others = {bucket for other in self._services.all() for bucket in own_buckets(other.definition)}
        candidates = [bucket for bucket in own_buckets(service.definition) if bucket not in others]
        key = service.cluster, service.name
        return [bucket for bucket in candidates if await self._buckets.owner(bucket) == key]

    async def _put(self, cluster: str, definition: Definition) -> None:
        image = await self._images.prepare(cluster, definition)
        await self._buckets.provide(cluster, definition)
        await self._services.put(StoredService(cluster, definition, image))
