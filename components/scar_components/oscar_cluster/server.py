"""OSCAR's own server: its environment, Secret, ConfigMap, Deployment and Service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scar_components.oscar_cluster import objects
from scar_components.oscar_cluster.arguments import (
    KueueArgs,
    OidcArgs,
    OscarClusterArgs,
    ResourcesArgs,
    ServerServiceArgs,
)
from scar_components.oscar_cluster.objects import (
    CONFIGURATION,
    OSCAR,
    PATCH_FORCE,
    PORT,
    SERVER_SECRET,
    SERVICE_ACCOUNT,
    SERVICES_NAMESPACE,
    Manifest,
    app_labels,
    metadata,
)

VERSION = "4.1.2"
DEFAULT_NODE_PORT = 30301
_USER = 10001


def server_image(args: OscarClusterArgs) -> Any:
    """Return the image of the server, by default pinned to a version."""
    return args.get("image", f"ghcr.io/grycap/oscar:{args.get('version', VERSION)}")


@dataclass(frozen=True)
class Server:
    """The objects of the server."""

    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    node_autoscaling: bool = True

    def secret(self, variables: Mapping[str, Any]) -> Manifest:
        """Return the Secret with the secret variables."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(SERVER_SECRET, OSCAR, labels=self._labels),
            "stringData": dict(variables),
        }

    def configuration(self, repositories: Sequence[str]) -> Manifest:
        """Return the ConfigMap of the image repositories that services may use; OSCAR writes it too."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(CONFIGURATION, OSCAR, labels=self._labels, annotations=PATCH_FORCE),
            "data": {"allowed_image_repositories": json.dumps(list(repositories))},
        }

    def deployment(
        self, image: Any, variables: Mapping[str, Any], credentials_revision: Any, resources: ResourcesArgs
    ) -> Manifest:
        """Return the Deployment; a new `credentials_revision` restarts the server when its secret variables change."""
        movable = objects.MAY_MOVE if self.node_autoscaling else {}
        container = {
            "name": OSCAR,
            "image": image,
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "envFrom": [{"secretRef": {"name": SERVER_SECRET}}],
            "ports": [{"name": "http", "containerPort": PORT}],
            "startupProbe": objects.http_probe("/health", "http", 2, failures=60),
            "livenessProbe": objects.http_probe("/health", "http", 15),
            "readinessProbe": objects.http_probe("/health", "http", 5),
            "resources": objects.requirements(resources, "500m", "512Mi"),
            "securityContext": objects.CONTAINER_SECURITY,
        }
        pod = {
            "serviceAccountName": SERVICE_ACCOUNT,
            "securityContext": objects.pod_security(_USER),
            "containers": [container],
            **objects.placed(self.node_selector),
        }
        annotations = {"scar/credentials-revision": credentials_revision, **movable}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": {"app": OSCAR}},
            "template": {"metadata": {"labels": self._labels, "annotations": annotations}, "spec": pod},
        }
        meta = metadata(OSCAR, OSCAR, labels=self._labels, annotations=PATCH_FORCE)
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}

    def service(self, args: ServerServiceArgs) -> Manifest:
        """Return the Service, which MinIO's webhooks use too."""
        type_ = args.get("type", "ClusterIP")
        port: dict[str, Any] = {"name": "http", "port": PORT, "targetPort": "http"}
        if type_ == "NodePort":
            port["nodePort"] = args.get("node_port", DEFAULT_NODE_PORT)
        meta = metadata(OSCAR, OSCAR, labels=self._labels, annotations=args.get("annotations"))
        spec = objects.published(type_, [port], self._labels)
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    @property
    def _labels(self) -> dict[str, str]:
        return app_labels(OSCAR, "server", self.labels)


