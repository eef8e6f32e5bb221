"""What OSCAR's server does with services and buckets: the order of its steps, its errors, and what it leaves undone.

The local clusters and the test double of the components are this server over storage of their own: neither has beliefs
about OSCAR that the other has not. Seen on the genuine servers 4.1.2 and 4.0.0, and read in their sources:
https://github.com/grycap/oscar/tree/master/pkg/handlers
"""

import platform
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from scar_pulumi.cloud.oscar.refusals import Answer, creation_refusal, update_refusal
from scar_pulumi.cloud.oscar.specification import (
    NEWEST,
    OWNER,
    Definition,
    InvalidError,
    Place,
    Release,
    is_exposed,
    own_buckets,
    place,
    places,
    read,
    shown,
)

PAGE = 70
"""OSCAR's default of JOB_LISTING_LIMIT: jobs, or objects of a bucket, that one answer shows."""
TOKEN_CHARACTERS = 64
FROM_SERVICE = "from_service"
"""Tag of a bucket: the service that it was made for."""
_NO_BUCKET = "NoSuchBucket: The specified bucket does not exist"
_STARTS_SERVICES = ("minio", "webdav", "rucio")


class StorageError(Exception):
    """What OSCAR's server says when MinIO, or S3, does not do as it is told."""


class StoredObject(NamedTuple):
    """An object as a bucket's page shows it."""

    key: str
    size: int = 0
    modified: str = ""


class ClusterStorage(Protocol):
    """A cluster's MinIO, and what the server does with S3. Every method may raise StorageError."""

    def settings(self) -> dict[str, Any]:
        """Return `endpoint`, `verify`, `region`, `access_key` and `secret_key`."""

    async def register(self, service: str, token: str) -> None:
        """Make MinIO know the webhook of a service, for which it restarts."""

    async def unregister(self, service: str) -> None:
        """Make it forget the webhook."""

    async def buckets(self) -> list[str]:
        """Return the names of all buckets."""

    async def tags(self, bucket: str) -> dict[str, str] | None:
        """Return a bucket's tags; None if it does not exist."""

    async def tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Replace a bucket's tags."""

    async def make(self, bucket: str) -> None:
        """Create a bucket that does not exist."""

    async def add_folder(self, bucket: str, folder: str) -> None:
        """Create the object that stands for a folder."""

    async def notify(self, bucket: str, service: str, folder: str) -> None:
        """Report new objects in a folder to a service."""

    async def silence(self, bucket: str, service: str) -> None:
        """Report nothing in a bucket to a service any more."""

    async def page(self, bucket: str, start: str) -> tuple[list[StoredObject], str]:
        """Return up to PAGE objects and where the next page starts, empty after the last one."""

    async def delete(self, bucket: str) -> None:
        """Delete a bucket with everything in it."""

    async def make_elsewhere(self, wanted: Place, definition: Definition) -> bool:
        """Create a bucket in S3 with a service's own keys; return False if it exists."""


class ServiceStore(Protocol):
    """The services of a cluster: what Kubernetes keeps for OSCAR."""

    def names(self) -> list[str]:
        """Return the names of all services."""

    def find(self, name: str) -> Definition | None:
        """Return a service's definition, without secrets; None if there is none."""

    async def put(self, definition: Definition) -> None:
        """Keep a definition. Raises InvalidError if its image cannot be had."""

    async def remove(self, name: str) -> None:
        """Forget a service with all that belongs to it but its buckets."""

    def has_secrets(self, name: str) -> bool:
        """Return whether a service has a Secret."""

    async def put_secrets(self, name: str, values: Mapping[str, str]) -> None:
        """Keep the values of a service's secrets."""

    def is_exposed(self, name: str) -> bool:
        """Return whether the objects of a service's HTTP interface exist."""

    def set_exposed(self, name: str, *, exists: bool) -> None:
        """Note that they were made, or deleted."""


def information(release: Release, backend: str, commit: str = "local") -> dict[str, Any]:
    """Return what `/system/info` says; `backend` is Knative, or empty."""
    return {
        "version": release.version,
        "git_commit": commit,
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine()),
        "kubernetes_version": "none",
        "serverless_backend": {"name": backend, "version": "local"},
    }


