"""The local OSCAR clusters: their parts, put together, started and stopped in order."""

from functools import cache, partial
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.ecr.image_store import ImageStore
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.oscar.address import minio_settings, password
from scar_pulumi.cloud.oscar.api import OscarApi
from scar_pulumi.cloud.oscar.buckets import Buckets, LocalStorage
from scar_pulumi.cloud.oscar.cluster import LocalCluster
from scar_pulumi.cloud.oscar.containers import Containers
from scar_pulumi.cloud.oscar.job_queue import Calls, JobQueue
from scar_pulumi.cloud.oscar.minio import Minio
from scar_pulumi.cloud.oscar.restarts import Restarts, wanted_seconds
from scar_pulumi.cloud.oscar.service_images import ServiceImages
from scar_pulumi.cloud.oscar.store import Jobs, Services, StoredBuckets
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
        self._storage = partial(minio_settings, endpoint, root)
        self._services = Services(database)
        self._stored_buckets = StoredBuckets(database)
        self._jobs = Jobs(database, directory / "jobs")
        containers = Containers(runner, endpoint, self._services, self._storage)
        self._queue = JobQueue(self._jobs, self._services, containers)
        self._calls = Calls(directory / "calls", containers)
        self._images = ServiceImages(images)
        self._buckets = Buckets(upstream, self._stored_buckets, self._services)
        self._restarts = Restarts(wanted_seconds())
        self.api = OscarApi(cache(self._cluster), secret)
        self.minio = Minio(
            upstream,
            parts,
            endpoint=endpoint,
            password=secret,
            buckets=self._buckets,
            services=self._services,
            restarts=self._restarts,
            arrived=self._arrived,
        )

    def start(self) -> None:
        """Go on with the jobs of an earlier daemon."""
        self._queue.start()

    async def close(self) -> None:
        """Stop; unfinished jobs stay."""
        await self._restarts.close()
        await self._queue.close()

    def describe(self) -> dict[str, Any]:
        """Return how many services there are, how many jobs of each status, and which clusters have something."""
        services = self._services.all()
        used = {one.cluster for one in services} | {one.cluster for one in self._stored_buckets.all()}
        return {"services": len(services), "jobs": self._jobs.counts(), "clusters": sorted(used)}

    def _cluster(self, name: str) -> LocalCluster:
        storage = LocalStorage(name, self._buckets, self._services, self._restarts, self._storage(name))
        return LocalCluster(
            name,
            storage=storage,
            services=self._services,
            images=self._images,
            jobs=self._jobs,
            queue=self._queue,
            calls=self._calls,
        )

    async def _arrived(self, cluster: str, names: list[str], event: bytes) -> None:
        found = (self._services.find(cluster, name) for name in names)
        await self._queue.put([service for service in found if service], event)
