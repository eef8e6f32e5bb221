"""MinIO's buckets among those of the local cloud's S3: in an account of their own, under names that tell the clusters.

Bucket names are unique across accounts, so `pictures` of a cluster cannot have the same name as `pictures` of AWS, or
of another cluster.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from scar_foundation.oscar_limits import BUCKET_NAME_PATTERN
from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.oscar.address import cluster_of
from scar_pulumi.cloud.oscar.notifications import Rule, folder_rule
from scar_pulumi.cloud.oscar.restarts import Restarts
from scar_pulumi.cloud.oscar.server import PAGE, ClusterStorage, StorageError, StoredObject
from scar_pulumi.cloud.oscar.specification import Definition, Place, own_buckets, places
from scar_pulumi.cloud.oscar.store import PLACE_PREFIX, Services, StoredBucket, StoredBuckets
from scar_pulumi.cloud.s3.documents import parsed, texts
from scar_pulumi.cloud.service import ServiceError

_log = logging.getLogger(__name__)

MINIO_ACCOUNT = "000000000900"
_FORMER_PREFIX = "minio--"
"""What names began with when all clusters shared one MinIO."""
_NAME = re.compile(BUCKET_NAME_PATTERN)
_TAGGING = {"tagging": ""}


class Buckets:
    """The buckets of all clusters; creates those of S3, too."""

    def __init__(self, upstream: Upstream, stored: StoredBuckets, services: Services) -> None:
        self._upstream = upstream
        self._stored = stored
        self._services = services
        self._unclaimed: set[str] = set()
        self._is_shared_out = False
        self._lock = asyncio.Lock()

    async def find(self, cluster: str, name: str) -> StoredBucket:
        """Return a bucket of a cluster, whether or not it exists."""
        await self._share_out()
        if name in self._unclaimed:
            self._unclaimed.discard(name)
            await self._stored.put(StoredBucket(cluster, name, _FORMER_PREFIX + name))
        return self._stored.find(cluster, name)

    async def of(self, cluster: str) -> dict[str, str]:
        """Return the names of a cluster's buckets by their places in S3."""
        await self._share_out()
        there = set(await self._places())
        found = {one.place: one.name for one in self._stored.all() if one.cluster == cluster and one.place in there}
        return {**found, **{_FORMER_PREFIX + name: name for name in self._unclaimed}}

    async def keep(self, bucket: StoredBucket) -> None:
        """Note what is known of a bucket; before it is created, so that a kill leaves none that nobody knows."""
        await self._stored.put(bucket)

    async def forget(self, bucket: StoredBucket) -> None:
        """Forget a bucket that is deleted, with its rules."""
        await self._stored.remove(bucket.cluster, bucket.name)

    async def make(self, bucket: StoredBucket) -> None:
        """Create a bucket. Raises StorageError."""
        if not _NAME.fullmatch(bucket.name):
            reason = "InvalidBucketName: The specified bucket is not valid."
            raise StorageError(f"error creating bucket {bucket.name}: {reason}")
        async with self._lock:
            if await self.tags(bucket) is not None:
                raise StorageError(f'the bucket "{bucket.name}" already exists\n')
            await self.keep(bucket)
            await self._make(bucket.place, MINIO_ACCOUNT)

    async def make_in_s3(self, bucket: str) -> bool:
        """Create a bucket of S3; return False if it exists. Raises StorageError."""
        if (await self._ask("HEAD", bucket, DEFAULT_ACCOUNT)).succeeded:
            return False
        await self._make(bucket, DEFAULT_ACCOUNT)
        return True

    async def tags(self, bucket: StoredBucket) -> dict[str, str] | None:
        """Return a bucket's tags; None if it does not exist."""
        if not (await self._ask("HEAD", bucket.place, MINIO_ACCOUNT)).succeeded:
            return None
        answer = await self._ask("GET", bucket.place, MINIO_ACCOUNT, query=_TAGGING)
        return _tags(answer.body) if answer.succeeded else {}

    async def tag(self, bucket: StoredBucket, tags: Mapping[str, str]) -> None:
        """Replace a bucket's tags."""
        entries = "".join(f"<Tag><Key>{key}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags.items())
        body = f"<Tagging><TagSet>{entries}</TagSet></Tagging>".encode()
        await self._ask("PUT", bucket.place, MINIO_ACCOUNT, query=_TAGGING, body=body)

    async def add_folder(self, bucket: StoredBucket, folder: str) -> None:
        """Create the object that stands for a folder; nobody is told of it."""
        await self._ask("PUT", f"{bucket.place}/{quote(folder)}/", MINIO_ACCOUNT)

    async def page(self, bucket: StoredBucket, start: str) -> tuple[list[StoredObject], str]:
        """Return a page of a bucket's objects, and where the next one starts. Raises StorageError."""
        query = {"list-type": "2", "max-keys": str(PAGE), **({"continuation-token": start} if start else {})}
        answer = await self._ask("GET", bucket.place, MINIO_ACCOUNT, query=query)
        if not answer.succeeded:
            raise StorageError(answer.body[:300].decode(errors="replace"))
        objects = [
            StoredObject(
                one.findtext("{*}Key", ""), int(one.findtext("{*}Size", "0")), one.findtext("{*}LastModified", "")
            )
            for one in parsed(answer.body).iterfind("{*}Contents")
        ]
        return objects, next(iter(texts(answer.body, "{*}NextContinuationToken")), "")

    async def wipe(self, bucket: StoredBucket) -> None:
        """Delete a bucket with everything in it. Raises ServiceError when something cannot be deleted."""
        while found := await self._versions(bucket.place):
            answers = {
                key: await self._ask(
                    "DELETE", f"{bucket.place}/{quote(key)}", MINIO_ACCOUNT, query={"versionId": version}
                )
                for key, version in found
            }
            # What is refused would be listed again, and again.
            if refused := [key for key, answer in answers.items() if not answer.succeeded]:
                what = f"{len(refused)} of its files, such as {refused[0]!r}"
                raise _not_deleted(bucket.name, what, answers[refused[0]])
        answer = await self._ask("DELETE", bucket.place, MINIO_ACCOUNT)
        if not answer.succeeded and answer.status_code != HTTPStatus.NOT_FOUND:
            raise _not_deleted(bucket.name, "it", answer)
        await self.forget(bucket)

    async def _share_out(self) -> None:
        """Give each bucket of the one MinIO that all clusters once shared to the cluster that it was made for."""
        async with self._lock:
            if self._is_shared_out:
                return
            known = {one.place for one in self._stored.all()}
            for place in await self._places(_FORMER_PREFIX):
                if place not in known:
                    await self._give(StoredBucket("", place.removeprefix(_FORMER_PREFIX), place))
            self._is_shared_out = True

    async def _give(self, bucket: StoredBucket) -> None:
        """Give a former bucket to a cluster, and other users new ones; without a hint the first who asks gets it."""
        services = [one for one in self._services.all() if bucket.name in own_buckets(one.definition)]
        users = sorted({one.cluster for one in services})
        owner = (await self.tags(bucket) or {}).get("cluster") or next(iter(users), None)
        if owner is None:
            self._unclaimed.add(bucket.name)
            return
        await self.keep(replace(bucket, cluster=owner, rules=self._former_rules(owner, bucket.name)))
        for user in users:
            if user != owner:
                rules = self._former_rules(user, bucket.name)
                other = replace(self._stored.find(user, bucket.name), rules=rules)
                await self.keep(other)
                await self._make(other.place, MINIO_ACCOUNT)
                _log.warning("bucket %s: its files are in the MinIO of %s; %s has a new one", bucket.name, owner, user)

    def _former_rules(self, cluster: str, bucket: str) -> tuple[Rule, ...]:
        return tuple(
            folder_rule(service.name, one.folder)
            for service in self._services.of(cluster)
            for one in places(service.definition, "input")
            if one.is_own and one.bucket == bucket
        )

    async def _places(self, *prefixes: str) -> list[str]:
        answer = await self._ask("GET", "", MINIO_ACCOUNT)
        names = texts(answer.body, ".//{*}Bucket/{*}Name") if answer.succeeded else []
        return [name for name in names if name.startswith(prefixes or (_FORMER_PREFIX, PLACE_PREFIX))]

    async def _versions(self, path: str) -> list[tuple[str, str]]:
        """Return keys and versions of the next objects, deleted ones too; without versions, there is one, `null`."""
        answer = await self._ask("GET", path, MINIO_ACCOUNT, query={"versions": ""})
        elements = parsed(answer.body) if answer.succeeded else ()
        kinds = ("Version", "DeleteMarker")
        listed = [element for element in elements if element.tag.rpartition("}")[2] in kinds]
        return [(one.findtext("{*}Key", ""), one.findtext("{*}VersionId", "null")) for one in listed]

    async def _make(self, bucket: str, account: str) -> None:
        answer = await self._ask("PUT", bucket, account)
        if not answer.succeeded and b"BucketAlreadyOwnedByYou" not in answer.body:
            reason = answer.body[:300].decode(errors="replace")
            raise StorageError(f"error creating bucket {bucket}: {reason}")

    async def _ask(
        self, method: str, bucket: str, account: str, *, query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        request: Request = rest_request(
            "s3", method, f"/{bucket}", query=query, body=body, account=account, region=DEFAULT_REGION
        )
        return await self._upstream.request(request)


class LocalStorage(ClusterStorage):
    """The MinIO of one cluster, as its server uses it."""

    def __init__(
        self, cluster: str, buckets: Buckets, services: Services, restarts: Restarts, settings: dict[str, Any]
    ) -> None:
        self._cluster = cluster
        self._buckets = buckets
        self._services = services
        self._restarts = restarts
        self._settings = settings

    def settings(self) -> dict[str, Any]:
        """Return how this MinIO is reached."""
        return dict(self._settings)

    async def register(self, service: str, token: str) -> None:  # noqa: ARG002 - jobs start without it
        """Restart, where restarts are wanted: which services there are is known without."""
        await self._restarts.restart(self._cluster)

    async def unregister(self, service: str) -> None:  # noqa: ARG002 - as above
        """Restart, where restarts are wanted."""
        await self._restarts.restart(self._cluster)

    async def buckets(self) -> list[str]:
        """Return the names of all buckets."""
        return sorted((await self._buckets.of(self._cluster)).values())

    async def tags(self, bucket: str) -> dict[str, str] | None:
        """Return a bucket's tags; None if it does not exist."""
        self._restarts.check(self._cluster)
        return await self._buckets.tags(await self._find(bucket))

    async def tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        """Replace a bucket's tags."""
        await self._buckets.tag(await self._find(bucket), tags)

    async def make(self, bucket: str) -> None:
        """Create a bucket."""
        self._restarts.check(self._cluster)
        await self._buckets.make(await self._find(bucket))

    async def add_folder(self, bucket: str, folder: str) -> None:
        """Create the object that stands for a folder."""
        await self._buckets.add_folder(await self._find(bucket), folder)

    async def notify(self, bucket: str, service: str, folder: str) -> None:
        """Report new objects in a folder to a service."""
        found, rule = await self._find(bucket), folder_rule(service, folder)
        await self._buckets.keep(replace(found, rules=(*(one for one in found.rules if one != rule), rule)))

    async def silence(self, bucket: str, service: str) -> None:
        """Report nothing in a bucket to a service any more."""
        found = await self._find(bucket)
        rules = tuple(rule for rule in found.rules if rule.service != service)
        if rules != found.rules:
            await self._buckets.keep(replace(found, rules=rules))

    async def page(self, bucket: str, start: str) -> tuple[list[StoredObject], str]:
        """Return a page of a bucket's objects, and where the next one starts."""
        return await self._buckets.page(await self._find(bucket), start)

    async def delete(self, bucket: str) -> None:
        """Delete a bucket with everything in it."""
        try:
            await self._buckets.wipe(await self._find(bucket))
        except ServiceError as error:
            raise StorageError(error.message) from None

    async def make_elsewhere(self, wanted: Place, definition: Definition) -> bool:
        """Create a bucket in the local cloud's S3, or another cluster's MinIO; servers elsewhere are left alone."""
        settings = definition["storage_providers"][wanted.kind][wanted.identifier]
        cluster = cluster_of(str(settings.get("access_key") or ""))
        if cluster is not None:
            other = await self._buckets.find(cluster, wanted.bucket)
            if await self._buckets.tags(other) is not None:
                return False
            await self._buckets.make(other)
            return True
        return True if settings.get("endpoint") else await self._buckets.make_in_s3(wanted.bucket)

    async def _find(self, bucket: str) -> StoredBucket:
        return await self._buckets.find(self._cluster, bucket)


def _not_deleted(bucket: str, what: str, answer: Response) -> ServiceError:
    reason = answer.body[:300].decode(errors="replace")
    message = f"bucket {bucket}: {what} could not be deleted; delete it yourself. The reason: {reason}"
    return ServiceError(HTTPStatus.CONFLICT, "BucketNotEmpty", message)


def _tags(document: bytes) -> dict[str, str]:
    return {tag.findtext("{*}Key", ""): tag.findtext("{*}Value", "") for tag in parsed(document).iterfind(".//{*}Tag")}
