"""The manifests on a real API server: each is accepted, and OSCAR may do what it does with them, and no more."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kubernetes.api_server import Client, RefusedError
from tests.kubernetes.controllers import Controllers
from tests.kubernetes.manifests import manifests
from tests.world.waiting import wait_for

NAMESPACES = ("oscar", "oscar-svc", "minio", "yunikorn")
RBAC = "/apis/rbac.authorization.k8s.io/v1"
KINDS = {
    "ClusterRole": f"{RBAC}/clusterroles",
    "ClusterRoleBinding": f"{RBAC}/clusterrolebindings",
    "ConfigMap": "/api/v1/{}/configmaps",
    "Deployment": "/apis/apps/v1/{}/deployments",
    "Ingress": "/apis/networking.k8s.io/v1/{}/ingresses",
    "Job": "/apis/batch/v1/{}/jobs",
    "Namespace": "/api/v1/namespaces",
    "NetworkPolicy": "/apis/networking.k8s.io/v1/{}/networkpolicies",
    "PersistentVolumeClaim": "/api/v1/{}/persistentvolumeclaims",
    "Role": f"{RBAC}/{{}}/roles",
    "RoleBinding": f"{RBAC}/{{}}/rolebindings",
    "Secret": "/api/v1/{}/secrets",
    "Service": "/api/v1/{}/services",
    "ServiceAccount": "/api/v1/{}/serviceaccounts",
}
POD = {"containers": [{"name": "service", "image": "debian:12"}], "restartPolicy": "Never"}
LABELS = {"matchLabels": {"app": "x"}}
TEMPLATE = {"metadata": {"labels": {"app": "x"}}, "spec": {**POD, "restartPolicy": "Always"}}
BACKEND = {"service": {"name": "x", "port": {"number": 80}}}
ROLE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "x"}

# What OSCAR 4.1 makes for services and users.
MADE: list[tuple[str, dict[str, Any]]] = [
    ("/api/v1/namespaces/oscar-svc/configmaps", {"data": {"script.sh": "true"}}),
    ("/api/v1/namespaces/oscar-svc/podtemplates", {"template": {"metadata": {}, "spec": POD}}),
    ("/api/v1/namespaces/oscar-svc/secrets", {"stringData": {"key": "value"}}),
    ("/api/v1/namespaces/oscar-svc/services", {"spec": {"ports": [{"port": 80}], "selector": {"app": "x"}}}),
    ("/apis/batch/v1/namespaces/oscar-svc/jobs", {"spec": {"backoffLimit": 0, "template": {"spec": POD}}}),
    ("/apis/apps/v1/namespaces/oscar-svc/deployments", {"spec": {"selector": LABELS, "template": TEMPLATE}}),
    ("/apis/apps/v1/namespaces/oscar-svc/daemonsets", {"spec": {"selector": LABELS, "template": TEMPLATE}}),
    (
        "/apis/autoscaling/v2/namespaces/oscar-svc/horizontalpodautoscalers",
        {"spec": {"maxReplicas": 2, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}},
    ),
    ("/apis/networking.k8s.io/v1/namespaces/oscar-svc/ingresses", {"spec": {"defaultBackend": BACKEND}}),
    ("/api/v1/namespaces", {}),
    (
        f"{RBAC}/namespaces/oscar-svc/roles",
        {"rules": [{"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list", "create"]}]},
    ),
]
# Verb, API group, resource, namespace: what it does to what is there, and to kinds that are not installed here.
DOES = [
    ("list", "", "nodes", ""),
    ("list", "metrics.k8s.io", "nodes", ""),
    ("deletecollection", "batch", "jobs", "oscar-svc"),
    ("get", "", "pods/log", "oscar-svc"),
    ("update", "", "configmaps", "oscar"),
    ("create", "", "persistentvolumeclaims", "oscar-svc-5f2a"),
    ("update", "rbac.authorization.k8s.io", "rolebindings", "oscar-svc-5f2a"),
    ("create", "serving.knative.dev", "services", "oscar-svc"),
    ("patch", "kueue.x-k8s.io", "clusterqueues", ""),
    ("create", "serving.kserve.io", "inferenceservices", "oscar-svc"),
    ("patch", "", "configmaps", "yunikorn"),
]
MUST_NOT = [
    ("create", "rbac.authorization.k8s.io", "clusterrolebindings", ""),
    ("delete", "", "namespaces", ""),
    ("update", "", "nodes", ""),
    ("create", "admissionregistration.k8s.io", "mutatingwebhookconfigurations", ""),
    ("create", "", "pods/exec", "oscar-svc"),
    ("impersonate", "", "users", ""),
]


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    return manifests()


@pytest.fixture(scope="module")
def rights(cluster: Client, controllers: Controllers, everything: list[dict[str, Any]]) -> Iterator[None]:
    """Return the namespaces with their pod security, the account and its rights, of a cluster with all options."""
    cluster.request("POST", "/api/v1/namespaces", {"metadata": {"name": "yunikorn"}})
    for kind in ("Namespace", "ServiceAccount", "Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"):
        for manifest in (found for found in everything if found["kind"] == kind):
            apply(cluster, widest(manifest, everything))
    for name in NAMESPACES:
        account = f"/api/v1/namespaces/{name}/serviceaccounts"
        cluster.request("POST", account, {"metadata": {"name": "default"}})  # made by a controller elsewhere
    yield
    for name in NAMESPACES:
        cluster.request("DELETE", f"/api/v1/namespaces/{name}")
    for kind in ("clusterroles/oscar-controller-global", "clusterrolebindings/oscar-controller-global-binding"):
        cluster.request("DELETE", f"{RBAC}/{kind}")
    wait_for(lambda: not any(cluster.exists(f"/api/v1/namespaces/{name}") for name in NAMESPACES), 60, "they are gone")


@pytest.fixture
def oscar(cluster: Client, rights: None) -> Client:
    return cluster.acting_as("system:serviceaccount:oscar:oscar-sa")


def test_every_manifest_is_accepted_by_the_server(
    cluster: Client, rights: None, everything: list[dict[str, Any]]
) -> None:
    assert len(everything) >= 50
    for manifest in everything:
        apply(cluster, manifest, "&dryRun=All")


def test_pods_are_accepted_under_the_security_of_their_namespaces(
    cluster: Client, rights: None, everything: list[dict[str, Any]]
) -> None:
    templates = [manifest for manifest in everything if manifest["kind"] in {"Deployment", "Job"}]
    assert {manifest["metadata"]["name"] for manifest in templates} == {"oscar", "minio", "populate-volume-job"}
    for manifest in templates:
        pod = {"metadata": {"name": "tried-out"}, "spec": manifest["spec"]["template"]["spec"]}
        namespace = manifest["metadata"]["namespace"]
        cluster.request("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All&fieldValidation=Strict", pod)


def test_pods_that_break_out_are_not(cluster: Client, rights: None) -> None:
    pod = {"metadata": {"name": "tried-out"}, "spec": {**POD, "hostNetwork": True}}
    with pytest.raises(RefusedError, match='violates PodSecurity "restricted'):
        cluster.request("POST", "/api/v1/namespaces/minio/pods?dryRun=All", pod)


@pytest.mark.parametrize(("path", "content"), MADE, ids=[path.rpartition("/")[2] for path, _ in MADE])
def test_oscar_may_make_what_services_and_users_need(oscar: Client, path: str, content: dict[str, Any]) -> None:
    made = oscar.request("POST", f"{path}?dryRun=All&fieldValidation=Strict", {"metadata": {"name": "x"}, **content})
    assert made["metadata"]["name"] == "x"


@pytest.mark.parametrize("access", DOES, ids=[f"{verb} {resource}" for verb, _, resource, _ in DOES])
def test_oscar_may_do_what_it_does(oscar: Client, access: tuple[str, str, str, str]) -> None:
    assert is_allowed(oscar, *access)


@pytest.mark.parametrize("access", MUST_NOT, ids=[f"{verb} {resource}" for verb, _, resource, _ in MUST_NOT])
def test_oscar_may_not_do_more(oscar: Client, access: tuple[str, str, str, str]) -> None:
    assert not is_allowed(oscar, *access)


def test_oscar_cannot_give_rights_that_it_does_not_have(oscar: Client) -> None:
    rules = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]
    with pytest.raises(RefusedError, match="attempting to grant RBAC permissions not currently held"):
        oscar.request(
            "POST", f"{RBAC}/namespaces/oscar-svc/roles?dryRun=All", {"metadata": {"name": "x"}, "rules": rules}
        )


def apply(cluster: Client, manifest: dict[str, Any], more: str = "") -> None:
    metadata = manifest["metadata"]
    place = KINDS[manifest["kind"]].format(f"namespaces/{metadata.get('namespace')}")
    query = f"fieldManager=test&force=true&fieldValidation=Strict{more}"
    cluster.request("PATCH", f"{place}/{metadata['name']}?{query}", manifest, "application/apply-patch+yaml")


def widest(manifest: dict[str, Any], everything: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the one of several manifests of the same object that has the most rules."""
    same = [
        other
        for other in everything
        if other["kind"] == manifest["kind"] and other["metadata"]["name"] == manifest["metadata"]["name"]
    ]
    return max(same, key=lambda other: len(other.get("rules", ())))


def is_allowed(client: Client, verb: str, group: str, resource: str, namespace: str) -> bool:
    name, _, subresource = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": name, "subresource": subresource, "namespace": namespace}
    review = {"spec": {"resourceAttributes": attributes}}
    answer = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review)
    return bool(answer["status"]["allowed"])
