"""The MinIO of the local cloud's clusters in place of those that a file means, on local stacks."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from scar_pulumi.deploy.clusters import local_storage
from scar_pulumi.fdl import Fdl


def with_local_storage(fdl: Fdl) -> Fdl:
    """Return the file with the local settings for the MinIO of each of its clusters, for the functions that use it.

    A cluster's MinIO goes by the cluster's id, or by the name under which its services read from it: OSCAR is started
    by no other. What else is declared, such as a server of the user's own on this machine, stays as it is.
    """
    if not (identifiers := cluster_storages(fdl)):
        return fdl
    declared: Mapping[str, Mapping[str, Any]] = fdl.storage_providers.get("minio", {})
    minio = {**declared, **dict.fromkeys(identifiers, local_storage())}
    return dataclasses.replace(fdl, storage_providers={**fdl.storage_providers, "minio": minio})


def cluster_storages(fdl: Fdl) -> set[str]:
    """Return the names that functions have for the MinIO of a cluster of the file."""
    clusters = {service.cluster for service in fdl.oscar} | set(fdl.clusters)
    read = {path.provider_id for service in fdl.oscar for path in service.input if path.provider == "minio"}
    used = {
        path.provider_id
        for function in fdl.functions
        for path in (*function.input, *function.output)
        if path.provider == "minio"
    }
    return used & (clusters | read)
