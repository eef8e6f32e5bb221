import base64
import runpy
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest

from scar_components import OscarCluster, OscarClusterArgs
from tests.world.pulumi_mocks import Recorder, run_program

EXAMPLE = Path(__file__).parents[3] / "stacks" / "examples" / "oscar-cluster" / "__main__.py"
CORE = "kubernetes:core/v1"
RBAC = "kubernetes:rbac.authorization.k8s.io/v1"
NETWORK = "kubernetes:networking.k8s.io/v1"
OWN = "scar:index"
NFS: dict[str, Any] = {"volume": {"storage_class": "nfs"}}
MINIO = {"endpoint": "https://minio.example.org", "access_key": "admin", "secret_key": "s3cret"}

SERVER_SIDE = {
    "oscar": "scar:index:OscarCluster",
    "oscar-password": f"{OWN}:GeneratedPassword",
    "oscar-server-revision": f"{OWN}:SecretRevision",
    "oscar-namespace-oscar": f"{CORE}:Namespace",
    "oscar-namespace-oscar-svc": f"{CORE}:Namespace",
    "oscar-service-account": f"{CORE}:ServiceAccount",
    "oscar-role": f"{RBAC}:Role",
    "oscar-role-binding": f"{RBAC}:RoleBinding",
    "oscar-cluster-role": f"{RBAC}:ClusterRole",
    "oscar-cluster-role-binding": f"{RBAC}:ClusterRoleBinding",
    "oscar-storage-secret": f"{CORE}:Secret",
    "oscar-volume": f"{CORE}:PersistentVolumeClaim",
    "oscar-volume-job": "kubernetes:batch/v1:Job",
    "oscar-server-secret": f"{CORE}:Secret",
    "oscar-server": "kubernetes:apps/v1:Deployment",
    "oscar-service": f"{CORE}:Service",
    "oscar-network-server": f"{NETWORK}:NetworkPolicy",
    "oscar-network-jobs": f"{NETWORK}:NetworkPolicy",
    "oscar-storage-class": "kubernetes:storage.k8s.io/v1:StorageClass",
}
MINIO_SIDE = {
    "oscar-minio-password": f"{OWN}:GeneratedPassword",
    "oscar-minio-revision": f"{OWN}:SecretRevision",
    "oscar-namespace-minio": f"{CORE}:Namespace",
    "oscar-minio-secret": f"{CORE}:Secret",
    "oscar-minio-volume": f"{CORE}:PersistentVolumeClaim",
    "oscar-minio": "kubernetes:apps/v1:Deployment",
    "oscar-minio-service": f"{CORE}:Service",
    "oscar-network-minio": f"{NETWORK}:NetworkPolicy",
}

UPLOADER = {"oscar-uploader-secret": f"{CORE}:Secret"}
"""What a cluster has in addition whose MinIO has another user than `minio`."""


def cluster(**arguments: Any) -> None:
    """Declare a cluster and wait for everything that it declares."""
    run_program(lambda: OscarCluster("oscar", cast(OscarClusterArgs, {**NFS, **arguments})).endpoint)


def test_the_children_of_a_cluster_are_exactly_these(recorder: Recorder) -> None:
    cluster()
    assert recorder.types() == {**SERVER_SIDE, **MINIO_SIDE}


def test_a_given_minio_is_used_and_none_is_deployed(recorder: Recorder) -> None:
    cluster(external_minio={**MINIO, "tls_verify": False, "region": "eu"})
    assert recorder.types() == {**SERVER_SIDE, **UPLOADER}
    variables = server_variables(recorder)
    assert variables["MINIO_ENDPOINT"] == "https://minio.example.org"
    assert variables["MINIO_TLS_VERIFY"] == "false"
    assert variables["MINIO_REGION"] == "eu"


def test_jobs_find_the_secret_of_minios_user_whatever_it_is_called(recorder: Recorder) -> None:
    cluster(minio={"root_user": "scarroot"})
    assert recorder.types() == {**SERVER_SIDE, **MINIO_SIDE, **UPLOADER}
    secret = recorder.inputs("oscar-uploader-secret")
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("scarroot", "oscar-svc")
    assert recorder.inputs("oscar-storage-secret")["metadata"]["name"] == "minio"


def test_further_users_of_minio_have_secrets_with_the_administrators_keys(recorder: Recorder) -> None:
    cluster(external_minio={**MINIO, "access_key": "admin"}, uploaders=["lambda", "admin", "minio", "lambda"])
    more = {"oscar-uploader-lambda": f"{CORE}:Secret"}
    assert recorder.types() == {**SERVER_SIDE, **UPLOADER, **more}
    secret = recorder.inputs("oscar-uploader-lambda")
    assert (secret["metadata"]["name"], secret["metadata"]["namespace"]) == ("lambda", "oscar-svc")
    assert secret["stringData"]["value"] == {"oidc_uid": "lambda", "accessKey": "admin", "secretKey": "s3cret"}


