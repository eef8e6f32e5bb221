"""OSCAR clusters and their services, as the outputs of a stack tell of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.client.storage_path import StoragePath, read_paths

MASKED = "[secret]"
"""What stands in outputs for a secret that was not asked for."""


@dataclass(frozen=True)
class Service:
    """A service on a cluster; `synchronous` when it answers calls, where others only take them."""

    cluster: str
    name: str
    synchronous: bool
    run_url: str
    job_url: str
    inputs: tuple[StoragePath, ...] = ()
    outputs: tuple[StoragePath, ...] = ()
    token: str = field(default=MASKED, repr=False)


@dataclass(frozen=True)
class Cluster:
    """A cluster, its storages by provider such as `minio.default`, and its services by name."""

    name: str
    endpoint: str
    user: str
    verify: bool
    services: Mapping[str, Service]
    password: str = field(default=MASKED, repr=False)
    storage: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_masked(self) -> bool:
        """Whether secrets have to be asked for before the cluster can be talked to."""
        return MASKED in (self.password, *(service.token for service in self.services.values()))


def read_clusters(outputs: Any) -> dict[str, Cluster]:
    """Read the output `oscar`; empty where there is none."""
    return {name: _cluster(name, entry) for name, entry in sorted((outputs or {}).items())}


def _cluster(name: str, entry: Mapping[str, Any]) -> Cluster:
    storage = entry.get("storage")
    return Cluster(
        name=name,
        endpoint=str(entry.get("endpoint") or "").rstrip("/"),
        user=str(entry.get("user") or ""),
        verify=entry.get("verify") is not False,
        services={service: _service(name, service, found) for service, found in (entry.get("services") or {}).items()},
        password=str(entry.get("password") or ""),
        storage=storage if isinstance(storage, Mapping) else {},
    )


def _service(cluster: str, name: str, entry: Mapping[str, Any]) -> Service:
    return Service(
        cluster=cluster,
        name=name,
        synchronous=bool(entry.get("synchronous")),
        run_url=str(entry.get("runUrl") or ""),
        job_url=str(entry.get("jobUrl") or ""),
        inputs=read_paths(entry.get("inputs")),
        outputs=read_paths(entry.get("outputs")),
        token=str(entry.get("token") or ""),
    )
