"""Access to OSCAR from outside the cluster, and the network policies."""

from collections.abc import Mapping
from typing import Any

import pulumi

from scar_components.oscar_cluster.arguments import HttpRouteArgs, IngressArgs, OscarClusterArgs
from scar_components.oscar_cluster.objects import (
    INTERNAL_ENDPOINT,
    MINIO,
    MINIO_PORT,
    OSCAR,
    PORT,
    SERVICES_NAMESPACE,
    SKIP_AWAIT,
    Manifest,
    metadata,
)


def ingress(args: IngressArgs, labels: Mapping[str, str]) -> Manifest:
    """Return the Ingress. The engine does not wait for its address, because many controllers never set one."""
    issuer = {"cert-manager.io/cluster-issuer": args["issuer"]} if "issuer" in args else {}
    annotations = {**SKIP_AWAIT, **issuer, **args.get("annotations", {})}
    backend = {"service": {"name": OSCAR, "port": {"number": PORT}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    secret = _tls_secret(args)
    tls = [{"hosts": [args["host"]], "secretName": secret}] if secret is not None else []
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(OSCAR, OSCAR, labels=labels, annotations=annotations),
        "spec": {
            "ingressClassName": args.get("class_name", "nginx"),
            "rules": [{"host": args["host"], "http": {"paths": [path]}}],
            **({"tls": tls} if tls else {}),
        },
    }


def http_route(args: HttpRouteArgs, labels: Mapping[str, str]) -> Manifest:
    """Return the route: https://gateway-api.sigs.k8s.io/api-types/httproute/."""
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": OSCAR, "port": PORT}],
    }
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(OSCAR, OSCAR, labels=labels),
        "spec": {
            "parentRefs": [{"name": args["gateway_name"], "namespace": args["gateway_namespace"]}],
            "hostnames": [args["host"]],
            "rules": [rule],
        },
    }


def endpoint(args: OscarClusterArgs, service: pulumi.CustomResource) -> str | pulumi.Output[str]:
    """Return OSCAR's URL: the one outside the cluster if it is known, else the one inside."""
    if route := args.get("http_route"):
        return f"{'https' if route.get('tls', True) else 'http'}://{route['host']}"
    if chosen := args.get("ingress"):
        return f"{'http' if _tls_secret(chosen) is None else 'https'}://{chosen['host']}"
    if args.get("service", {}).get("type") == "LoadBalancer":
        status: pulumi.Output[Any] = service.status  # type: ignore[attr-defined]  # declared by its manifest
        return status.apply(_balancer_url)
    return INTERNAL_ENDPOINT


def _balancer_url(status: Any) -> str:
    found = status.load_balancer.ingress if status and status.load_balancer else None
    host = (found[0].hostname or found[0].ip) if found else None
    return f"http://{host}:{PORT}" if host else INTERNAL_ENDPOINT


def _tls_secret(args: IngressArgs) -> Any:
    return args.get("tls_secret", "oscar-tls" if "issuer" in args else None)


_METADATA_SERVER = "169.254.169.254/32"
"""The metadata server of clouds, which gives out the node's credentials."""
_NAMESPACE = "kubernetes.io/metadata.name"


def policies(args: OscarClusterArgs, labels: Mapping[str, str]) -> dict[str, Manifest]:
    """Return the policies by what they protect.

    They do no harm in clusters whose network does not enforce policies.
    """
    shields = {"server": _server(labels), "jobs": _jobs(labels)}
    if "external_minio" in args:
        return shields
    minio = args.get("minio", {})
    published = minio.get("service_type", "ClusterIP") != "ClusterIP"
    storage = _minio(labels, published=published, console=minio.get("console", False), users="oidc" in args)
    return {**shields, "minio": storage}


def _server(labels: Mapping[str, str]) -> Manifest:
    """Allow connections to OSCAR's port from anywhere: users, ingress controllers, MinIO's webhooks."""
    return _policy(OSCAR, OSCAR, labels, {"matchLabels": {"app": OSCAR}}, [{"ports": _ports(PORT)}])


def _minio(labels: Mapping[str, str], *, published: bool, console: bool, users: bool) -> Manifest:
    """Allow connections to MinIO from OSCAR and its services; from anywhere if it is published outside the cluster.

    Services of OIDC users run in namespaces whose names are not known in advance.
    """
    inside = {} if users else {"matchExpressions": [_in(OSCAR, SERVICES_NAMESPACE)]}
    rule: dict[str, Any] = {"ports": _ports(MINIO_PORT)}
    if not published:
        rule["from"] = [{"namespaceSelector": inside}]
    rules = [rule, *([{"ports": _ports(9001)}] if console else [])]
    return _policy(MINIO, MINIO, labels, {"matchLabels": {"app": MINIO}}, rules)


def _jobs(labels: Mapping[str, str]) -> Manifest:
    """Allow no connections to jobs, and from jobs to all but the cloud's metadata server: they run users' code."""
    jobs = {"matchExpressions": [{"key": "batch.kubernetes.io/job-name", "operator": "Exists"}]}
    policy = _policy("jobs", SERVICES_NAMESPACE, labels, jobs, [])
    anywhere = [
        {"namespaceSelector": {}},  # some networks do not match pods by address
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
