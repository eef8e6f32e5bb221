"""The local OSCAR clusters: their parts, put together, started and stopped in order."""

from pathlib import Path
from typing import Any

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.ecr.image_store import ImageStore
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.oscar.address import minio_endpoint, password
from scar_pulumi.cloud.oscar.api import OscarApi, storage_settings
from scar_pulumi.cloud.oscar.buckets import Buckets
from scar_pulumi.cloud.oscar.containers import Containers
from scar_pulumi.cloud.oscar.definitions import starts
from scar_pulumi.cloud.oscar.job_queue import Calls, JobQueue
from scar_pulumi.cloud.oscar.minio import Minio
from scar_pulumi.cloud.oscar.service_changes import ServiceChanges, ServiceImages
from scar_pulumi.cloud.oscar.store import Jobs, Services
from scar_pulumi.cloud.runner import Runner
from scar_pulumi.cloud.s3.ranged_reads import RangedReads


class OscarClusters:
    """The clusters of the local cloud at `endpoint`, whose state directory is `root`."""

    def __init__(
        self,
        database: Database,
        root: Path,
        endpoint: str,
        *,
        upstream: Upstream,
        images: ImageStore,
        runner: Runner,
        parts: RangedReads,
    ) -> None:
        directory, secret = root / "oscar", password(root)
        storage = minio_endpoint(endpoint)
        containers = Containers(runner, endpoint)
        self._services = Services(database)
        self._jobs = Jobs(database, directory / "jobs")
        self._queue = JobQueue(self._jobs, self._services, containers)
        calls = Calls(directory / "calls", containers)
        buckets = Buckets(upstream)
        changes = ServiceChanges(
            services=self._services,
            images=ServiceImages(images),
            buckets=buckets,
            jobs=self._jobs,
            queue=self._queue,
            minio=storage_settings(storage, secret),
        )
        self.api = OscarApi(
            services=self._services,
            jobs=self._jobs,
            queue=self._queue,
            calls=calls,
            changes=changes,
            buckets=buckets,
            endpoint=endpoint,
            password=secret,
        )
        self.minio = Minio(upstream, parts, endpoint=storage, secret=secret, arrived=self._arrived)

    def start(self) -> None:
        """Go on with the jobs of an earlier daemon."""
        self._queue.start()

    async def close(self) -> None:
        """Stop; unfinished jobs stay."""
        await self._queue.close()

    def describe(self) -> dict[str, Any]:
        """Return how many services there are, and how many jobs of each status."""
        return {"services": len(self._services.all()), "jobs": self._jobs.counts()}

    async def _arrived(self, bucket: str, key: str, event: bytes) -> None:
        await self._queue.put((one for one in self._services.all() if starts(one.definition, bucket, key)), event)
