"""What the OscarService component takes, of what FDL says of a service."""

from collections.abc import Iterator, Mapping
from typing import Any

from pulumi import Input

from scar_components.function_arguments import FunctionStorage
from scar_components.oscar_service import OscarServiceArgs
from scar_pulumi.deploy.clusters import Access
from scar_pulumi.deploy.reference_values import with_values
from scar_pulumi.deploy.service_images import service_image
from scar_pulumi.deploy.storage_paths import function_storage
from scar_pulumi.fdl import Fdl, OscarService, StoragePath

_ARGUMENTS = ("name", "image", "input", "output", "storage_providers", "clusters")
_LOCAL_KEYS = {"access_key": "test", "secret_key": "test", "region": "us-east-1"}
"""Credentials of the local cloud's S3, which takes any."""
_NEW_CLUSTER = 600
"""Seconds that a cluster which has just been made may take to answer under its address."""


def service_arguments(
    fdl: Fdl, service: OscarService, clusters: Mapping[str, Access], *, local: bool
) -> OscarServiceArgs:
    """Return the arguments of a service; `clusters` is how clusters are reached."""
    access, image = clusters[service.cluster], service_image(service, local=local)
    definition = {key: value for key, value in service.definition.items() if key not in _ARGUMENTS}
    definition |= {key: value for key, value in image.items() if key != "image"}
    if environment := service.definition.get("environment"):
        definition["environment"] = {kind: with_values(values) for kind, values in environment.items()}
    if providers := _storage_providers(fdl, service, local=local):
        definition["storage_providers"] = providers
    if others := _clusters(fdl, service, clusters):
        definition["clusters"] = others
    arguments: OscarServiceArgs = {
        "endpoint": access.endpoint,
        "username": access.username,
        "password": access.password,
        "verify_certificate": access.verify_certificate,
        "service_name": service.name,
        "image": image["image"],
        "inputs": [effective_place(service, path, local=local) for path in service.input],
        "outputs": [effective_place(service, path, local=local) for path in service.output],
        "definition": definition,
        "adopt": access.adopt,
    }
    if access.waits_for:
        arguments["timeout"] = _NEW_CLUSTER
    if service.script:
        arguments["script"] = str(service.script)
    return arguments


def own_buckets(service: OscarService, direction: str) -> set[str]:
    """Return the buckets of the cluster's own MinIO that a service reads (`input`) or writes (`output`)."""
    paths: tuple[StoragePath, ...] = getattr(service, direction)
    return {path.bucket for path in paths if path.provider == "minio" and _is_own(service, path)}


def filled(settings: Mapping[str, Any]) -> dict[str, Input[Any]]:
    """Return settings with what their references stand for."""
    texts = {key: value for key, value in settings.items() if isinstance(value, str)}
    return {**settings, **with_values(texts)}


def _is_own(service: OscarService, path: StoragePath) -> bool:
    # OSCAR calls the MinIO beside it `default`; the cluster's own id is another name of it.
    return path.provider_id in ("default", service.cluster)


def effective_place(service: OscarService, path: StoragePath, *, local: bool) -> FunctionStorage:
    """Return a place as the service knows it: its cluster's own MinIO is `minio.default`."""
    place = function_storage(path)
    if path.provider == "minio" and (_is_own(service, path) or local):
        place["provider"] = "minio.default"
    place.pop("per_request", None)
    return place


def _storage_providers(fdl: Fdl, service: OscarService, *, local: bool) -> dict[str, dict[str, dict[str, Input[Any]]]]:
    """The providers that the service uses, and no others: whoever may read its definition sees them."""
    found: dict[str, dict[str, dict[str, Input[Any]]]] = {}
    for kind, identifier in sorted(set(_used(service))):
        if kind == "minio" and (local or identifier in ("default", service.cluster)):
            continue
        settings = fdl.storage_providers.get(kind, {}).get(identifier)
        if local and kind == "s3":
            settings = _LOCAL_KEYS
        if settings is not None:
            found.setdefault(kind, {})[identifier] = filled(settings)
    return found


def _used(service: OscarService) -> Iterator[tuple[str, str]]:
    for path in (*service.input, *service.output):
        yield path.provider, path.provider_id
    if provider := (service.definition.get("mount") or {}).get("storage_provider"):
        kind, _, identifier = str(provider).partition(".")
        yield kind, identifier or "default"


def _clusters(fdl: Fdl, service: OscarService, known: Mapping[str, Access]) -> dict[str, dict[str, Input[Any]]]:
    """How the clusters are reached that jobs are delegated to."""
    federation = service.definition.get("federation") or {}
    members = (*(federation.get("members") or ()), *(service.definition.get("replicas") or ()))
    wanted = {str(member["cluster_id"]) for member in members if member.get("cluster_id")}
    found: dict[str, dict[str, Input[Any]]] = {}
    for name in sorted(wanted):
        if name in known:
            access = known[name]
            found[name] = {
                "endpoint": access.endpoint,
                "auth_user": access.username,
                "auth_password": access.password,
                "ssl_verify": access.verify_certificate,
            }
        elif name in fdl.clusters:
            found[name] = filled(fdl.clusters[name])
    return found
