"""How OSCAR is reached from outside the cluster: an Ingress or a route of the Gateway API."""

from collections.abc import Mapping
from typing import Any

import pulumi

from scar_components._oscar_cluster.names import INTERNAL_ENDPOINT, OSCAR, PORT, SKIP_AWAIT, Manifest, metadata
from scar_components.oscar_cluster_arguments import HttpRouteArgs, IngressArgs, OscarClusterArgs


def ingress(args: IngressArgs, labels: Mapping[str, str]) -> Manifest:
    """The Ingress. Nobody waits for its address: many controllers never write one."""
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
    """The route: https://gateway-api.sigs.k8s.io/api-types/httproute/."""
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
    """The URL under which OSCAR is reached: from outside the cluster if that can be told, else inside it."""
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
