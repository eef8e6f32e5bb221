"""MinIO, where the services' files are: one server with one volume."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_components._oscar_cluster import pods
from scar_components._oscar_cluster.names import (
    MINIO,
    MINIO_PORT,
    PATCH_FORCE,
    SKIP_AWAIT,
    Manifest,
    app_labels,
    metadata,
)
from scar_components.oscar_cluster_arguments import MinioArgs

IMAGE = "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z"
ROOT_SECRET = "minio-root"  # noqa: S105 - a name
_CONSOLE_PORT = 9001
_USER = 1000
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Minio:
    """The objects of a deployed MinIO."""

    args: MinioArgs = field(default_factory=MinioArgs)
    labels: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, Any] = field(default_factory=dict)
    node_autoscaling: bool = True

    def secret(self, user: Any, password: Any) -> Manifest:
        """The server's own user."""
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": metadata(ROOT_SECRET, MINIO, labels=self._labels),
            "stringData": {"MINIO_ROOT_USER": user, "MINIO_ROOT_PASSWORD": password},
        }

    def volume_claim(self) -> Manifest:
        """The volume with the files."""
        chosen = self.args.get("storage_class")
        spec = {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": self.args.get("storage_size", "10Gi")}},
            **({"storageClassName": chosen} if chosen is not None else {}),
        }
        meta = metadata(MINIO, MINIO, labels=self._labels, annotations=SKIP_AWAIT)
        return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec}

    def deployment(self, credentials_revision: Any) -> Manifest:
        """The server; `credentials_revision` changes with its password, and so starts it anew."""
        movable = pods.STAYS if self.node_autoscaling else {}
        template = {
            "metadata": {
                "labels": self._labels,
                "annotations": {"scar/credentials-revision": credentials_revision, **movable},
            },
            "spec": {
                "automountServiceAccountToken": False,
                "securityContext": pods.pod_security(_USER),
                "containers": [self._container()],
                "volumes": [
                    {"name": "data", "persistentVolumeClaim": {"claimName": MINIO}},
                    {"name": "home", "emptyDir": {}},
                ],
                **pods.placed(self.node_selector),
            },
        }
        spec = {
            "replicas": 1,
            "strategy": {"type": "Recreate"},  # two servers must never write to one volume
            "selector": {"matchLabels": {"app": MINIO}},
            "template": template,
        }
        meta = metadata(MINIO, MINIO, labels=self._labels, annotations=PATCH_FORCE)
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec}

    def service(self) -> Manifest:
        """The address of the server."""
        port: dict[str, Any] = {"name": "api", "port": MINIO_PORT, "targetPort": "api"}
        if node_port := self.args.get("node_port"):
            port["nodePort"] = node_port
        console = {"name": "console", "port": _CONSOLE_PORT, "targetPort": "console"}
        ports = [port, *([console] if self.args.get("console") else [])]
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata(MINIO, MINIO, labels=self._labels),
            "spec": pods.published(self.args.get("service_type", "ClusterIP"), ports, self._labels),
        }

    @property
    def _labels(self) -> dict[str, str]:
        return app_labels(MINIO, "storage", self.labels)

    def _container(self) -> dict[str, Any]:
        console = self.args.get("console", False)
        environment = {
            "HOME": "/home/minio",
            "MINIO_REGION": self.args.get("region", DEFAULT_REGION),
            "MINIO_BROWSER": "on" if console else "off",
        }
        ports = [{"name": "api", "containerPort": MINIO_PORT}]
        return {
            "name": "minio",
            "image": self.args.get("image", IMAGE),
            "args": ["server", "/data", "--console-address", f":{_CONSOLE_PORT}"],
            "env": [{"name": name, "value": value} for name, value in environment.items()],
            "envFrom": [{"secretRef": {"name": ROOT_SECRET}}],
            "ports": [*ports, {"name": "console", "containerPort": _CONSOLE_PORT}] if console else ports,
            "volumeMounts": [{"name": "data", "mountPath": "/data"}, {"name": "home", "mountPath": "/home/minio"}],
            "startupProbe": pods.http_probe("/minio/health/live", "api", 2, failures=60),
            "livenessProbe": pods.http_probe("/minio/health/live", "api", 15, failures=5),
            "readinessProbe": pods.http_probe("/minio/health/ready", "api", 5),
            "resources": pods.requirements(self.args.get("resources", {}), "250m", "512Mi"),
            "securityContext": pods.CONTAINER_SECURITY,
        }
