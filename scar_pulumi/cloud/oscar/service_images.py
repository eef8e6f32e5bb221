"""The images of services: taken from where they are, completed as OSCAR's pods are, and put into the image store."""

import asyncio
import io
import json
import shlex
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from scar_pulumi.cloud.ecr.image_store import ImageStore, Repository
from scar_pulumi.cloud.oscar.specification import InvalidError
from scar_pulumi.cloud.oscar.store import StoredService

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
        """Put the service's image into the store and return its digest. Raises InvalidError."""
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
            raise InvalidError(f"{definition['name']}: {error}") from None

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
