"""The buckets that a service reads and writes: made where they are missing, as OSCAR does when a service is created."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import unescape

from scar_pulumi.local.asgi import Request, Response
from scar_pulumi.local.credentials import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.local.oscar import names
from scar_pulumi.local.oscar.definitions import OWN_STORAGE, DefinitionError, buckets
from scar_pulumi.local.upstream import Upstream, rest_request

_KEY = re.compile(r"<Key>([^<]*)</Key>")


def own_buckets(definition: Mapping[str, Any]) -> list[str]:
    """The buckets of the clusters' MinIO that a service reads or writes."""
    return list(dict.fromkeys(bucket for provider, bucket in buckets(definition, "minio") if provider == OWN_STORAGE))


class Buckets:
    """Makes buckets of the clusters' MinIO and of S3."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def provide(self, definition: Mapping[str, Any]) -> list[str]:
        """Make what is missing and return what was, in MinIO; a bucket that exists is taken as it is.

        Raises DefinitionError.
        """
        wanted = own_buckets(definition)
        made = [bucket for bucket in wanted if await self._make(f"{names.PREFIX}{bucket}", names.ACCOUNT)]
        for provider, bucket in dict.fromkeys(buckets(definition, "s3")):
            if "endpoint" not in definition["storage_providers"]["s3"][provider.partition(".")[2]]:
                await self._make(bucket, DEFAULT_ACCOUNT)
        return made

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

    async def _ask(self, method: str, bucket: str, account: str) -> Response:
        request: Request = rest_request("s3", method, f"/{bucket}", account=account, region=DEFAULT_REGION)
        return await self._upstream.request(request)
