"""The buckets that a service reads and writes: made where they are missing, as OSCAR does when a service is created."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.local.asgi import Request, Response
from scar_pulumi.local.credentials import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.local.oscar import names
from scar_pulumi.local.oscar.definitions import OWN_STORAGE, DefinitionError, buckets
from scar_pulumi.local.upstream import Upstream, rest_request


class Buckets:
    """Makes buckets of the clusters' MinIO and of S3."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def provide(self, definition: Mapping[str, Any]) -> None:
        """Make what is missing; a bucket that exists is taken as it is. Raises DefinitionError."""
        for provider, bucket in dict.fromkeys(buckets(definition, "minio")):
            if provider == OWN_STORAGE:
                await self._make(f"{names.PREFIX}{bucket}", names.ACCOUNT)
        for provider, bucket in dict.fromkeys(buckets(definition, "s3")):
            if "endpoint" not in definition["storage_providers"]["s3"][provider.partition(".")[2]]:
                await self._make(bucket, DEFAULT_ACCOUNT)

    async def _make(self, bucket: str, account: str) -> None:
        if (await self._ask("HEAD", bucket, account)).succeeded:
            return
        answer = await self._ask("PUT", bucket, account)
        if not answer.succeeded and b"BucketAlreadyOwnedByYou" not in answer.body:
            name = bucket.removeprefix(names.PREFIX)
            raise DefinitionError(f"bucket {name}: cannot be made: {answer.body[:300].decode(errors='replace')}")

    async def _ask(self, method: str, bucket: str, account: str) -> Response:
        request: Request = rest_request("s3", method, f"/{bucket}", account=account, region=DEFAULT_REGION)
        return await self._upstream.request(request)