def clear_variables(args: OscarClusterArgs, minio_endpoint: Any, region: Any) -> dict[str, Any]:
    """Return the variables that everybody can read who may read the Deployment.

    https://github.com/grycap/oscar/blob/master/pkg/types/config.go
    """
    external = args.get("external_minio")
    return {
        "OSCAR_NAME": OSCAR,
        "OSCAR_NAMESPACE": OSCAR,
        "OSCAR_SERVICES_NAMESPACE": SERVICES_NAMESPACE,
        "OSCAR_CONTROLLER_SERVICE_ACCOUNT": SERVICE_ACCOUNT,
        "OSCAR_SERVICE_PORT": str(PORT),
        "SERVERLESS_BACKEND": args.get("serverless_backend", ""),
        "MINIO_ENDPOINT": minio_endpoint,
        "MINIO_REGION": region,
        "MINIO_TLS_VERIFY": _flag(external is None or external.get("tls_verify", True)),
        "ADDITIONAL_CONFIG_PATH": CONFIGURATION,
        "RESOURCE_MANAGER_ENABLE": _flag(args.get("resource_manager", False)),
        "RESCHEDULER_ENABLE": _flag(args.get("rescheduler", False)),
        "KSERVE_ENABLE": _flag(args.get("kserve", False)),
        **_volumes(args),
        **_kueue(args.get("kueue")),
        **_yunikorn(args),
        **_oidc(args.get("oidc")),
        **_exposure(args),
        **args.get("environment", {}),
    }


def secret_variables(args: OscarClusterArgs, credentials: dict[str, Any]) -> dict[str, Any]:
    """Return the variables in the server's Secret; `credentials` are those of OSCAR and of MinIO."""
    oidc = args.get("oidc")
    client = {"OIDC_CLIENT_SECRET": oidc["client_secret"]} if oidc and "client_secret" in oidc else {}
    return {**credentials, **client, **args.get("secret_environment", {})}


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _volumes(args: OscarClusterArgs) -> dict[str, Any]:
    # Volumes of services must be mountable by many nodes too.
    chosen = args["volume"].get("storage_class")
    return {"STORAGE_CLASS_NAME": chosen} if chosen is not None else {}


def _kueue(args: KueueArgs | None) -> dict[str, Any]:
    if args is None:
        return {"KUEUE_ENABLE": "false"}  # the server's own default is true
    quotas = {
        "KUEUE_DEFAULT_CPU": args.get("cpu"),
        "KUEUE_DEFAULT_MEMORY": args.get("memory"),
        "KUEUE_DEFAULT_GPU": args.get("gpu"),
        "KUEUE_DEFAULT_EPHEMERAL_STORAGE": args.get("ephemeral_storage"),
        "KUEUE_DEFAULT_FLAVOR": args.get("flavor"),
    }
    return {"KUEUE_ENABLE": "true", **_given(quotas)}


def _yunikorn(args: OscarClusterArgs) -> dict[str, Any]:
    chosen = args.get("yunikorn")
    if chosen is None:
        return {"YUNIKORN_ENABLE": "false"}
    places = {
        "YUNIKORN_NAMESPACE": chosen.get("namespace"),
        "YUNIKORN_CONFIGMAP": chosen.get("config_map"),
        "YUNIKORN_CONFIG_FILENAME": chosen.get("config_file"),
    }
    return {"YUNIKORN_ENABLE": "true", **_given(places)}


def _oidc(args: OidcArgs | None) -> dict[str, Any]:
    if args is None:
        return {"OIDC_ENABLE": "false"}
    given = {
        "OIDC_ISSUERS": ",".join(args["issuers"]),
        "OIDC_SUBJECT": args.get("subject"),
        "OIDC_GROUPS": ",".join(args["groups"]) if "groups" in args else None,
        "OIDC_CLIENT_ID": args.get("client_id"),
        "USERS_ADMIN": ",".join(args["administrators"]) if "administrators" in args else None,
    }
    return {"OIDC_ENABLE": "true", **_given(given)}


def _exposure(args: OscarClusterArgs) -> dict[str, Any]:
    """Return the variables that say where OSCAR publishes exposed services."""
    if route := args.get("http_route"):
        return {
            "INGRESS_HOST": route["host"],
            "EXPOSED_SERVICES_ROUTE_KIND": "httproute",
            "HTTPROUTE_GATEWAY_NAME": route["gateway_name"],
            "HTTPROUTE_GATEWAY_NAMESPACE": route["gateway_namespace"],
        }
    ingress = args.get("ingress")
    return {"INGRESS_HOST": ingress["host"]} if ingress else {}


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
