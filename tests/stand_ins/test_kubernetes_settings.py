"""What the stand-in for the kubernetes plugin does before it asks an API server anything."""

import base64
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from scar_foundation.plugin.failures import UnservedError
from scar_foundation.plugin.provider import Naming, Resource
from scar_foundation.plugin.values import as_secret, is_within
from scar_pulumi.stand_ins.kubernetes.cluster import Configuration, Connection, read_configuration
from scar_pulumi.stand_ins.kubernetes.diff import changed_paths, drifted, replacing_fields
from scar_pulumi.stand_ins.kubernetes.objects import check, foresee, hide, manifest_of
from scar_pulumi.stand_ins.kubernetes.readiness import FailedError, why_unready

HERE = Configuration(Connection("https://127.0.0.1:6443"))


def kubeconfig(server: str = "https://127.0.0.1:6443", **user: Any) -> dict[str, Any]:
    return {
        "clusters": [{"name": "kind", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "c", "context": {"cluster": "kind", "user": "me", "namespace": "photos"}}],
        "current-context": "c",
    }


@pytest.mark.parametrize("server", ["https://10.0.0.1:6443", "https://cluster.example.org", "https://127.0.0.1.nip.io"])
def test_an_api_server_beyond_this_machine_is_refused(server: str) -> None:
    with pytest.raises(UnservedError, match=r"only talks to clusters on this machine.*genuine plugin"):
        read_configuration({"kubeconfig": yaml.safe_dump(kubeconfig(server))}, {})


def test_a_proxy_would_lead_elsewhere_and_is_refused() -> None:
    document = kubeconfig()
    document["clusters"][0]["cluster"]["proxy-url"] = "http://proxy.example.org"
    with pytest.raises(UnservedError, match="proxy-url"):
        read_configuration({"kubeconfig": yaml.safe_dump(document)}, {})


