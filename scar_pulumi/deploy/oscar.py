"""The services of an FDL file on OSCAR clusters, and where the clusters are: given, deployed by the stack, or local."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pulumi
from pulumi import Input, Output, ResourceOptions

from scar_components import OscarService as Component
from scar_components.oscar_service.definition import ServiceStorage
from scar_components.oscar_service.service import OscarServiceArgs, checked_definition
from scar_foundation.directories import local_cloud_directory
from scar_foundation.errors import InputError
from scar_foundation.loopback import is_loopback
from scar_pulumi.cloud import LocalCloud, is_local_stack
from scar_pulumi.cloud.oscar import address
from scar_pulumi.deploy.arguments import script_file
from scar_pulumi.deploy.checks import check_clusters
from scar_pulumi.deploy.cluster_storage import cluster_storages, local_storage, storage_cluster, uploading_providers
from scar_pulumi.deploy.secrets import filled, known_text, with_values
from scar_pulumi.fdl import Fdl, OscarService, StoragePath

_CONNECTION = ("endpoint", "auth_user", "auth_password", "ssl_verify")
_LOCAL_KEYS = {"access_key": "test", "secret_key": "test", "region": "us-east-1"}
"""Credentials of the local cloud's S3, which accepts any."""
_ADMINISTRATORS_KEY = "minio"
"""The MinIO user whose Secret every installation of OSCAR has."""
_NEW_CLUSTER = 600
"""Seconds in which a new cluster has to answer at its address."""


@dataclass(frozen=True)
class Access:
    """How a cluster is reached.

    `storage` are the settings of its own MinIO, where they are known. `adopt` is whether existing services are taken
    over. `waits_for` is what has to exist before it answers.
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
        InputError: Something is missing; the message lists all of it.
    """
    names = list(dict.fromkeys(service.cluster for service in fdl.oscar))
    configured = pulumi.Config("scar").get_object("clusters") or {}
    check_clusters(pulumi.get_stack(), configured)
    known = {name: _settings(fdl, name, configured.get(name, {})) for name in names}
    if missing := [problem for name in names for problem in _missing_settings(name, known[name])]:
        raise InputError("\n".join(missing))
    return known


def declare_clusters(fdl: Fdl, settings: Mapping[str, Mapping[str, Any]]) -> dict[str, Access]:
    """Return how each cluster is reached; declare those that the stack deploys itself."""
    return {name: _access(fdl, name, known) for name, known in settings.items()}


def local_access(cluster: str) -> Access:
    """Return how a cluster of the local cloud is reached."""
    cloud = LocalCloud().environment()["AWS_ENDPOINT_URL"]
    return Access(
        endpoint=address.cluster_endpoint(cloud, cluster),
        username=address.USER,
        password=address.password(local_cloud_directory()),
        storage=local_storage(cluster),
    )


def _settings(fdl: Fdl, cluster: str, configured: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is known of a cluster; the stack's configuration wins over the file, as it is more specific.

    On local stacks only the configuration counts: the clusters in a file are real ones.
    """
    if is_local_stack(pulumi.get_stack()) or "deploy" in configured:
        return configured
    services = [service for service in fdl.oscar if service.cluster == cluster]
    given = [{key: getattr(service, key) for key in _CONNECTION} for service in services]
    sources = (fdl.clusters.get(cluster, {}), *given, configured)
    merged = {key: value for one in sources for key, value in one.items() if value not in (None, "")}
    return {**merged, "ssl_verify": all(one.get("ssl_verify", True) for one in sources)}


def _missing_settings(cluster: str, settings: Mapping[str, Any]) -> Iterable[str]:
    if "deploy" in settings or (is_local_stack(pulumi.get_stack()) and not settings.get("endpoint")):
        return
    for key in ("endpoint", "auth_password"):
        if not settings.get(key):
            yield (
                f"cluster '{cluster}': {key} is missing; add it below clusters.{cluster} in the file, or to "
                "scar:clusters in the stack's configuration"
            )


def _access(fdl: Fdl, cluster: str, settings: Mapping[str, Any]) -> Access:
    adopt = bool(settings.get("adopt", False))
    if "deploy" in settings:
        return _deployed(cluster, _with_uploaders(fdl, cluster, settings["deploy"]), adopt=adopt)
    if not settings.get("endpoint"):
        return local_access(cluster)
    _warn_of_uploaders(fdl, cluster)
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


def _with_uploaders(fdl: Fdl, cluster: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a cluster's arguments with the keys with which functions of the file write to its MinIO."""
    keys = [key for name in uploading_providers(fdl, cluster) if (key := _access_key(fdl, name))]
    found = list(dict.fromkeys([*arguments.get("uploaders", ()), *keys]))
    return {**arguments, "uploaders": found} if found else arguments


def _warn_of_uploaders(fdl: Fdl, cluster: str) -> None:
    for name in uploading_providers(fdl, cluster):
        if _access_key(fdl, name) != _ADMINISTRATORS_KEY:
            pulumi.log.warn(
                f"cluster '{cluster}': files of functions start jobs only if its namespace oscar-svc has a Secret "
                f"named like the access_key of storage_providers.minio.{name}; OSCAR makes none for MinIO's own users"
            )


def _access_key(fdl: Fdl, provider: str) -> str | None:
    settings = fdl.storage_providers.get("minio", {}).get(provider, {})
    return known_text(str(settings.get("access_key") or ""))


def _warn_of_clear_text(cluster: str, endpoint: Input[str]) -> None:
    if not isinstance(endpoint, str):
        return
    address = urlsplit(endpoint)
    if address.scheme == "http" and not is_loopback(address.hostname or ""):
        pulumi.log.warn(f"cluster '{cluster}': {endpoint} is not encrypted: others can read its password on the way")


def service_arguments(
    fdl: Fdl, service: OscarService, clusters: Mapping[str, Access], *, local: bool
) -> OscarServiceArgs:
    """Return the arguments of a service; `clusters` is how clusters are reached."""
    access = clusters[service.cluster]
    definition = {key: one for key, one in service.definition.items() if key not in ("storage_providers", "clusters")}
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
        "cluster": service.cluster,
        "service_name": service.name,
        "inputs": [effective_place(fdl, service, path, local=local) for path in service.input],
        "outputs": [effective_place(fdl, service, path, local=local) for path in service.output],
        "definition": definition,
        "adopt": access.adopt,
    }
    if access.waits_for:
        arguments["timeout"] = _NEW_CLUSTER
    if local and service.image_file:
        arguments["image_file"] = str(service.image_file)
    else:
        arguments["image"] = str(service.image)
    if script := script_file(service.script):
        arguments["script"] = script
    return arguments


