"""The buckets that services leave in the storages of OSCAR clusters when their stack is destroyed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from scar_foundation.errors import ScarError
from scar_pulumi.client.outputs import DeployedCluster, StackOutputs, read_clusters
from scar_pulumi.deployments.stacks import revealed_outputs

if TYPE_CHECKING:
    from scar_pulumi.client.clients import Clients
    from scar_pulumi.engine import Stack


@dataclass(frozen=True)
class KeptBuckets:
    """Buckets of a cluster that still exist, or may: `doubt` says why the cluster does not tell; empty if it does."""

    cluster: str
    endpoint: str
    names: tuple[str, ...]
    doubt: str = ""


def remember_clusters(stack: "Stack", outputs: Mapping[str, Any]) -> list[DeployedCluster]:
    """Return a stack's clusters with their secrets, to ask them when the stack is gone; none for a local stack."""
    if stack.is_local or not StackOutputs.read_any(outputs).services():
        return []
    return list(read_clusters(revealed_outputs(stack).get("oscar")).values())


def kept_buckets(clusters: list[DeployedCluster], clients: Callable[[], "Clients"]) -> list[KeptBuckets]:
    """Ask clusters which of the buckets that their services used still exist."""
    found = [_kept(cluster, clients()) for cluster in clusters if own_buckets(cluster)]
    return [one for one in found if one.names]


def _kept(cluster: DeployedCluster, clients: "Clients") -> KeptBuckets:
    from scar_pulumi.client.oscar import ClusterClient  # noqa: PLC0415 - most stacks have no clusters

    try:
        existing = ClusterClient(cluster, clients).buckets()
    except ScarError as error:
        return KeptBuckets(cluster.name, cluster.endpoint, own_buckets(cluster), str(error))
    return KeptBuckets(cluster.name, cluster.endpoint, tuple(name for name in own_buckets(cluster) if name in existing))


def own_buckets(cluster: DeployedCluster) -> tuple[str, ...]:
    """Return the buckets of a cluster's own MinIO that its services read or write."""
    paths = [path for service in cluster.services.values() for path in (*service.inputs, *service.outputs)]
    own = [path.path for path in paths if path.provider in ("minio.default", f"minio.{cluster.name}")]
    return tuple(sorted({path.partition("/")[0] for path in own}))
