"""The buckets that a service reads and writes: made where they are missing, as OSCAR does when a service is created."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, unescape

from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.oscar import names
from scar_pulumi.cloud.oscar.definitions import OWN_STORAGE, DefinitionError, buckets
from scar_pulumi.cloud.signature import DEFAULT_ACCOUNT, DEFAULT_REGION

_KEY = re.compile(r"<Key>([^<]*)</Key>")
_NAME = re.compile(rf"<Name>{names.PREFIX}([^<]*)</Name>")
_TAG = re.compile(r"<Tag>\s*<Key>([^<]*)</Key>\s*<Value>([^<]*)</Value>")
_TAGGING = {"tagging": ""}


def own_buckets(definition: Mapping[str, Any]) -> list[str]:
    """The buckets of the clusters' MinIO that a service reads or writes."""
    return list(dict.fromkeys(bucket for provider, bucket in buckets(definition, "minio") if provider == OWN_STORAGE))


class Buckets:
    """Makes buckets of the clusters' MinIO and of S3."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def provide(self, cluster: str, definition: Mapping[str, Any]) -> None:
        """Make what is missing, with tags that say for which service; a bucket that exists is taken as it is.

        Raises DefinitionError.
        """
        for bucket in own_buckets(definition):
            if await self._make(f"{names.PREFIX}{bucket}", names.ACCOUNT):
                await self._tag(bucket, {"from_service": definition["name"], "cluster": cluster})
        for provider, bucket in dict.fromkeys(buckets(definition, "s3")):
            if "endpoint" not in definition["storage_providers"]["s3"][provider.partition(".")[2]]:
                await self._make(bucket, DEFAULT_ACCOUNT)

    async def all(self) -> list[str]:
        """The buckets of MinIO."""
        return _NAME.findall((await self._ask("GET", "", names.ACCOUNT)).body.decode())

    async def owner(self, bucket: str) -> tuple[str, str] | None:
        """Cluster and name of the service that a bucket was made for, empty if for none; None if there is no bucket."""
        if not (await self._ask("HEAD", f"{names.PREFIX}{bucket}", names.ACCOUNT)).succeeded:
            return None
        answer = await self._ask("GET", f"{names.PREFIX}{bucket}", names.ACCOUNT, query=_TAGGING)
        tags = _tags(answer.body) if answer.succeeded else {}
        return tags.get("cluster", ""), tags.get("from_service", "")

    async def wipe(self, bucket: str) -> None:
        """Delete a bucket of MinIO with everything in it."""
        path = f"{names.PREFIX}{bucket}"
        while keys := _KEY.findall((await self._ask("GET", path, names.ACCOUNT)).body.decode()):
            for key in keys:
                await self._ask("DELETE", f"{path}/{quote(unescape(key))}", names.ACCOUNT)
        await self._ask("DELETE", path, names.ACCOUNT)

    async def _make(self, bucket: str, account: str) -> bool:
        if (await self._ask("HEAD", bucket, account)).succeeded:
            return False
        answer = await self._ask("PUT", bucket, account)
        if not answer.succeeded and b"BucketAlreadyOwnedByYou" not in answer.body:
            name = bucket.removeprefix(names.PREFIX)
            raise DefinitionError(f"bucket {name}: cannot be made: {answer.body[:300].decode(errors='replace')}")
        return True

    async def _tag(self, bucket: str, tags: Mapping[str, str]) -> None:
        entries = "".join(f"<Tag><Key>{key}</Key><Value>{escape(value)}</Value></Tag>" for key, value in tags.items())
        body = f"<Tagging><TagSet>{entries}</TagSet></Tagging>".encode()
        await self._ask("PUT", f"{names.PREFIX}{bucket}", names.ACCOUNT, query=_TAGGING, body=body)

    async def _ask(
        self, method: str, bucket: str, account: str, *, query: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        request: Request = rest_request(
            "s3", method, f"/{bucket}", query=query, body=body, account=account, region=DEFAULT_REGION
        )
        return await self._upstream.request(request)


def _tags(document: bytes) -> dict[str, str]:
    return {unescape(key): unescape(value) for key, value in _TAG.findall(document.decode())}
