"""An OscarCluster on a real API server, through the real engine: made, changed, drifted, taken down."""

import base64
from collections.abc import Callable, Iterator
from typing import Any, cast

import pulumi
import pytest

from scar_components import OscarCluster, OscarClusterArgs
from tests.kubernetes.api_server import Client
from tests.kubernetes.controllers import Controllers
from tests.kubernetes.stacks import Stacks
from tests.world.plugins import changes

SERVER = "/apis/apps/v1/namespaces/oscar/deployments/oscar"
SERVICE = "/api/v1/namespaces/oscar/services/oscar"
FILES = "/api/v1/namespaces/minio/persistentvolumeclaims/minio"
JOB = "/apis/batch/v1/namespaces/oscar-svc/jobs/populate-volume-job"
GIVEN = "a-password-that-was-given"


def program(**arguments: Any) -> Callable[[], None]:
    """Return a program with one cluster, whose files may be deleted with it."""

    def declare() -> None:
        given = {"volume": {"storage_class": "nfs"}, "minio": {"delete_data": True}, **arguments}
        made = OscarCluster("oscar", cast(OscarClusterArgs, given))
        pulumi.export("endpoint", made.endpoint)
        pulumi.export("password", made.password)
        pulumi.export("minio", made.minio_secret_key)

    return declare


def keeps_its_data() -> None:
    program(minio={}, service={"type": "LoadBalancer"})()


def on_a_class_of_one_node() -> None:
    program(volume={"storage_class": "gp3"})()


def with_knative() -> None:
    program(serverless_backend="knative")()


@pytest.fixture(scope="module")
def stacks(cluster: Client, controllers: Controllers, tmp_path_factory: pytest.TempPathFactory) -> Stacks:
    for name, provisioner in (("nfs", "nfs.csi.k8s.io"), ("gp3", "ebs.csi.aws.com")):
        document = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
        cluster.request("POST", "/apis/storage.k8s.io/v1/storageclasses", {**document, "provisioner": provisioner})
    return Stacks(tmp_path_factory.mktemp("stacks"), cluster.kubeconfig())


@pytest.fixture(scope="module")
def printed() -> list[str]:
    """Everything that the engine prints while the cluster is made."""
    return []


@pytest.fixture(scope="module")
def deployed(stacks: Stacks, printed: list[str]) -> Iterator[None]:
    """Return a cluster that is up; what is left of it is taken down."""
    stack = stacks.stack(program())
    preview = stack.preview(on_output=printed.append, diff=True)
    assert preview.change_summary == {"create": 27}
    made = stack.up(on_output=printed.append, diff=True)
    assert changes(made) == {"create": 27}
    yield
    stack.destroy()


def test_a_cluster_lives_through_changes_and_drift(deployed: None, stacks: Stacks, cluster: Client) -> None:
    again = stacks.stack(program()).preview()
    assert {name: count for name, count in again.change_summary.items() if name != "same"} == {}

    # Another image is an update in place; jobs never change, so the volume is filled anew by another one.
    before = cluster.get(JOB)["metadata"]["uid"]
    stack = stacks.stack(program(image="ghcr.io/grycap/oscar:4.1.3", supervisor_version="1.6.3"))
    assert changes(stack.up()) == {"update": 1, "replace": 1}
    assert cluster.get(SERVER)["spec"]["template"]["spec"]["containers"][0]["image"] == "ghcr.io/grycap/oscar:4.1.3"
    assert cluster.get(JOB)["metadata"]["uid"] != before

    # What somebody else has changed or deleted is found, and put right without a conflict.
    cluster.merge(SERVER, {"spec": {"replicas": 3}})
    cluster.request("DELETE", SERVICE)
    found = stack.refresh()
    assert changes(found) == {"update": 1, "delete": 1}
    assert changes(stack.up()) == {"update": 1, "create": 1}
    assert cluster.get(SERVER)["spec"]["replicas"] == 1
    assert cluster.exists(SERVICE)
    assert changes(stack.refresh()) == {}


def test_passwords_are_nowhere_in_clear(deployed: None, stacks: Stacks, cluster: Client, printed: list[str]) -> None:
    outputs = stacks.stack(program()).outputs()
    passwords = [outputs[name].value for name in ("password", "minio")]
    assert all(len(password) == 32 and outputs["password"].secret for password in passwords)

    # A password that is given reaches the server's Secret, and starts the server anew.
    before, server = revision(cluster), cluster.get(SERVER)["metadata"]["uid"]
    changed = stacks.stack(program(password=GIVEN))
    preview: list[str] = []
    changed.preview(on_output=preview.append, on_event=lambda event: preview.append(str(event)), diff=True, json=True)
    made = changed.up(on_output=printed.append, on_event=lambda event: printed.append(str(event)), diff=True)
    assert made.outputs["password"].value == GIVEN
    assert cluster.get(SERVER)["metadata"]["uid"] == server
    data = cluster.get("/api/v1/namespaces/oscar/secrets/oscar-auth")["data"]
    assert base64.b64decode(data["OSCAR_PASSWORD"]).decode() == GIVEN
    assert revision(cluster) != before

    state = "".join(path.read_text() for path in stacks.backend.rglob("*") if path.is_file())
    assert "GeneratedPassword" in state
    for password in [*passwords, GIVEN]:
        encoded = base64.b64encode(password.encode()).decode()
        for text in ("".join(printed), "".join(preview), state):
            assert password not in text
            assert encoded not in text


def test_destroying_leaves_the_files_in_minio_and_nothing_once_that_is_allowed(
    deployed: None, stacks: Stacks, cluster: Client
) -> None:
    made = stacks.stack(keeps_its_data).up()
    assert made.outputs["endpoint"].value == "http://192.0.2.7:8080"
    assert "is protected" in stacks.attempt(keeps_its_data, "destroy")[1]
    assert cluster.exists(FILES)
    assert not cluster.exists(SERVER)

    # They are there when the cluster comes back.
    files = cluster.get(FILES)["metadata"]["uid"]
    stack = stacks.stack(program())
    stack.up()
    assert cluster.get(FILES)["metadata"]["uid"] == files

    stack.destroy()
    names = {item["metadata"]["name"] for item in cluster.get("/api/v1/namespaces")["items"]}
    assert names.isdisjoint({"oscar", "oscar-svc", "minio"})
    roles = cluster.get("/apis/rbac.authorization.k8s.io/v1/clusterroles")["items"]
    assert not [role for role in roles if role["metadata"]["name"].startswith("oscar")]


def revision(cluster: Client) -> str:
    return str(cluster.get(SERVER)["spec"]["template"]["metadata"]["annotations"]["scar/credentials-revision"])


@pytest.mark.parametrize(
    ("declare", "reason"),
    [
        (on_a_class_of_one_node, "gp3 makes volumes that one node mounts at a time (ebs.csi.aws.com: EBS)"),
        (with_knative, "oscar-knative-serving-must-be-installed"),
    ],
)
def test_what_the_cluster_lacks_is_told_by_the_preview(
    stacks: Stacks, cluster: Client, declare: Callable[[], None], reason: str
) -> None:
    assert reason in stacks.attempt(declare, "preview")[1]
    assert not cluster.exists("/api/v1/namespaces/oscar")
