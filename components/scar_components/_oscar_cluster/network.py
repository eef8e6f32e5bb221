"""Who may connect to what; clusters whose network does not enforce policies are not harmed by them."""

from collections.abc import Mapping
from typing import Any

from scar_components._oscar_cluster.names import (
    MINIO,
    MINIO_PORT,
    OSCAR,
    PORT,
    SERVICES_NAMESPACE,
    Manifest,
    metadata,
)
from scar_components.oscar_cluster_arguments import OscarClusterArgs

_METADATA_SERVER = "169.254.169.254/32"
"""Where clouds hand out the credentials of the node."""
_NAMESPACE = "kubernetes.io/metadata.name"


def policies(args: OscarClusterArgs, labels: Mapping[str, str]) -> dict[str, Manifest]:
    """The policies by what they shield."""
    shields = {"server": _server(labels), "jobs": _jobs(labels)}
    if "external_minio" in args:
        return shields
    minio = args.get("minio", {})
    published = minio.get("service_type", "ClusterIP") != "ClusterIP"
    storage = _minio(labels, published=published, console=minio.get("console", False), users="oidc" in args)
    return {**shields, "minio": storage}


def _server(labels: Mapping[str, str]) -> Manifest:
    """OSCAR takes connections on its port alone, from anywhere: users, ingress controllers, MinIO's webhooks."""
    return _policy(OSCAR, OSCAR, labels, {"matchLabels": {"app": OSCAR}}, [{"ports": _ports(PORT)}])


def _minio(labels: Mapping[str, str], *, published: bool, console: bool, users: bool) -> Manifest:
    """MinIO takes connections from OSCAR and its services; from anywhere if it is published outside the cluster.

    Services of OIDC users run in namespaces of their own, whose names are not known before.
    """
    inside = {} if users else {"matchExpressions": [_in(OSCAR, SERVICES_NAMESPACE)]}
    rule: dict[str, Any] = {"ports": _ports(MINIO_PORT)}
    if not published:
        rule["from"] = [{"namespaceSelector": inside}]
    rules = [rule, *([{"ports": _ports(9001)}] if console else [])]
    return _policy(MINIO, MINIO, labels, {"matchLabels": {"app": MINIO}}, rules)


def _jobs(labels: Mapping[str, str]) -> Manifest:
    """Nobody connects to jobs; they connect to all but the cloud's metadata server: they run the code of users."""
    jobs = {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
    policy = _policy("jobs", SERVICES_NAMESPACE, labels, jobs, [])
    anywhere = [
        {"namespaceSelector": {}},  # some networks do not count pods among the addresses
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": [_METADATA_SERVER]}},
        {"ipBlock": {"cidr": "::/0", "except": ["fd00:ec2::254/128"]}},
    ]
    policy["spec"] |= {"policyTypes": ["Ingress", "Egress"], "egress": [{"to": anywhere}]}
    return policy


def _policy(
    name: str, namespace: str, labels: Mapping[str, str], pods: dict[str, Any], ingress: list[dict[str, Any]]
) -> Manifest:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, namespace, labels=labels),
        "spec": {"podSelector": pods, "policyTypes": ["Ingress"], "ingress": ingress},
    }


def _ports(number: int) -> list[dict[str, Any]]:
    return [{"protocol": "TCP", "port": number}]


def _in(*namespaces: str) -> dict[str, Any]:
    return {"key": _NAMESPACE, "operator": "In", "values": list(namespaces)}
