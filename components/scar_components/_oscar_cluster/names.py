"""Names that OSCAR knows its own objects by: they are compiled into its server or written into MinIO's webhooks."""

from collections.abc import Mapping
from typing import Any, TypeAlias

Manifest: TypeAlias = dict[str, Any]

OSCAR = "oscar"
"""Namespace, Deployment and Service: MinIO calls http://oscar.oscar:8080."""
SERVICES_NAMESPACE = "oscar-svc"
MINIO = "minio"
SERVICE_ACCOUNT = "oscar-sa"
PORT = 8080
MINIO_PORT = 9000
VOLUME_CLAIM = "oscar-pvc"
MINIO_SECRET = "minio"  # noqa: S105 - a name
"""Every job mounts the Secret of this name."""
SERVER_SECRET = "oscar-auth"  # noqa: S105 - a name
CONFIGURATION = "config.yaml"
"""ConfigMap that the server reads and writes for `/system/config`."""

INTERNAL_ENDPOINT = f"http://{OSCAR}.{OSCAR}:{PORT}"
MINIO_ENDPOINT = f"http://{MINIO}.{MINIO}:{MINIO_PORT}"

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/#resource-annotations"""
PATCH_FORCE = {"pulumi.com/patchForce": "true"}
"""What others have changed (`kubectl scale`, OSCAR itself) is changed back instead of ending in a conflict."""


def metadata(
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, Any] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> Manifest:
    """An object's metadata, without what is empty."""
    given = {"namespace": namespace, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
    return {"name": name, **{key: value for key, value in given.items() if value}}


def app_labels(name: str, component: str, more: Mapping[str, str]) -> dict[str, str]:
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/"""
    return {**more, "app.kubernetes.io/name": name, "app.kubernetes.io/component": component, "app": name}