def _is_own(service: OscarService, path: StoragePath) -> bool:
    # OSCAR calls the MinIO beside it `default`; the cluster's own id is another name of it.
    return path.provider_id in ("default", service.cluster)


def effective_place(fdl: Fdl, service: OscarService, path: StoragePath, *, local: bool) -> ServiceStorage:
    """Return a place as the service knows it: its cluster's own MinIO is `minio.default`."""
    is_own = path.provider == "minio" and (_is_own(service, path) or (local and _is_local_own(fdl, service, path)))
    provider = "minio.default" if is_own else f"{path.provider}.{path.provider_id}"
    return {"provider": provider, "path": str(path), "prefix": path.prefix, "suffix": path.suffix}


def _is_local_own(fdl: Fdl, service: OscarService, path: StoragePath) -> bool:
    """Whether a place is in the MinIO of the service's own cluster on local stacks: all but those of other clusters."""
    return storage_cluster(fdl, path.provider_id, service.cluster) in (None, service.cluster)


def _storage_providers(fdl: Fdl, service: OscarService, *, local: bool) -> dict[str, dict[str, dict[str, Input[Any]]]]:
    """Return the providers that the service uses, and no others: whoever may read its definition sees them."""
    found: dict[str, dict[str, dict[str, Input[Any]]]] = {}
    for kind, identifier in sorted(set(_used(fdl, service))):
        if kind == "minio" and identifier in ("default", service.cluster):
            continue
        settings = fdl.storage_providers.get(kind, {}).get(identifier)
        if local and kind == "s3":
            settings = _LOCAL_KEYS
        if local and kind == "minio":
            cluster = storage_cluster(fdl, identifier, service.cluster)
            settings = None if cluster in (None, service.cluster) else local_storage(str(cluster))
        if settings is not None:
            found.setdefault(kind, {})[identifier] = filled(settings)
    return found


def _used(fdl: Fdl, service: OscarService) -> Iterator[tuple[str, str]]:
    for path in (*service.input, *service.output):
        yield path.provider, path.provider_id
        if path.provider == "rucio":  # whose files are on WebDAV servers
            yield from (("webdav", name) for name in fdl.storage_providers.get("webdav", {}))
    if provider := (service.definition.get("mount") or {}).get("storage_provider"):
        kind, _, identifier = str(provider).partition(".")
        yield kind, identifier or "default"


def _clusters(fdl: Fdl, service: OscarService, known: Mapping[str, Access]) -> dict[str, dict[str, Input[Any]]]:
    """Return how the clusters are reached that jobs are delegated to."""
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