def test_an_administrators_key_that_names_no_secret_is_no_uploader(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    cluster(external_minio={**MINIO, "access_key": "AKIA"})
    assert recorder.types() == SERVER_SIDE
    assert "files that MinIO's user 'AKIA' writes start no jobs" in caplog.text


def test_what_is_there_already_is_neither_made_nor_looked_up(recorder: Recorder) -> None:
    cluster(
        create_namespaces=False,
        volume={"existing_claim": True},
        password="a long one",
        network_policies=False,
        external_minio=MINIO,
    )
    made = (SERVER_SIDE | UPLOADER).keys() - {
        "oscar-password",
        "oscar-namespace-oscar",
        "oscar-namespace-oscar-svc",
        "oscar-volume",
        "oscar-storage-class",
        "oscar-network-server",
        "oscar-network-jobs",
    }
    assert recorder.types().keys() == made


def test_optional_parts_bring_what_they_need(recorder: Recorder) -> None:
    cluster(
        serverless_backend="knative",
        kueue={"cpu": "8"},
        yunikorn={},
        kserve=True,
        http_route={"host": "oscar.example.org", "gateway_name": "public", "gateway_namespace": "gateways"},
        allowed_image_repositories=["ghcr.io/grycap"],
    )
    crd = "kubernetes:apiextensions.k8s.io/v1:CustomResourceDefinition"
    assert recorder.types() == {
        **SERVER_SIDE,
        **MINIO_SIDE,
        "oscar-knative-serving-must-be-installed": crd,
        "oscar-kueue-must-be-installed": crd,
        "oscar-kserve-must-be-installed": crd,
        "oscar-gateway-api-must-be-installed": crd,
        "oscar-yunikorn-role": f"{RBAC}:Role",
        "oscar-yunikorn-role-binding": f"{RBAC}:RoleBinding",
        "oscar-http-route": "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute",
        "oscar-configuration": f"{CORE}:ConfigMap",
    }
    groups = {group for rule in recorder.inputs("oscar-cluster-role")["rules"] for group in rule["apiGroups"]}
    optional = {"serving.knative.dev", "kueue.x-k8s.io", "serving.kserve.io", "gateway.networking.k8s.io", "traefik.io"}
    assert optional <= groups
    variables = server_variables(recorder)
    assert variables["KUEUE_DEFAULT_CPU"] == "8"
    assert variables["HTTPROUTE_GATEWAY_NAME"] == "public"


def test_rights_are_only_those_of_the_parts_that_are_used(recorder: Recorder) -> None:
    cluster()
    groups = {group for rule in recorder.inputs("oscar-cluster-role")["rules"] for group in rule["apiGroups"]}
    core = {"", "apps", "batch", "autoscaling", "networking.k8s.io", "rbac.authorization.k8s.io", "metrics.k8s.io"}
    assert groups == core
    assert server_variables(recorder)["KUEUE_ENABLE"] == "false"


@pytest.mark.parametrize(
    ("arguments", "endpoint"),
    [
        ({}, "http://oscar.oscar:8080"),
        ({"endpoint": "http://127.0.0.1:30301"}, "http://127.0.0.1:30301"),
        ({"ingress": {"host": "oscar.example.org"}}, "http://oscar.example.org"),
        ({"ingress": {"host": "oscar.example.org", "issuer": "letsencrypt"}}, "https://oscar.example.org"),
        ({"http_route": {"host": "o.org", "gateway_name": "g", "gateway_namespace": "g"}}, "https://o.org"),
        ({"service": {"type": "LoadBalancer"}}, "http://192.0.2.7:8080"),
    ],
)
def test_the_endpoint_is_what_users_outside_reach(recorder: Recorder, arguments: dict[str, Any], endpoint: str) -> None:
    seen: list[str] = []
    declared = cast(OscarClusterArgs, {**NFS, **arguments})
    run_program(lambda: OscarCluster("oscar", declared).endpoint.apply(seen.append))
    assert seen == [endpoint]


def test_passwords_are_secret_outputs(recorder: Recorder) -> None:
    secret: list[bool] = []

    def program() -> Any:
        made = OscarCluster("oscar", cast(OscarClusterArgs, {**NFS, "password": "clear text"}))
        outputs = [made.password, made.minio_access_key, made.minio_secret_key]
        waited = [output.is_secret() for output in outputs]
        return pulumi.Output.all(*waited).apply(secret.extend)

    run_program(program)
    assert secret == [True, True, True]


def test_passwords_reach_the_server_by_its_secret_alone(recorder: Recorder) -> None:
    cluster(password="of-oscar", external_minio=MINIO, secret_environment={"LICENCE": "of-licence"})
    hidden = recorder.inputs("oscar-server-secret")["stringData"]["value"]
    assert hidden == {
        "OSCAR_USERNAME": "oscar",
        "OSCAR_PASSWORD": "of-oscar",
        "MINIO_ACCESS_KEY": "admin",
        "MINIO_SECRET_KEY": "s3cret",
        "LICENCE": "of-licence",
    }
    others = {name: args.inputs for name, args in recorder.resources.items() if args.typ != f"{CORE}:Secret"}
    revision = others.pop("oscar-server-revision")
    assert revision["values"].keys() == {"4dabf18193072939515e22adb298388d", "value"}
    printed = str(others)
    for password in ("of-oscar", "s3cret", "of-licence"):
        assert password not in printed
        assert base64.b64encode(password.encode()).decode() not in printed


def server_variables(recorder: Recorder) -> dict[str, str]:
    container = recorder.inputs("oscar-server")["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"]}


def test_the_example_declares_a_cluster_and_a_service_after_it(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", '{"photos:host": "oscar.example.org", "photos:storageClass": "nfs"}')

    def program() -> None:
        runpy.run_path(str(EXAMPLE))

    run_program(program)
    assert recorder.types().keys() >= {"oscar", "oscar-server", "oscar-ingress", "sort", "sort-service"}
    assert recorder.inputs("sort-service")["endpoint"] == "https://oscar.example.org"
