"""What must be installed in the cluster already, by the optional parts that are used."""

from scar_components.oscar_cluster_arguments import OscarClusterArgs

_KINDS = {
    "knative": ("knative-serving-must-be-installed", "services.serving.knative.dev"),
    "kueue": ("kueue-must-be-installed", "clusterqueues.kueue.x-k8s.io"),
    "kserve": ("kserve-must-be-installed", "inferenceservices.serving.kserve.io"),
    "http_route": ("gateway-api-must-be-installed", "httproutes.gateway.networking.k8s.io"),
}
"""Label of the look-up, which the engine prints when it finds nothing, and the kind that is looked up."""


def features(args: OscarClusterArgs) -> frozenset[str]:
    """The optional parts that are used."""
    used = {
        "knative": args.get("serverless_backend") == "knative",
        "kueue": "kueue" in args,
        "kserve": args.get("kserve", False),
        "http_route": "http_route" in args,
    }
    return frozenset(name for name, is_used in used.items() if is_used)


def required_kinds(args: OscarClusterArgs) -> dict[str, str]:
    """The kinds to look up, by label."""
    return dict(_KINDS[name] for name in sorted(features(args)))
