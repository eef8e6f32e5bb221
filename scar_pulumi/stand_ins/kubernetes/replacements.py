"""Fields that the API server never changes: an object with another value is another object.

The same as in the genuine plugin:
https://github.com/pulumi/pulumi-kubernetes/blob/master/provider/pkg/provider/diff.go
"""

import re
from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.kubernetes.configuration import Configuration

_EVERY = ("apiVersion", "kind", "metadata.name", "metadata.namespace")
_SELECTOR = ("spec.selector",)
_FIELDS: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("apps", "DaemonSet"): _SELECTOR,
    ("apps", "Deployment"): _SELECTOR,
    ("apps", "StatefulSet"): (
        "spec.podManagementPolicy",
        "spec.revisionHistoryLimit",
        *_SELECTOR,
        "spec.serviceName",
        "spec.volumeClaimTemplates",
    ),
    ("batch", "Job"): ("spec.completions", "spec.parallelism", *_SELECTOR, "spec.template"),
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): ("roleRef",),
    ("rbac.authorization.k8s.io", "RoleBinding"): ("roleRef",),
    ("storage.k8s.io", "StorageClass"): ("parameters", "provisioner"),
    ("", "PersistentVolumeClaim"): ("spec.accessModes", "spec.selector", "spec.storageClassName", "spec.volumeName"),
    ("", "Pod"): ("spec",),
    ("", "ResourceQuota"): ("spec.scopes",),
    ("", "Secret"): ("type",),
    ("", "Service"): ("spec.clusterIP",),
}


def replacing_fields(manifest: Mapping[str, Any], configuration: Configuration) -> tuple[str, ...]:
    """The fields of an object whose change replaces it."""
    api_version, kind = str(manifest.get("apiVersion")), str(manifest.get("kind"))
    group = api_version.rpartition("/")[0]
    fields = (*_EVERY, *_FIELDS.get((group, kind), ()))
    immutable = manifest.get("immutable") is True
    if (group, kind) == ("", "Secret") and (immutable or not configuration.secret_mutable):
        return (*fields, "data", "stringData")
    if (group, kind) == ("", "ConfigMap") and (immutable or not configuration.config_map_mutable):
        return (*fields, "data", "binaryData")
    return fields


def replaces(path: str, fields: tuple[str, ...]) -> bool:
    """Whether a changed path is at or below one of the fields."""
    return any(path == field or re.match(rf"{re.escape(field)}[.\[]", path) for field in fields)