class DeclaredServices:
    """The services of a file: checked when this is made, declared when that is asked for."""

    def __init__(self, fdl: Fdl) -> None:
        """Check everything that can be known before anything is declared. Raises InputError or RunError."""
        self._fdl = fdl
        self._local = is_local_stack(pulumi.get_stack())
        self._settings = cluster_settings(fdl)
        nowhere = dict.fromkeys(self._settings, Access("", "", ""))
        for service in fdl.oscar:
            checked_definition(service.name, self._arguments(service, nowhere))

    def declare(self) -> dict[str, Any]:
        """Declare the services, readers of a bucket first, and return the stack's output `oscar`, a secret in parts."""
        clusters = declare_clusters(self._fdl, self._settings)
        made: dict[str, Component] = {}
        for service in creation_order(self._fdl):
            before = [made[other.path] for other in waits_for(service, self._fdl) if other.path in made]
            opts = ResourceOptions(depends_on=[*clusters[service.cluster].waits_for, *before])
            made[service.path] = Component(self._resource_name(service), self._arguments(service, clusters), opts)
        return {name: self._cluster_outputs(name, access, made) for name, access in clusters.items()}

    def _arguments(self, service: OscarService, clusters: Mapping[str, Access]) -> OscarServiceArgs:
        return service_arguments(self._fdl, service, clusters, local=self._local)

    def _resource_name(self, service: OscarService) -> str:
        namesakes = [other for other in self._fdl.oscar if other.name == service.name]
        return service.name if len(namesakes) == 1 else f"{service.cluster}-{service.name}"

    def _cluster_outputs(self, name: str, access: Access, made: Mapping[str, Component]) -> dict[str, Any]:
        services = [service for service in self._fdl.oscar if service.cluster == name]
        storages = {provider: Output.secret(known) for provider, known in self._storages(name, access).items()}
        return {
            "endpoint": access.endpoint,
            "user": access.username,
            "password": Output.secret(access.password),
            "verify": access.verify_certificate,
            **({"storage": storages} if storages else {}),
            "services": {service.name: self._service_outputs(service, made[service.path]) for service in services},
        }

    def _storages(self, cluster: str, access: Access) -> dict[str, Any]:
        """Return the MinIO servers that are known, under each of their names; the cluster's own is `minio.default`."""
        if self._local:
            return {"minio.default": access.storage, **dict(self._local_storages(cluster, access))}
        declared = self._fdl.storage_providers.get("minio", {})
        others = {f"minio.{name}": filled(settings) for name, settings in declared.items()}
        own = access.storage or others.get(f"minio.{cluster}")
        return {**others, **({"minio.default": own} if own else {})}

    def _local_storages(self, cluster: str, access: Access) -> Iterator[tuple[str, Any]]:
        """Yield the names by which a file of a local stack calls the MinIO of a cluster, or of another one."""
        paths = [path for service in self._fdl.oscar for path in (*service.input, *service.output)]
        names = {path.provider_id for path in paths if path.provider == "minio"} | set(cluster_storages(self._fdl))
        for name in sorted(names - {"default"}):
            owner = storage_cluster(self._fdl, name, cluster)
            is_own = owner in (None, cluster)
            yield f"minio.{name}", access.storage if is_own else local_storage(str(owner))

    def _service_outputs(self, service: OscarService, component: Component) -> dict[str, Any]:
        return {
            "inputs": [effective_place(self._fdl, service, path, local=self._local) for path in service.input],
            "outputs": [effective_place(self._fdl, service, path, local=self._local) for path in service.output],
            "token": component.token,
            "runUrl": component.run_url,
            "jobUrl": component.job_url,
            "exposedUrl": component.exposed_url,
            "synchronous": component.synchronous,
        }


def waits_for(service: OscarService, fdl: Fdl) -> list[OscarService]:
    """Return the services that read where a service writes: OSCAR watches only buckets that it makes."""
    written = _stores(fdl, service, "output") - _stores(fdl, service, "input")
    return [other for other in fdl.oscar if other is not service and _stores(fdl, other, "input") & written]


def _stores(fdl: Fdl, service: OscarService, direction: str) -> set[tuple[str | None, str]]:
    """Return the buckets of clusters' MinIO that a service reads (`input`) or writes (`output`), with the cluster."""
    paths: tuple[StoragePath, ...] = getattr(service, direction)
    found = {
        (storage_cluster(fdl, path.provider_id, service.cluster), path.bucket)
        for path in paths
        if path.provider == "minio"
    }
    return {(cluster, bucket) for cluster, bucket in found if cluster is not None}


def creation_order(fdl: Fdl) -> list[OscarService]:
    """Return the services in the order to create them: first those that others wait for, else as in the file."""
    done: list[OscarService] = []
    rest = list(fdl.oscar)
    while rest:
        ready = [one for one in rest if not any(other in rest for other in waits_for(one, fdl))]
        done += ready or rest[:1]  # a loop, which `allow_loop` permits, may start anywhere
        rest = [one for one in rest if one not in done]
    return done