def test_kubeconfigs_are_content_or_files_and_the_environment_names_the_default(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("a certificate")
    document = kubeconfig(**{"client-key-data": base64.b64encode(b"a key").decode(), "token": "t"})
    document["clusters"][0]["cluster"]["certificate-authority"] = "ca.pem"
    file = tmp_path / "config"
    file.write_text(yaml.safe_dump(document))
    found = read_configuration({}, {"KUBECONFIG": str(file)})
    assert found.namespace == "photos"
    assert found.connection == Connection("https://127.0.0.1:6443", "a certificate", None, "a key", "t")
    given = read_configuration(
        {"kubeconfig": yaml.safe_dump(kubeconfig(token="other")), "namespace": "mine"}, {"KUBECONFIG": "x"}
    )
    assert (given.connection.token, given.namespace) == ("other", "mine")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"context": "nowhere"}, "it has no context 'nowhere'"),
        ({"kubeconfig": "/nowhere/config"}, "/nowhere/config cannot be read"),
        ({"kubeconfig": yaml.safe_dump(kubeconfig(exec={"command": "aws"}))}, "users with exec are not supported"),
    ],
)
def test_settings_that_lead_nowhere_are_told(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(UnservedError, match=reason):
        read_configuration({"kubeconfig": yaml.safe_dump(kubeconfig()), **settings}, {})


def resource(token: str, name: str) -> Resource:
    return Resource(token, f"urn:pulumi:local::project::{token}::{name}")


def test_names_and_kinds_are_completed_and_a_made_up_name_is_kept() -> None:
    made = check(resource("kubernetes:core/v1:ConfigMap", "settings"), {}, {"data": {}}, Naming(b"1")).inputs
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")
    assert made["metadata"]["name"].startswith("settings-")
    again = check(resource("kubernetes:core/v1:ConfigMap", "settings"), made, {"data": {}}, Naming(b"2")).inputs
    assert again["metadata"] == made["metadata"]
    patch = check(resource("kubernetes:apps/v1:DeploymentPatch", "p"), {}, {}, Naming(b""))
    assert [path for path, _ in patch.failures] == ["kind"]


def test_the_same_changes_replace_as_in_the_genuine_plugin() -> None:
    job = replacing_fields({"apiVersion": "batch/v1", "kind": "Job"}, HERE)
    assert is_within("spec.template.spec.containers[0].image", job)
    assert not is_within("spec.backoffLimit", job)
    deployment = replacing_fields({"apiVersion": "apps/v1", "kind": "Deployment"}, HERE)
    assert is_within("spec.selector.matchLabels.app", deployment)
    assert not is_within("spec.template.metadata.labels.app", deployment)
    secret = {"apiVersion": "v1", "kind": "Secret"}
    assert is_within("stringData.password", replacing_fields(secret, HERE))
    mutable = Configuration(HERE.connection, secret_mutable=True)
    assert not is_within("stringData.password", replacing_fields(secret, mutable))


def test_differences_are_told_by_their_paths() -> None:
    old = {"a": {"b.c": 1, "d": [1, 2]}, "e": {}, "__manager": 1}
    new = {"a": {"b.c": 2, "d": [1]}, "f": "x"}
    assert dict(changed_paths(old, new)) == {'a["b.c"]': "update", "a.d[1]": "delete", "f": "add"}


def test_drift_is_what_applying_again_would_change_and_spelling_is_not() -> None:
    declared = {"spec": {"cpu": "1000m", "replicas": 1, "list": [{"n": "a"}]}}
    wanted = {"spec": {"cpu": "1", "replicas": 1, "list": [{"n": "a", "default": True}], "more": 1}}
    live = {"spec": {"cpu": "1", "replicas": 3, "list": [{"n": "b", "default": True}], "more": 2}}
    assert drifted(declared, wanted, live) == {"spec": {"cpu": "1000m", "replicas": 3, "list": [{"n": "b"}]}}


def test_secrets_are_hidden_wherever_the_api_server_has_put_them() -> None:
    raw = {"stringData": as_secret({"password": "long enough"}), "kind": "Secret"}
    encoded = base64.b64encode(b"long enough").decode()
    outputs = {"kind": "Secret", "data": {"password": encoded}, "stringData": {"password": "long enough"}, "x": encoded}
    hidden = hide(outputs, raw)
    assert hidden["data"] == as_secret({"password": encoded})
    assert hidden["stringData"] == as_secret({"password": "long enough"})
    assert hidden["x"] == as_secret(encoded)
    assert manifest_of({"kind": "Secret", "stringData": {"a": "b"}}) == {"kind": "Secret", "data": {"a": "Yg=="}}


def test_a_preview_keeps_what_the_server_added_and_drops_what_is_declared_no_longer() -> None:
    olds = {"data": {"a": "1", "gone": "secret"}, "metadata": {"name": "x", "uid": "u"}, "status": {}}
    old_inputs = {"data": {"a": "1", "gone": "secret"}, "metadata": {"name": "x"}}
    news = {"data": {"a": "2"}, "metadata": {"name": "x"}}
    assert foresee(olds, old_inputs, news) == {**olds, "data": {"a": "2"}}


def test_objects_are_ready_when_they_do_their_job() -> None:
    deployment: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"generation": 2},
        "spec": {"replicas": 2},
        "status": {"observedGeneration": 2, "updatedReplicas": 2, "availableReplicas": 1},
    }
    assert why_unready(deployment) == "1 of its 2 pods are available, 2 of them up to date"
    deployment["status"]["availableReplicas"] = 2
    assert why_unready(deployment) is None
    failed = {"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}
    job = {"apiVersion": "batch/v1", "kind": "Job", "spec": {}, "status": failed}
    with pytest.raises(FailedError, match="BackoffLimitExceeded"):
        why_unready(job)
    assert why_unready({"apiVersion": "v1", "kind": "Service", "spec": {"type": "ClusterIP"}}) is None
    assert why_unready({"apiVersion": "example.org/v1", "kind": "Thing"}) is None


def test_the_plugin_starts_without_the_rest_of_the_sdk() -> None:
    program = (
        "from scar_foundation.plugin.process import load_stubs; load_stubs()\n"
        "import sys; from scar_pulumi.stand_ins.kubernetes import lifecycle\n"
        "print(sorted({'pulumi.automation', 'pulumi_kubernetes', 'botocore'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
