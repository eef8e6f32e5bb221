"""The way to OSCAR clusters and their storage: addresses and secrets of a deployed stack."""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli._target import DeployedStack, deployed_stacks, is_local, open_clients
from scar_pulumi.cli.console import Console
from scar_pulumi.client.objects import Location
from scar_pulumi.client.oscar import ClusterClient
from scar_pulumi.client.outputs import MASKED, DeployedCluster, read_clusters
from scar_pulumi.deployments.source_files import files_of

_OF_BUCKETS = ("minio", "s3")


def open_cluster(stack: DeployedStack, name: str, console: Console) -> ClusterClient:
    """Return a client of a stack's cluster; its secrets are asked for where the outputs do not hold them."""
    clients, cluster = open_clients(stack.name, console), stack.deployed.clusters[name]
    if is_local(stack.name) and (local := _on_this_machine(cluster)):
        return ClusterClient(local, clients)
    return ClusterClient(_revealed(stack, console).get(name, cluster) if cluster.is_masked else cluster, clients)


def open_storage(location: Location, arguments: argparse.Namespace, console: Console) -> Any:
    """Return an S3 client for a place: of the account, or of the provider that it names.

    Raises:
        InputError: The provider is unknown, or files in it cannot be moved with S3's interface.
    """
    clients = open_clients(arguments.stack, console)
    kind = location.provider.partition(".")[0]
    if not kind or (kind == "s3" and is_local(arguments.stack)):
        return clients.client("s3")
    if kind not in _OF_BUCKETS:
        raise InputError(f"{location}: files in storage of type {kind} are moved with its own tools; functions do it")
    return clients.storage(_settings(location.provider, arguments, console))


def _settings(provider: str, arguments: argparse.Namespace, console: Console) -> Mapping[str, Any]:
    """Return the settings of a provider; `minio.default` is the storage of the one cluster, `minio.ID` that of ID."""
    found = {client.cluster.name: client for client in _clients(arguments, console)}
    kind, _, identifier = provider.partition(".")
    known = {name: settings for name, client in found.items() if (settings := _of_cluster(client, provider))}
    if kind == "minio" and identifier in found:
        return known.get(identifier) or found[identifier].storage()
    distinct = {(settings.get("endpoint"), settings.get("access_key")) for settings in known.values()}
    if len(distinct) > 1:
        names = ", ".join(f"minio.{name}" for name in known)
        raise InputError(f"{provider}: several clusters have one; write {names}")
    if not known and kind == "minio" and is_local(arguments.stack):
        return local_storage()
    if not known:
        clusters = f"; the clusters are {', '.join(found)}" if found else ""
        raise InputError(f"{provider}: no deployed stack has such a storage{clusters}")
    return next(iter(known.values()))


def local_storage() -> dict[str, Any]:
    """Return the settings of the MinIO that all clusters of the local cloud have."""
    from scar_foundation.directories import local_cloud_directory  # noqa: PLC0415 - only local stacks need it
    from scar_pulumi.cloud import LocalCloud  # noqa: PLC0415
    from scar_pulumi.cloud.oscar import address  # noqa: PLC0415

    return {
        "endpoint": address.minio_endpoint(LocalCloud().environment()["AWS_ENDPOINT_URL"]),
        "region": address.REGION,
        "access_key": address.USER,
        "secret_key": address.password(local_cloud_directory()),
    }


def _of_cluster(client: ClusterClient, provider: str) -> Mapping[str, Any]:
    settings = client.cluster.storage.get(provider)
    if isinstance(settings, Mapping) and MASKED not in settings.values():
        return settings
    return client.storage() if provider == "minio.default" else {}


def _clients(arguments: argparse.Namespace, console: Console) -> Iterator[ClusterClient]:
    for stack in deployed_stacks(argparse.Namespace(stack=arguments.stack, fdl=None, project=None)):
        for name in stack.deployed.clusters:
            yield open_cluster(stack, name, console)


def _on_this_machine(cluster: DeployedCluster) -> DeployedCluster | None:
    """Return a cluster of the local cloud, where that is now, with its password; None for one elsewhere."""
    from scar_foundation.directories import local_cloud_directory  # noqa: PLC0415 - only local stacks need it
    from scar_pulumi.cloud import LocalCloud  # noqa: PLC0415
    from scar_pulumi.cloud.oscar.address import OSCAR_PATH, USER, cluster_endpoint, password  # noqa: PLC0415

    address = urlsplit(cluster.endpoint)
    if address.hostname != "127.0.0.1" or not address.path.startswith(f"{OSCAR_PATH}/"):
        return None
    endpoint = cluster_endpoint(LocalCloud().environment()["AWS_ENDPOINT_URL"], address.path.rpartition("/")[2])
    services = {
        name: replace(service, run_url=f"{endpoint}/run/{name}", job_url=f"{endpoint}/job/{name}", token="")
        for name, service in cluster.services.items()
    }
    secret = password(local_cloud_directory())
    return replace(cluster, endpoint=endpoint, user=USER, password=secret, services=services, storage={})


def _revealed(stack: DeployedStack, console: Console) -> dict[str, DeployedCluster]:
    """Return the stack's clusters with their secrets, which takes the engine and the stack's passphrase or key."""
    from scar_pulumi.cloud import LocalCloud  # noqa: PLC0415
    from scar_pulumi.engine import Stack  # noqa: PLC0415 - takes a second

    for file in [None, *files_of(stack.name)]:
        try:
            found = Stack(file, stack.name, cloud=LocalCloud() if is_local(stack.name) else None)
            if found.project == stack.project:
                with console.progress("reading the stack's secrets"):
                    return read_clusters(found.outputs(show_secrets=True).get("oscar"))
        except InputError:  # in no project, or the file is gone
            continue
    raise ScarError(
        f"stack {stack.name} of project {stack.project}: its secrets cannot be read from here; "
        "run this in the project's directory"
    )
