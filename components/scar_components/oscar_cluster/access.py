"""The rights of OSCAR's server in the cluster: those of `deploy/yaml/oscar-rbac.yaml`, for the features in use.

https://github.com/grycap/oscar/blob/master/deploy/yaml/oscar-rbac.yaml
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scar_components.oscar_cluster.objects import OSCAR, SERVICE_ACCOUNT, SERVICES_NAMESPACE, Manifest, metadata

Rule = tuple[str, Sequence[str], Sequence[str]]

_READ = ("get", "list", "watch")
_MANAGE = (*_READ, "create", "update", "patch", "delete")
_MANAGE_ALL = (*_MANAGE, "deletecollection")

# API group, resources, verbs.
_SERVICE_RULES: tuple[Rule, ...] = (
    ("", ("pods", "pods/log", "podtemplates", "configmaps", "secrets", "services"), _MANAGE_ALL),
    ("", ("persistentvolumeclaims", "resourcequotas", "limitranges"), _MANAGE),
    ("apps", ("daemonsets", "deployments"), _MANAGE),
    ("batch", ("jobs",), _MANAGE_ALL),
    ("autoscaling", ("horizontalpodautoscalers",), _MANAGE),
    ("networking.k8s.io", ("ingresses",), _MANAGE),
)
_CLUSTER_RULES: tuple[Rule, ...] = (
    # Each OIDC user gets a namespace, and a role in it.
    ("", ("namespaces",), ("get", "list", "create", "update")),
    ("rbac.authorization.k8s.io", ("roles", "rolebindings"), ("get", "list", "create", "update")),
    ("", ("persistentvolumes",), ("get", "list", "create")),
    # The server lists nodes when it starts, and /system/status reads their metrics.
    ("", ("nodes",), _READ),
    ("metrics.k8s.io", ("nodes",), ("get", "list")),
)
_OPTIONAL_SERVICE_RULES: dict[str, tuple[Rule, ...]] = {
    "knative": (("serving.knative.dev", ("services",), _MANAGE),),
    "kserve": (("serving.kserve.io", ("inferenceservices", "llminferenceservices"), _MANAGE),),
    "http_route": (
        ("gateway.networking.k8s.io", ("httproutes",), _MANAGE),
        ("traefik.io", ("middlewares",), _MANAGE),
    ),
}
_OPTIONAL_CLUSTER_RULES: dict[str, tuple[Rule, ...]] = {
    "kueue": (("kueue.x-k8s.io", ("resourceflavors", "clusterqueues", "localqueues"), _MANAGE),),
}


@dataclass(frozen=True)
class Access:
    """The RBAC objects, for the optional features that are used."""

    features: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)

    def service_account(self) -> Manifest:
        """Return the account that the server runs as."""
        meta = metadata(SERVICE_ACCOUNT, OSCAR, labels=self.labels)
        return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": meta}

    def role(self) -> Manifest:
        """Return the server's rights in the services' namespace."""
        rules = _rules([*_SERVICE_RULES, *self._chosen(_OPTIONAL_SERVICE_RULES)])
        return self._object("Role", "oscar-controller", SERVICES_NAMESPACE, rules=rules)

    def role_binding(self) -> Manifest:
        """Return the binding of the role to the account."""
        return self._binding("RoleBinding", "oscar-controller-binding", "Role", "oscar-controller", SERVICES_NAMESPACE)

    def cluster_role(self) -> Manifest:
        """Return the server's rights in every namespace."""
        optional = [*self._chosen(_OPTIONAL_SERVICE_RULES), *self._chosen(_OPTIONAL_CLUSTER_RULES)]
        rules = _rules([*_SERVICE_RULES, *_CLUSTER_RULES, *optional])
        return self._object("ClusterRole", "oscar-controller-global", None, rules=rules)

    def cluster_role_binding(self) -> Manifest:
        """Return the binding of the cluster role to the account."""
        name = "oscar-controller-global"
        return self._binding("ClusterRoleBinding", f"{name}-binding", "ClusterRole", name, None)

    def yunikorn_role(self, namespace: str) -> Manifest:
        """Return the server's rights in YuniKorn's namespace."""
        rules = _rules([("", ("configmaps",), _MANAGE)])
        return self._object("Role", "yunikorn-config-reader", namespace, rules=rules)

    def yunikorn_role_binding(self, namespace: str) -> Manifest:
        """Return the binding of YuniKorn's role to the account."""
        name = "yunikorn-config-reader"
        return self._binding("RoleBinding", f"{name}-binding", "Role", name, namespace)

    def _chosen(self, optional: Mapping[str, tuple[Rule, ...]]) -> Iterable[Rule]:
        return (rule for feature, rules in optional.items() if feature in self.features for rule in rules)

    def _object(self, kind: str, name: str, namespace: str | None, **content: Any) -> Manifest:
        meta = metadata(name, namespace, labels=self.labels)
        return {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": meta, **content}

    def _binding(self, kind: str, name: str, role_kind: str, role: str, namespace: str | None) -> Manifest:
        reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role}
        subject = {"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": OSCAR}
        return self._object(kind, name, namespace, roleRef=reference, subjects=[subject])


def _rules(rules: Iterable[Rule]) -> list[dict[str, list[str]]]:
    return [
        {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)} for group, resources, verbs in rules
    ]
