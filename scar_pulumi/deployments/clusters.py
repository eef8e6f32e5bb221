"""The way to OSCAR clusters and their storage: addresses and secrets of a deployed stack."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit

from scar_foundation.directories import local_cloud_directory
from scar_foundation.errors import InputError, ScarError
from scar_pulumi import engine
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.objects import Location
from scar_pulumi.client.oscar import ClusterClient
from scar_pulumi.client.outputs import MASKED, DeployedCluster, read_clusters
from scar_pulumi.cloud import LocalCloud, is_local_stack
from scar_pulumi.cloud.oscar import address
from scar_pulumi.deployments.source_files import files_of
from scar_pulumi.deployments.stacks import DeployedStack, revealed_outputs

_S3_COMPATIBLE = ("minio", "s3")


def open_cluster(
    stack: DeployedStack, name: str, clients: Clients, progress: Callable[[str], None] = lambda _line: None
) -> ClusterClient:
    """Return a client of a stack's cluster; its secrets are read from the stack's state where the outputs mask them.

    Raises:
        ScarError: The secrets cannot be read from here.
    """
    cluster = stack.outputs.clusters[name]
    if is_local_stack(stack.name) and (local := _on_this_machine(cluster)):
        return ClusterClient(local, clients)
    if cluster.is_masked:
        progress(f"reading the secrets of stack {stack.name}")
        cluster = _revealed(stack).get(name, cluster)
    return ClusterClient(cluster, clients)


def storage_settings(
    location: Location,
    stacks: Iterable[DeployedStack],
    clients: Clients,
    progress: Callable[[str], None],
    *,
    is_local: bool,
) -> Mapping[str, Any]:
    """Return the settings of a provider; `minio.default` is the storage of the one cluster, `minio.ID` that of ID.

    `stacks` are all deployed stacks of one name. Clusters of the local cloud that no stack has any more are known, too:
    their files outlive the stacks.

    Raises:
        InputError: The provider is unknown or ambiguous, or has no S3 interface.
    """
    provider = location.provider
    kind, _, identifier = provider.partition(".")
    if kind not in _S3_COMPATIBLE:
        raise InputError(f"{location}: storage of type {kind} has no S3 interface; use its own tools for its files")
    clusters = [open_cluster(stack, name, clients, progress) for stack in stacks for name in stack.outputs.clusters]
    known = {one.cluster.name: settings for one in clusters if (settings := _of_cluster(one, provider))}
    for client in clusters:
        if kind == "minio" and client.cluster.name == identifier:
            return known.get(identifier) or client.storage()
    if not known and kind == "minio" and is_local:
        return _left_behind(location, identifier)
    return _only_one(provider, known, [client.cluster.name for client in clusters])


def local_storage(cluster: str) -> dict[str, Any]:
    """Return the settings of the MinIO of a cluster of the local cloud."""
    return address.minio_settings(LocalCloud().environment()["AWS_ENDPOINT_URL"], local_cloud_directory(), cluster)


def _left_behind(location: Location, identifier: str) -> Mapping[str, Any]:
    """Return the settings of the MinIO of a local cluster that is on no stack; `default` is that of the only one."""
    status = LocalCloud().status()
    names = (status.details["oscar"].get("clusters") or []) if status else []
    if identifier in names:
        return local_storage(identifier)
    if identifier == "default" and len(names) == 1:
        return local_storage(names[0])
    hint = f"write {', '.join(f'minio.{name}' for name in names)}" if names else "`scar-pulumi up FILE` makes one"
    raise InputError(f"{location}: the local cloud has no such cluster; {hint}")


def _only_one(provider: str, known: Mapping[str, Mapping[str, Any]], clusters: list[str]) -> Mapping[str, Any]:
    if len({(settings.get("endpoint"), settings.get("access_key")) for settings in known.values()}) > 1:
        names = ", ".join(f"minio.{name}" for name in known)
        raise InputError(f"{provider}: several clusters have one; write {names}")
    if not known:
        hint = f"; the clusters are {', '.join(clusters)}" if clusters else ""
        raise InputError(f"{provider}: no deployed stack has such a storage{hint}")
    return next(iter(known.values()))


def _of_cluster(client: ClusterClient, provider: str) -> Mapping[str, Any]:
    settings = client.cluster.storage.get(provider)
    if isinstance(settings, Mapping) and MASKED not in settings.values():
        return settings
    return client.storage() if provider == "minio.default" else {}


def _on_this_machine(cluster: DeployedCluster) -> DeployedCluster | None:
    """Return a cluster of the local cloud at its present address, with its password; None for one elsewhere."""
    found = urlsplit(cluster.endpoint)
    if found.hostname != "127.0.0.1" or not found.path.startswith(f"{address.OSCAR_PATH}/"):
        return None
    name = unquote(found.path.rpartition("/")[2])
    endpoint = address.cluster_endpoint(LocalCloud().environment()["AWS_ENDPOINT_URL"], name)
    services = {
        name: replace(service, run_url=f"{endpoint}/run/{name}", job_url=f"{endpoint}/job/{name}", token="")
        for name, service in cluster.services.items()
    }
    secret = address.password(local_cloud_directory())
    # What the stack remembers is of another port, perhaps; the names of other clusters are looked for first.
    storage = dict.fromkeys(cluster.storage, local_storage(name))
    return replace(cluster, endpoint=endpoint, user=address.USER, password=secret, services=services, storage=storage)


def _revealed(stack: DeployedStack) -> dict[str, DeployedCluster]:
    """Return the stack's clusters with their secrets, which takes the engine and the stack's passphrase or key."""
    for file in [None, *files_of(stack.name)]:
        try:
            found = engine.Stack(file, stack.name)
            if found.project == stack.project:
                return read_clusters(revealed_outputs(found).get("oscar"))
        except InputError:  # this directory is in no project, or the file is gone
            continue
    raise ScarError(
        f"stack {stack.name} of project {stack.project}: its secrets cannot be read from here; "
        "run this in the project's directory"
    )
