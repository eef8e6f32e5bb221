"""Which cluster's MinIO a storage provider's name means, and how that of each cluster is reached on local stacks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from scar_foundation.directories import local_cloud_directory
from scar_pulumi.cloud import LocalCloud
from scar_pulumi.cloud.oscar import address
from scar_pulumi.fdl import Fdl


def with_local_storage(fdl: Fdl) -> Fdl:
    """Return the file with the local settings for the MinIO of each of its clusters, for the functions that use it.

    Other servers, such as one of the user's own on this machine, stay as they are.
    """
    if not (clusters := cluster_storages(fdl)):
        return fdl
    declared: Mapping[str, Mapping[str, Any]] = fdl.storage_providers.get("minio", {})
    minio = {**declared, **{name: local_storage(cluster) for name, cluster in clusters.items()}}
    return dataclasses.replace(fdl, storage_providers={**fdl.storage_providers, "minio": minio})


def cluster_storages(fdl: Fdl) -> dict[str, str]:
    """Return the names that functions have for the MinIO of a cluster of the file, each with the cluster."""
    used = {
        path.provider_id
        for function in fdl.functions
        for path in (*function.input, *function.output)
        if path.provider == "minio"
    }
    return {name: cluster for name in used if (cluster := storage_cluster(fdl, name))}


def storage_cluster(fdl: Fdl, name: str, own: str | None = None) -> str | None:
    """Return the cluster whose MinIO `minio.NAME` is for a service of the cluster `own`; None if it is nobody's.

    A cluster's MinIO has the cluster's id as its name, or the name under which its services read from it: no other
    server starts services. OSCAR calls the one beside it `default`.
    """
    if own is not None and name in ("default", own):
        return own
    if name in fdl.clusters or any(service.cluster == name for service in fdl.oscar):
        return name
    readers = [
        service.cluster
        for service in fdl.oscar
        if any((path.provider, path.provider_id) == ("minio", name) for path in service.input)
    ]
    return own if own in readers else next(iter(readers), None)


def uploading_providers(fdl: Fdl, cluster: str) -> list[str]:
    """Return the names of the providers with whose keys functions of the file write to a cluster's MinIO."""
    written = {path.provider_id for function in fdl.functions for path in function.output if path.provider == "minio"}
    return sorted(name for name, found in cluster_storages(fdl).items() if found == cluster and name in written)


def local_storage(cluster: str) -> dict[str, Any]:
    """Return the settings of the MinIO of a cluster of the local cloud."""
    return address.minio_settings(LocalCloud().environment()["AWS_ENDPOINT_URL"], local_cloud_directory(), cluster)