def configuration(backend: str, storage: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `/system/config` says to the cluster's user."""
    return {
        "config": {
            "name": "oscar",
            "namespace": "oscar",
            "services_namespace": "oscar-svc",
            "gpu_available": False,
            "interLink_available": False,
            "serverless_backend": backend.lower(),
        },
        "minio_provider": dict(storage),
        "allowed_image_repositories": [],
    }


def token_refusal(authorization: str, service: Definition | None) -> Answer | None:
    """Return why a call of a service is refused; a token that is no service's is taken for one of an OpenID provider.

    That there is no such service is not told to those without its token.
    """
    kind, _, text = authorization.partition(" ")
    token = text.strip()
    if kind.lower() != "bearer" or not token:
        return Answer(401)
    if len(token) != TOKEN_CHARACTERS:
        return Answer(502, "token is malformed: token contains an invalid number of segments")
    expected = str(service["token"]) if service else ""
    return None if secrets.compare_digest(token.encode(), expected.encode()) else Answer(401)


def job_page(jobs: Sequence[tuple[str, Mapping[str, str]]], page: str) -> Answer:
    """Return a page of a service's jobs, by name; `page` is the `next_page` of the page before."""
    if page and not page.isdecimal():
        return Answer(500, f'continue key is not valid: invalid character in "{page}"')
    start = int(page or 0)
    rest = max(0, len(jobs) - start - PAGE)
    following = str(start + PAGE) if rest else ""
    shown_jobs = dict(jobs[start : start + PAGE])
    return Answer(200, {"jobs": shown_jobs, "next_page": following, "remaining_jobs": rest})


@dataclass(frozen=True)
class OscarServer:
    """One cluster's server, for its administrator: `spares_others` keeps buckets that were not made for a service.

    The genuine server deletes them with it.
    """

    storage: ClusterStorage
    services: ServiceStore
    release: Release = NEWEST
    spares_others: bool = False

    async def create(self, body: Any) -> Answer:
        """Create a service: its objects, its webhook, its buckets, their tags."""
        try:
            service = read(body, self.release)
        except InvalidError as error:
            return Answer(400, str(error))
        if refusal := self._taken(service) or creation_refusal(service):
            return refusal
        service |= {"owner": OWNER, "token": secrets.token_hex(TOKEN_CHARACTERS // 2)}
        return await self._made(service)

    async def _made(self, service: Definition) -> Answer:
        name = service["name"]
        try:
            await self._store(service)
            await self.storage.register(name, service["token"])
        except (InvalidError, StorageError) as error:
            await self.services.remove(name)
            return _failure(error)
        made: list[str] = []
        try:
            await self._make_buckets(service, made)
        except (InvalidError, StorageError) as error:
            await self._roll_back(name, made, str(error))
            return _failure(error)
        if is_exposed(service):
            self.services.set_exposed(name, exists=True)
        return await self._tag(name, made)

    async def _roll_back(self, name: str, made: Iterable[str], reason: str) -> None:
        """Forget a service whose buckets could not be made; those made so far stay where the next exists already."""
        await self.services.remove(name)
        if "already exists" not in reason:
            for bucket in made:
                if await self.storage.tags(bucket) is not None:
                    await self.storage.delete(bucket)

    def _taken(self, service: Definition) -> Answer | None:
        if self.services.find(service["name"]):
            return Answer(400, "A service with the provided name already exists")
        if service["environment"]["secrets"] and self.services.has_secrets(service["name"]):
            return Answer(409, "A secret with the given name already exists")
        return None

    async def _store(self, service: Definition) -> None:
        values = service["environment"]["secrets"]
        if values:
            await self.services.put_secrets(service["name"], dict(values))
        environment = {**service["environment"], "secrets": dict.fromkeys(values, "")}
        await self.services.put({**service, "environment": environment})

    async def _tag(self, name: str, made: Iterable[str]) -> Answer:
        said = Answer(201)
        for bucket in made:
            if await self.storage.tags(bucket) is None:  # it looks for those of S3 in MinIO, too
                said = Answer(400, "Error tagging bucket: The specified bucket does not exist")
            else:
                await self.storage.tag(bucket, {"owner": "", FROM_SERVICE: name})
        return said

    async def update(self, body: Any) -> Answer:
        """Replace a service's definition; its token stays, and buckets that exist keep their notifications."""
        try:
            service = read(body, self.release)
        except InvalidError as error:
            return Answer(400, str(error))
        old = self.services.find(service["name"])
        if old is None:
            return Answer(404)
        there = self.services.is_exposed(service["name"])
        if refusal := update_refusal(old, service, is_exposed_there=there):
            return refusal
        service["token"] = old["token"]
        if is_exposed(service) and not self.release.updates_keep_scripts:
            service["script"] = ""  # its ConfigMap is written twice, the second time without it
        try:
            made: list[str] = []
            await self._make_buckets(service, made, is_update=True)
            await self._store(service)
        except (InvalidError, StorageError) as error:
            return _failure(error)
        return await self._set_policies(old, service, made)

    async def _set_policies(self, old: Definition, new: Definition, made: list[str]) -> Answer:
        """Fail where a bucket came or went: the administrator is no user of MinIO. All the rest is done."""
        before = {one.bucket for one in places(old) if one.kind == "minio"}
        said = Answer(204)
        for _ in set(made) - before:
            try:
                await self.storage.register(new["name"], new["token"])
            except StorageError as error:
                return _failure(error)
            reason = "error creating policy: The specified user does not exist"
            said = Answer(500, f"Error creating the service: {reason}")
        return (
            Answer(500, "error setting new policies: The specified user does not exist") if before - set(made) else said
        )

    def find(self, name: str) -> Answer:
        """Return a service as it is shown."""
        service = self.services.find(name)
        return Answer(404) if service is None else Answer(200, shown(service, self.storage.settings()))

    def all_services(self) -> Answer:
        """Return all services."""
        found = (self.services.find(name) for name in self.services.names())
        return Answer(200, [shown(service, self.storage.settings()) for service in found if service])

    async def delete(self, name: str) -> Answer:
        """Delete a service, and its buckets with everything in them."""
        service = self.services.find(name)
        if service is None:
            return Answer(404)
        await self.services.remove(name)
        if is_exposed(service):  # it does not look for what an earlier definition has left
            self.services.set_exposed(name, exists=False)
        try:
            await self.storage.unregister(name)
            await self._delete_buckets(service)
        except StorageError as error:
            return Answer(500, f"Error deleting service buckets: {error}")
        return Answer(204)

    async def _delete_buckets(self, service: Definition) -> None:
        mounted = place(service["mount"]).bucket if service["mount"]["path"] else None
        for bucket in dict.fromkeys(one.bucket for one in places(service) if one.kind in ("minio", "s3")):
            tags = await self.storage.tags(bucket)  # S3's are looked for in MinIO, too
            if tags is None:
                continue
            await self.storage.silence(bucket, service["name"])
            if bucket == mounted or (self.spares_others and not self._is_own(service, bucket, tags)):
                continue
            if service["owner"] != OWNER:
                raise StorageError("error while removing MinIO bucket error removing resource")
            await self.storage.delete(bucket)

    def _is_own(self, service: Definition, bucket: str, tags: Mapping[str, str]) -> bool:
        others = (self.services.find(name) for name in self.services.names())
        is_shared = any(other and bucket in own_buckets(other) for other in others)
        return tags.get(FROM_SERVICE) == service["name"] and not is_shared

    async def buckets(self) -> Answer:
        """Return all buckets, without their objects."""
        try:
            found = {name: await self.storage.tags(name) for name in await self.storage.buckets()}
        except StorageError as error:
            return Answer(500, f"Error: {error}")
        return Answer(200, [_described(name, tags) for name, tags in found.items() if tags is not None])

    async def bucket(self, name: str, page: str = "") -> Answer:
        """Return a bucket with a page of its objects."""
        try:
            tags = await self.storage.tags(name)
            if tags is None:
                return Answer(500, _NO_BUCKET)
            objects, following = await self.storage.page(name, page)
        except StorageError as error:
            return Answer(500, f"Error: {error}")
        listed = [
            {"object_name": one.key, "size_bytes": one.size, "last_modified": one.modified, "owner": ""}
            for one in objects
        ]
        paged = {"objects": listed, "is_truncated": bool(following), "next_page": following}
        return Answer(200, {**_described(name, tags), **paged, "returned_items": len(listed)})

    async def make_bucket(self, body: Any) -> Answer:
        """Create a bucket that is no service's."""
        name = str(body.get("bucket_name") or "") if isinstance(body, dict) else ""
        bucket, _, folder = name.strip(" /").partition("/")
        if not bucket:
            return Answer(400, "The Bucket specification is not valid: bucket_name is required")
        try:
            await self._make_path(bucket, folder, exists=False)
            await self.storage.tag(bucket, {"owner": "oscar", "service": "false"})
        except StorageError as error:
            return Answer(400, f"Error creating bucket with name '{bucket}': {error}")
        return Answer(201)

    async def delete_bucket(self, name: str) -> Answer:
        """Delete a bucket with everything in it."""
        try:
            if await self.storage.tags(name) is None:
                return Answer(500, _NO_BUCKET)
            await self.storage.delete(name)
        except StorageError as error:
            return Answer(500, f"Error: {error}")
        return Answer(204)

    async def _make_buckets(self, service: Definition, made: list[str], *, is_update: bool = False) -> None:
        """Create what a service reads, writes and mounts; add the buckets, those of S3 among them, to `made`."""
        for wanted in places(service, "input"):
            if wanted.kind not in _STARTS_SERVICES:
                raise InvalidError("unrecognized input (valid inputs are MinIO and dCache)")
            if wanted.kind == "minio":
                self._check_provider(service, wanted, is_input=True)
                await self._make_input(service["name"], wanted, is_update=is_update)
                _add(made, wanted.bucket)
        for wanted in places(service, "output"):
            self._check_provider(service, wanted)
            if wanted.is_own:
                # A folder in the bucket of an input is no second bucket.
                exists = wanted.bucket in made
                await self._make_path(wanted.bucket, wanted.folder, exists=exists, is_update=is_update)
            elif wanted.kind in ("minio", "s3"):
                if not await self.storage.make_elsewhere(wanted, service) and not is_update:
                    raise StorageError(_exists(wanted.bucket))
            else:
                continue
            _add(made, wanted.bucket)
        await self._make_mount(service, made)

    async def _make_mount(self, service: Definition, made: list[str]) -> None:
        mounted = place(service["mount"])
        if mounted.is_own and mounted.bucket:
            # One that exists is taken as it is, and tagged as if it had been made for the service.
            await self._make_path(mounted.bucket, mounted.folder, exists=True)
            _add(made, mounted.bucket)

    def _check_provider(self, service: Definition, wanted: Place, *, is_input: bool = False) -> None:
        if wanted.is_own:
            return
        if wanted.identifier not in service["storage_providers"].get(wanted.kind, {}):
            raise StorageError(f'the StorageProvider "{wanted.kind}.{wanted.identifier}" is not defined')
        settings = service["storage_providers"][wanted.kind][wanted.identifier]
        if is_input and settings != self.storage.settings():
            endpoint = settings.get("endpoint", "") if isinstance(settings, dict) else ""
            raise StorageError(f'the provided MinIO server "{endpoint}" is not the configured in OSCAR')

    async def _make_input(self, service: str, wanted: Place, *, is_update: bool) -> None:
        if await self._make_path(wanted.bucket, wanted.folder, exists=False, is_update=is_update):
            await self.storage.notify(wanted.bucket, service, wanted.folder)

    async def _make_path(self, bucket: str, folder: str, *, exists: bool, is_update: bool = False) -> bool:
        """Create a bucket with a folder, or the folder alone where the bucket may exist.

        Return False where an update gives up on a bucket that exists, without an error.
        """
        if await self.storage.tags(bucket) is None:
            await self.storage.make(bucket)
        elif not exists:
            if is_update:
                return False
            raise StorageError(_exists(bucket))
        if folder:
            await self.storage.add_folder(bucket, folder)
        return True


def _add(made: list[str], bucket: str) -> None:
    if bucket not in made:
        made.append(bucket)


def _failure(error: Exception) -> Answer:
    return Answer(400 if isinstance(error, InvalidError) else 500, str(error))


def _exists(bucket: str) -> str:
    return f'the bucket "{bucket}" already exists\n'


def _described(name: str, tags: Mapping[str, str]) -> dict[str, Any]:
    metadata = {key: value for key, value in tags.items() if key != "owner"}
    return {"bucket_name": name, "visibility": "private", "owner": tags.get("owner") or OWNER, "metadata": metadata}
