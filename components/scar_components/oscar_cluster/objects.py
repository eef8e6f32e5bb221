"""Kubernetes objects: fixed names, what all manifests have in common, and their declaration as resources."""

import importlib
import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import pulumi

from scar_components.oscar_cluster.arguments import ResourcesArgs

Manifest: TypeAlias = dict[str, Any]

# These names are compiled into OSCAR's server, or written into MinIO's webhooks.
OSCAR = "oscar"
"""Namespace, Deployment and Service: MinIO calls http://oscar.oscar:8080."""
SERVICES_NAMESPACE = "oscar-svc"
MINIO = "minio"
SERVICE_ACCOUNT = "oscar-sa"
PORT = 8080
MINIO_PORT = 9000
VOLUME_CLAIM = "oscar-pvc"
MINIO_SECRET = "minio"  # noqa: S105 - a name
"""Secret that every job mounts."""
SERVER_SECRET = "oscar-auth"  # noqa: S105 - a name
CONFIGURATION = "config.yaml"
"""ConfigMap that the server reads and writes for `/system/config`."""

INTERNAL_ENDPOINT = f"http://{OSCAR}.{OSCAR}:{PORT}"
MINIO_ENDPOINT = f"http://{MINIO}.{MINIO}:{MINIO_PORT}"

SKIP_AWAIT = {"pulumi.com/skipAwait": "true"}
"""https://www.pulumi.com/registry/packages/kubernetes/installation-configuration/#resource-annotations"""
PATCH_FORCE = {"pulumi.com/patchForce": "true"}
"""Revert what others have changed (`kubectl scale`, OSCAR itself) instead of failing with a conflict."""


def metadata(
    name: str,
    namespace: str | None = None,
    *,
    labels: Mapping[str, Any] | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> Manifest:
    """Return an object's metadata without empty fields."""
    given = {"namespace": namespace, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
    return {"name": name, **{key: value for key, value in given.items() if value}}


def app_labels(name: str, component: str, more: Mapping[str, str]) -> dict[str, str]:
    """Return the labels of an object.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
    """
    return {**more, "app.kubernetes.io/name": name, "app.kubernetes.io/component": component, "app": name}


_MODULES = {
    "": "core",
    "apps": "apps",
    "batch": "batch",
    "networking.k8s.io": "networking",
    "rbac.authorization.k8s.io": "rbac",
}
"""Modules of the SDK by API group."""


def declare(name: str, manifest: Manifest, opts: pulumi.ResourceOptions) -> pulumi.CustomResource:
    """Declare the object of a manifest; objects of API groups without a module are custom resources."""
    group, _, version = manifest["apiVersion"].rpartition("/")
    content = {_python_name(key): value for key, value in manifest.items() if key not in {"apiVersion", "kind"}}
    made: pulumi.CustomResource
    if group in _MODULES:
        # Imported one by one when they are needed: each takes its time.
        module = importlib.import_module(f"pulumi_kubernetes.{_MODULES[group]}.{version}")
        made = getattr(module, manifest["kind"])(name, opts=opts, **content)
    else:
        custom = importlib.import_module("pulumi_kubernetes.apiextensions").CustomResource
        made = custom(name, api_version=manifest["apiVersion"], kind=manifest["kind"], opts=opts, **content)
    return made


def _python_name(key: str) -> str:
    return re.sub(r"[A-Z]", lambda letter: f"_{letter[0].lower()}", key)


# What the Pod Security Standard `restricted` asks for:
# https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
CONTAINER_SECURITY = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}

# What the node autoscalers go by:
# https://github.com/kubernetes/autoscaler/blob/master/cluster-autoscaler/FAQ.md
# https://karpenter.sh/docs/concepts/disruption/
STAYS = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false", "karpenter.sh/do-not-disrupt": "true"}
MAY_MOVE = {"cluster-autoscaler.kubernetes.io/safe-to-evict": "true"}


def pod_security(user: int) -> dict[str, Any]:
    """Return the security context of a pod whose processes run as `user`, who also owns its volumes."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def requirements(asked: ResourcesArgs, cpu: str, memory: str) -> dict[str, Any]:
    """Return the resources of a container: those asked for, else the given defaults."""
    requests = {"cpu": asked.get("cpu", cpu), "memory": asked.get("memory", memory)}
    limit = asked.get("memory_limit")
    return {"requests": requests, **({"limits": {"memory": limit}} if limit is not None else {})}


def http_probe(path: str, port: str, period: int, failures: int = 3) -> dict[str, Any]:
    """Return an HTTP probe that runs every `period` seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def placed(node_selector: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a pod that selects its nodes."""
    return {"nodeSelector": dict(node_selector)} if node_selector else {}


def published(type_: str, ports: list[dict[str, Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the specification of a Service for the pods with the label `app` of `labels`."""
    return {"type": type_, "selector": {"app": labels["app"]}, "ports": ports}


POD_SECURITY_LEVELS = ("baseline", "privileged")
"""Possible levels for the services' pods: OSCAR creates them without the security context that `restricted` requires.
https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
_ENFORCE = "pod-security.kubernetes.io/enforce"
_WARN = "pod-security.kubernetes.io/warn"


def namespaces(service_pod_security: str, labels: Mapping[str, str], *, minio: bool) -> dict[str, Manifest]:
    """Return the namespaces by name; that of the services allows more, because services run users' images."""
    levels = {OSCAR: "restricted", SERVICES_NAMESPACE: service_pod_security, **({MINIO: "restricted"} if minio else {})}
    return {name: _namespace(name, level, labels) for name, level in levels.items()}


def _namespace(name: str, level: str, labels: Mapping[str, str]) -> Manifest:
    # Warnings for what a stricter standard would refuse.
    stricter = {"baseline": "restricted", "privileged": "baseline"}.get(level)
    security = {_ENFORCE: level, **({_WARN: stricter} if stricter else {})}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, labels={**labels, **security})}
