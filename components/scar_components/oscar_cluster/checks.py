"""Mistakes in a cluster's arguments, reported all at once, and what must be installed in the cluster."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi

from scar_components.arguments import shape_mistakes
from scar_components.oscar_cluster.arguments import OscarClusterArgs
from scar_components.oscar_cluster.objects import POD_SECURITY_LEVELS

_SERVICE_TYPES = ("ClusterIP", "NodePort", "LoadBalancer")
_BACKENDS = ("", "knative")
_SHORTEST_KEY = 3


def check_arguments(args: OscarClusterArgs) -> None:
    """Raise RunError with every mistake in the arguments that are already known."""
    # Only arguments of the right types can be checked further.
    if mistakes := list(shape_mistakes(args, OscarClusterArgs)) or list(_mistakes(args)):
        raise pulumi.RunError("\n".join(mistakes))


def _mistakes(args: OscarClusterArgs) -> Iterator[str]:
    yield from _volume(args)
    yield from _exclusive(args, "minio", "external_minio", "deploy MinIO or use an existing one")
    yield from _exclusive(args, "ingress", "http_route", "use one of them")
    yield from _published(args.get("service", {}), "service.type")
    minio = args.get("minio", {})
    yield from _published({"type": minio.get("service_type", "ClusterIP"), **minio}, "minio.service_type")
    yield from _at_least(minio.get("root_user"), _SHORTEST_KEY, "minio.root_user")
    yield from _at_least(minio.get("root_password"), 8, "minio.root_password")
    yield from _secret_names(args)
    yield from _one_of(args.get("serverless_backend", ""), _BACKENDS, "serverless_backend")
    yield from _one_of(args.get("service_pod_security", "baseline"), POD_SECURITY_LEVELS, "service_pod_security")
    version = args.get("version", "4.1.2")
    if not re.fullmatch(r"4\.\d+\.\d+(-[\w.]+)?", version):
        yield f"version: {version!r} is not a release of OSCAR 4; use one, such as 4.1.2"
    if "oidc" in args and not args["oidc"]["issuers"]:
        yield "oidc.issuers: is empty; give the URL of at least one OpenID Connect provider"


def _volume(args: OscarClusterArgs) -> Iterator[str]:
    volume = args["volume"]
    existing = volume.get("existing_claim", False)
    if existing and "storage_class" in volume:
        yield "volume: storage_class has no effect with existing_claim; remove one of them"
    if not existing and "storage_class" not in volume:
        yield (
            "volume.storage_class: is missing; every pod of every service mounts this volume, so it takes a class with "
            "ReadWriteMany, which a cluster's default class seldom is: name one of NFS, CephFS, EFS, Filestore or "
            "Azure Files (`kubectl get storageclass` lists them), or set volume.existing_claim"
        )


def _secret_names(args: OscarClusterArgs) -> Iterator[str]:
    """Report access keys after which Kubernetes names no Secret: jobs for their files would never start."""
    keys = [("minio.root_user", args.get("minio", {}).get("root_user"))]
    keys += [(f"uploaders[{index}]", key) for index, key in enumerate(args.get("uploaders", ()))]
    for where, key in keys:
        if isinstance(key, str) and len(key) >= _SHORTEST_KEY and not names_secret(key):
            yield (
                f"{where}: {key!r} is no name of a Kubernetes Secret, and OSCAR's jobs mount the one named like "
                "the key; use a MinIO user with lower-case letters, digits, '-' and '.'"
            )


def names_secret(key: str) -> bool:
    """Whether a Secret can be named like an access key.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names
    """
    return bool(re.fullmatch(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", key))


def _exclusive(args: Mapping[str, Any], one: str, other: str, way_out: str) -> Iterator[str]:
    if one in args and other in args:
        yield f"{one}, {other}: cannot be combined; {way_out}"


def _published(args: Mapping[str, Any], where: str) -> Iterator[str]:
    type_ = args.get("type", "ClusterIP")
    yield from _one_of(type_, _SERVICE_TYPES, where)
    port = args.get("node_port")
    field = f"{where.partition('.')[0]}.node_port"
    if port is not None and type_ != "NodePort":
        yield f"{field}: has no effect with {where} {type_}; remove it, or use NodePort"
    # https://kubernetes.io/docs/concepts/services-networking/service/#type-nodeport
    if isinstance(port, int) and not 30000 <= port <= 32767:
        yield f"{field}: {port} is out of range; use 30000 to 32767"


def _one_of(value: str, allowed: tuple[str, ...], where: str) -> Iterator[str]:
    if value not in allowed:
        yield f"{where}: {value!r} is unknown; use one of {', '.join(repr(name) for name in allowed)}"


def _at_least(value: object, length: int, where: str) -> Iterator[str]:
    if isinstance(value, str) and len(value) < length:
        yield f"{where}: is too short for MinIO; use at least {length} characters"


_KINDS = {
    "knative": ("knative-serving-must-be-installed", "services.serving.knative.dev"),
    "kueue": ("kueue-must-be-installed", "clusterqueues.kueue.x-k8s.io"),
    "kserve": ("kserve-must-be-installed", "inferenceservices.serving.kserve.io"),
    "http_route": ("gateway-api-must-be-installed", "httproutes.gateway.networking.k8s.io"),
}
"""Label of the lookup, which the engine prints if it finds nothing, and the kind to look up."""


def features(args: OscarClusterArgs) -> frozenset[str]:
    """Return the optional features that are used."""
    used = {
        "knative": args.get("serverless_backend") == "knative",
        "kueue": "kueue" in args,
        "kserve": args.get("kserve", False),
        "http_route": "http_route" in args,
    }
    return frozenset(name for name, is_used in used.items() if is_used)


def required_kinds(args: OscarClusterArgs) -> dict[str, str]:
    """Return the kinds that must be installed, by the label of their lookup."""
    return dict(_KINDS[name] for name in sorted(features(args)))
