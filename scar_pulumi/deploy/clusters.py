"""Where the OSCAR clusters of an FDL file are: in the file, in the stack's configuration, deployed here, or local."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi import Input

from scar_foundation.directories import state_directory
from scar_foundation.errors import InputError
from scar_foundation.loopback import is_loopback
from scar_pulumi.cloud import LocalCloud, is_local_stack
from scar_pulumi.cloud.oscar import address
from scar_pulumi.deploy.configuration import check_clusters
from scar_pulumi.deploy.reference_values import with_values
from scar_pulumi.fdl import Fdl

_CONNECTION = ("endpoint", "auth_user", "auth_password", "ssl_verify")


@dataclass(frozen=True)
class Access:
    """How a cluster is reached.

    `storage` are the settings of its own MinIO, where they are known; `adopt` is whether services of others are taken
    over; `waits_for` is what has to be there before it answers.
    """

    endpoint: Input[str]
    username: Input[str]
    password: Input[str] = field(repr=False)
    verify_certificate: bool = True
    storage: Mapping[str, Input[Any]] | None = field(default=None, repr=False)
    adopt: bool = False
    waits_for: tuple[pulumi.Resource, ...] = ()


def cluster_settings(fdl: Fdl) -> dict[str, Mapping[str, Any]]:
    """Return what is known of each cluster of the file's services. Nothing is declared.

    Raises:
        InputError: Something is missing; all of it is told at once.
    """
    names = list(dict.fromkeys(service.cluster for service in fdl.oscar))
    configured = pulumi.Config("scar").get_object("clusters") or {}
    check_clusters(pulumi.get_stack(), configured)
    known = {name: _settings(fdl, name, configured.get(name, {})) for name in names}
    if missing := [problem for name in names for problem in _missing(name, known[name])]:
        raise InputError("\n".join(missing))
    return known


def declare_clusters(settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Access]:
    """Return how each cluster is reached; declare those that the stack deploys itself."""
    return {name: _access(name, known) for name, known in settings.items()}


def local_access(cluster: str) -> Access:
    """How a cluster of the local cloud is reached."""
    cloud = LocalCloud().environment()["AWS_ENDPOINT_URL"]
    return Access(
        endpoint=address.cluster_endpoint(cloud, cluster),
        username=address.USER,
        password=_local_password(),
        storage=local_storage(),
    )


def local_storage() -> dict[str, Any]:
    """The settings of the MinIO of the local cloud's clusters."""
    return {
        "endpoint": address.minio_endpoint(LocalCloud().environment()["AWS_ENDPOINT_URL"]),
        "access_key": address.USER,
        "secret_key": _local_password(),
        "region": address.REGION,
        "verify": False,
    }


def _local_password() -> str:
    return address.password(state_directory() / "local")


def _settings(fdl: Fdl, cluster: str, configured: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of a cluster: the stack's configuration counts more than the file, as it is the more particular.

    On local stacks only the configuration counts: what a file says of a real cluster is not for trying it out.
    """
    if is_local_stack(pulumi.get_stack()) or "deploy" in configured:
        return configured
    services = [service for service in fdl.oscar if service.cluster == cluster]
    given = [{key: getattr(service, key) for key in _CONNECTION} for service in services]
    merged: dict[str, Any] = {}
    for values in (fdl.clusters.get(cluster, {}), *given, configured):
        merged |= {key: value for key, value in values.items() if value not in (None, "")}
    merged["ssl_verify"] = all(
        values.get("ssl_verify", True) for values in (fdl.clusters.get(cluster, {}), *given, configured)
    )
    return merged


def _missing(cluster: str, settings: Mapping[str, Any]) -> Iterable[str]:
    if "deploy" in settings or (is_local_stack(pulumi.get_stack()) and not settings.get("endpoint")):
        return
    for key in ("endpoint", "auth_password"):
        if not settings.get(key):
            yield (
                f"cluster '{cluster}': {key} is missing; give it below clusters.{cluster} in the file, or in the "
                "stack's configuration, scar:clusters"
            )


def _access(cluster: str, settings: Mapping[str, Any]) -> Access:
    adopt = bool(settings.get("adopt", False))
    if "deploy" in settings:
        return _deployed(cluster, settings["deploy"], adopt=adopt)
    if not settings.get("endpoint"):
        return local_access(cluster)
    texts = with_values({key: str(settings[key]) for key in _CONNECTION[:3] if key in settings})
    _warn_of_clear_text(cluster, texts["endpoint"])
    return Access(
        endpoint=texts["endpoint"],
        username=texts.get("auth_user", "oscar"),
        password=texts["auth_password"],
        verify_certificate=bool(settings.get("ssl_verify", True)),
        adopt=adopt,
    )


def _deployed(cluster: str, arguments: Mapping[str, Any], *, adopt: bool) -> Access:
    from scar_components import OscarCluster  # noqa: PLC0415 - brings pulumi-kubernetes, which takes seconds

    made = OscarCluster(cluster, arguments)  # type: ignore[arg-type] # it checks what the configuration says
    storage = {
        "endpoint": made.minio_endpoint,
        "access_key": made.minio_access_key,
        "secret_key": made.minio_secret_key,
    }
    return Access(made.endpoint, made.username, made.password, storage=storage, adopt=adopt, waits_for=(made,))


def _warn_of_clear_text(cluster: str, endpoint: Input[str]) -> None:
    if not isinstance(endpoint, str):
        return
    address = urlsplit(endpoint)
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        pulumi.log.warn(f"cluster '{cluster}': {endpoint} is not encrypted: everybody on the way can read its password")
