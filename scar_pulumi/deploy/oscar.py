"""The services of an FDL file on OSCAR clusters."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
from pulumi import Output, ResourceOptions

from scar_components import OscarService as Component
from scar_components.oscar_service import OscarServiceArgs, checked_definition
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deploy.clusters import Access, cluster_settings, declare_clusters
from scar_pulumi.deploy.local_storage import cluster_storages
from scar_pulumi.deploy.services import effective_place, filled, own_buckets, service_arguments
from scar_pulumi.fdl import Fdl, OscarService


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
        clusters = declare_clusters(self._settings)
        made: dict[str, Component] = {}
        for service in creation_order(self._fdl.oscar):
            before = [made[other.path] for other in waits_for(service, self._fdl.oscar) if other.path in made]
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
        """The MinIO servers that are known, under each of their names; the cluster's own is `minio.default`."""
        if self._local:
            return dict.fromkeys(["minio.default", *(f"minio.{name}" for name in self._names())], access.storage)
        declared = self._fdl.storage_providers.get("minio", {})
        others = {f"minio.{name}": filled(settings) for name, settings in declared.items()}
        own = access.storage or others.get(f"minio.{cluster}")
        return {**others, **({"minio.default": own} if own else {})}

    def _names(self) -> list[str]:
        """What a file of a local stack calls the one MinIO there is."""
        paths = [path for service in self._fdl.oscar for path in (*service.input, *service.output)]
        names = {path.provider_id for path in paths if path.provider == "minio"} | cluster_storages(self._fdl)
        return sorted(names - {"default"})

    def _service_outputs(self, service: OscarService, component: Component) -> dict[str, Any]:
        return {
            "inputs": [effective_place(service, path, local=self._local) for path in service.input],
            "outputs": [effective_place(service, path, local=self._local) for path in service.output],
            "token": component.token,
            "runUrl": component.run_url,
            "jobUrl": component.job_url,
            "exposedUrl": component.exposed_url,
            "synchronous": component.synchronous,
        }


def waits_for(service: OscarService, services: Sequence[OscarService]) -> list[OscarService]:
    """Return the services of the same cluster that read where a service writes: OSCAR watches only buckets it makes."""
    written = own_buckets(service, "output") - own_buckets(service, "input")
    return [
        other
        for other in services
        if other is not service and other.cluster == service.cluster and own_buckets(other, "input") & written
    ]


def creation_order(services: Sequence[OscarService]) -> list[OscarService]:
    """Return the services so that those come first that others wait for; in the file's order where nothing says."""
    done: list[OscarService] = []
    rest = list(services)
    while rest:
        ready = [one for one in rest if not any(other in rest for other in waits_for(one, services))]
        done += ready or rest[:1]  # a circle, which the file allows with `allow_loop`, begins anywhere
        rest = [one for one in rest if one not in done]
    return done
