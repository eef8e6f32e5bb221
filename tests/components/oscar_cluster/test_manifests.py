"""Every manifest of a cluster against the schemas of Kubernetes, as its API server would check it."""

from typing import Any, cast

import kubernetes_validate
import pytest

from scar_components import OscarCluster, OscarClusterArgs
from tests.world.pulumi_mocks import Recorder, run_program

OLDEST, NEWEST = "1.30", "1.37"

NFS: dict[str, Any] = {"volume": {"storage_class": "nfs"}}
EVERYTHING: dict[str, Any] = {
    "minio": {
        "storage_class": "fast",
        "service_type": "NodePort",
        "node_port": 30300,
        "console": True,
        "resources": {"cpu": "1", "memory": "2Gi", "memory_limit": "4Gi"},
    },
    "serverless_backend": "knative",
    "service": {"type": "LoadBalancer", "annotations": {"lb/type": "internal"}},
    "ingress": {"host": "oscar.example.org", "issuer": "letsencrypt", "annotations": {"nginx/size": "1g"}},
    "oidc": {"issuers": ["https://aai.egi.eu"], "groups": ["vo.example.eu"], "client_id": "id", "client_secret": "x"},
    "kueue": {"cpu": "8", "memory": "16Gi", "gpu": "1"},
    "yunikorn": {"namespace": "yunikorn"},
    "kserve": True,
    "resource_manager": True,
    "allowed_image_repositories": ["ghcr.io/grycap"],
    "environment": {"TTL_JOB": "3600"},
    "secret_environment": {"LICENCE": "x"},
    "resources": {"memory_limit": "1Gi"},
    "labels": {"team": "photos"},
    "node_selector": {"kubernetes.io/os": "linux"},
    "service_pod_security": "privileged",
}
ANOTHER_WAY: dict[str, Any] = {
    "volume": {"existing_claim": True},
    "external_minio": {"endpoint": "https://minio.example.org", "access_key": "admin", "secret_key": "s3cret"},
    "service": {"type": "NodePort"},
    "http_route": {"host": "oscar.example.org", "gateway_name": "public", "gateway_namespace": "gateways"},
    "node_autoscaling": False,
}
_OWN = {"HTTPRoute", "CustomResourceDefinition", "StorageClass"}
"""Not of these schemas, or only looked up."""


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("arguments", [{}, EVERYTHING, ANOTHER_WAY], ids=["defaults", "everything", "another way"])
def test_manifests_keep_strictly_to_the_schemas_of_kubernetes(
    recorder: Recorder, arguments: dict[str, Any], version: str
) -> None:
    manifests = declared(recorder, arguments)
    assert len(manifests) >= 14
    for manifest in manifests:
        kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_does_not_exist_would_be_noticed(recorder: Recorder) -> None:
    manifest = next(found for found in declared(recorder, {}) if found["kind"] == "Deployment")
    manifest["spec"]["template"]["spec"]["containers"][0]["readinessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readinessprobe"):
        kubernetes_validate.validate(manifest, NEWEST, strict=True)


def test_pods_of_the_server_and_of_minio_keep_to_the_restricted_standard(recorder: Recorder) -> None:
    # https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
    pods = {
        found["metadata"]["name"]: found["spec"]["template"]["spec"]
        for found in declared(recorder, {})
        if found["kind"] == "Deployment"
    }
    assert pods.keys() == {"oscar", "minio"}
    for pod in pods.values():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "readOnlyRootFilesystem": True,
            }
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}


def declared(recorder: Recorder, arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the manifests that a cluster declares, as they go to the API server."""
    args = cast(OscarClusterArgs, {**NFS, **arguments})
    run_program(lambda: OscarCluster("oscar", args).endpoint)
    inputs = [plain(args.inputs) for args in recorder.resources.values() if args.typ.startswith("kubernetes:")]
    return [manifest for manifest in inputs if manifest.get("kind") not in _OWN and "kind" in manifest]


def plain(value: Any) -> Any:
    """Properties without the marks of secrets, and with whole numbers as such."""
    if isinstance(value, dict):
        if "4dabf18193072939515e22adb298388d" in value:
            return plain(value["value"])
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
