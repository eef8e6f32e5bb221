"""The three namespaces, with the security that their pods must keep to."""

from collections.abc import Mapping

from scar_components._oscar_cluster.names import MINIO, OSCAR, SERVICES_NAMESPACE, Manifest, metadata

POD_SECURITY_LEVELS = ("baseline", "privileged")
"""What the services' pods can keep to: OSCAR makes them without the security context that `restricted` asks for.
https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
_ENFORCE = "pod-security.kubernetes.io/enforce"
_WARN = "pod-security.kubernetes.io/warn"


def namespaces(service_pod_security: str, labels: Mapping[str, str], *, minio: bool) -> dict[str, Manifest]:
    """The namespaces by name; services run images of users, so theirs allows more."""
    levels = {OSCAR: "restricted", SERVICES_NAMESPACE: service_pod_security, **({MINIO: "restricted"} if minio else {})}
    return {name: _namespace(name, level, labels) for name, level in levels.items()}


def _namespace(name: str, level: str, labels: Mapping[str, str]) -> Manifest:
    # Warnings for what a stricter standard would refuse.
    stricter = {"baseline": "restricted", "privileged": "baseline"}.get(level)
    security = {_ENFORCE: level, **({_WARN: stricter} if stricter else {})}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(name, labels={**labels, **security})}
