"""OSCAR's own server: its secret, its configuration, its Deployment and its Service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scar_components._oscar_cluster import pods
from scar_components._oscar_cluster.names import (
    CONFIGURATION,
    OSCAR,
    PATCH_FORCE,
    PORT,
    SERVER_SECRET,
    SERVICE_ACCOUNT,
    Manifest,
    app_labels,
    metadata,
)
from scar_components.oscar_cluster_arguments import OscarClusterArgs, ResourcesArgs, ServerServiceArgs

VERSION = "4.1.2"
DEFAULT_NODE_PORT = 30301
_USER = 10001


def server_image(args: OscarClusterArgs) -> Any:
    """The image of the server, pinned to a version."""
    return args.get("image", f"ghcr.io/grycap/oscar:{args.get('version', VERSION)}")


@dataclass(frozen=True)
class Server:
    """The objects of the server."""

    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    node_autoscaling: bool = True

    def secret(self, variables: Mapping[str, Any]) -> Manifest:
        """The variables that are secret."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(SERVER_SECRET, OSCAR, labels=self._labels),
            "stringData": dict(variables),
        }

    def configuration(self, repositories: Sequence[str]) -> Manifest:
        """The image repositories that services may use; OSCAR writes it too (PUT /system/config)."""
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata(CONFIGURATION, OSCAR, labels=self._labels, annotations=PATCH_FORCE),
            "data": {"allowed_image_repositories": json.dumps(list(repositories))},
        }

    def deployment(
        self, image: Any, variables: Mapping[str, Any], credentials_revision: Any, resources: ResourcesArgs
    ) -> Manifest:
        """The server; `credentials_revision` changes with its secret variables, and so starts it anew."""
        movable = pods.MAY_MOVE if self.node_autoscaling else {}
        container = {
            "name": OSCAR,
            "image": image,
            "env": [{"name": name, "value": value} for name, value in variables.items()],
            "envFrom": [{"secretRef": {"name": SERVER_SECRET}}],
            "ports": [{"name": "http", "containerPort": PORT}],
            "startupProbe": pods.http_probe("/health", "http", 2, failures=60),
            "livenessProbe": pods.http_probe("/health", "http", 15),
            "readinessProbe": pods.http_probe("/health", "http", 5),
            "resources": pods.requirements(resources, "500m", "512Mi"),
            "securityContext": pods.CONTAINER_SECURITY,
        }
        pod = {
            "serviceAccountName": SERVICE_ACCOUNT,
            "securityContext": pods.pod_security(_USER),
            "containers": [container],
            **pods.placed(self.node_selector),
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
        """The address of the server, also for MinIO's webhooks."""
        type_ = args.get("type", "ClusterIP")
        port: dict[str, Any] = {"name": "http", "port": PORT, "targetPort": "http"}
        if type_ == "NodePort":
            port["nodePort"] = args.get("node_port", DEFAULT_NODE_PORT)
        meta = metadata(OSCAR, OSCAR, labels=self._labels, annotations=args.get("annotations"))
        spec = pods.published(type_, [port], self._labels)
        return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}

    @property
    def _labels(self) -> dict[str, str]:
        return app_labels(OSCAR, "server", self.labels)
