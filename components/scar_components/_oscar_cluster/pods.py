"""What the pods of OSCAR, MinIO and the volume's job have in common."""

from collections.abc import Mapping
from typing import Any

from scar_components.oscar_cluster_arguments import ResourcesArgs

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
    """The security context of a pod whose processes run as `user`, who owns its volumes too."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def requirements(asked: ResourcesArgs, cpu: str, memory: str) -> dict[str, Any]:
    """The resources of a container: what was asked for, else the defaults."""
    requests = {"cpu": asked.get("cpu", cpu), "memory": asked.get("memory", memory)}
    limit = asked.get("memory_limit")
    return {"requests": requests, **({"limits": {"memory": limit}} if limit is not None else {})}


def http_probe(path: str, port: str, period: int, failures: int = 3) -> dict[str, Any]:
    """A probe over HTTP, every `period` seconds."""
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def placed(node_selector: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a pod that says on which nodes it may run."""
    return {"nodeSelector": dict(node_selector)} if node_selector else {}


def published(type_: str, ports: list[dict[str, Any]], labels: Mapping[str, str]) -> dict[str, Any]:
    """The specification of a Service for the pods with the label `app` of `labels`."""
    return {"type": type_, "selector": {"app": labels["app"]}, "ports": ports}
