"""OscarCluster's life under Pulumi's own kubernetes plugin and under the stand-in: step by step the same.

`make test-kubernetes-genuine` builds the plugin and runs this; `make test-kubernetes` leaves it out.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import pytest
from pulumi import automation

from scar_components import OscarCluster, OscarClusterArgs
from tests.kubernetes.api_server import Client
from tests.kubernetes.controllers import Controllers
from tests.kubernetes.stacks import Stacks
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS

ROOT = Path(__file__).parents[3]
SERVER = "/apis/apps/v1/namespaces/oscar/deployments/oscar"
SERVICE = "/api/v1/namespaces/oscar/services/oscar"
FILES = "/api/v1/namespaces/minio/persistentvolumeclaims/minio"
NEWER = "ghcr.io/grycap/oscar:4.1.3"


def program(image: str | None = None) -> Callable[[], None]:
    """Return a program with one cluster, whose files may be deleted with it."""

    def declare() -> None:
        given = {
            "volume": {"storage_class": "nfs"},
            "minio": {"delete_data": True},
            **({"image": image} if image else {}),
        }
        OscarCluster("oscar", cast(OscarClusterArgs, given))

    return declare


@pytest.fixture(scope="module")
def genuine() -> str:
    """Return the folder with the genuine plugin, which is built when it is missing."""
    command = [ROOT / "scripts" / "setup-kubernetes-plugin"]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture(scope="module")
def make_stacks(
    cluster: Client, controllers: Controllers, genuine: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], tuple[Stacks, Stacks]]]:
    """Return what makes the same stacks under the stand-in and under the genuine plugin."""
    document = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "nfs"}}
    cluster.request("POST", "/apis/storage.k8s.io/v1/storageclasses", {**document, "provisioner": "nfs.csi.k8s.io"})

    def make() -> tuple[Stacks, Stacks]:
        folder = tmp_path_factory.mktemp("stacks")
        return Stacks(folder, cluster.kubeconfig()), Stacks(folder, cluster.kubeconfig(), genuine)

    yield make
    cluster.request("DELETE", "/apis/storage.k8s.io/v1/storageclasses/nfs")


def known(stack: automation.Stack) -> list[str]:
    """Return the URNs and ids of a stack's objects."""
    resources = (stack.export_stack().deployment or {})["resources"]
    return sorted(f"{one['urn']} {one['id']}" for one in resources if one["type"].startswith("kubernetes:"))


# The genuine plugin makes up another field manager whenever it reads an object that the stack does not own, here the
# storage class, and so finds it changed each time.
READ = ("read", "discard")


def previewed(stack: automation.Stack) -> dict[str, int]:
    """Return what a preview counts."""
    return {name: count for name, count in stack.preview().change_summary.items() if count and name not in READ}


def done(result: automation.UpResult | automation.RefreshResult | automation.DestroyResult) -> dict[str, int]:
    """Return what an operation has done."""
    return {name: count for name, count in changes(result).items() if name not in READ}


def life(stacks: Stacks, cluster: Client) -> list[object]:
    """Return what each step of a cluster's life has done."""
    stack = stacks.stack(program())
    steps: list[object] = [previewed(stack), done(stack.up()), known(stack)]
    steps += [previewed(stack), done(stack.refresh())]
    stack = stacks.stack(program(NEWER))
    steps += [previewed(stack), done(stack.up())]
    cluster.merge(SERVER, {"spec": {"replicas": 3}})
    cluster.request("DELETE", SERVICE)
    steps += [done(stack.refresh()), done(stack.up()), cluster.get(SERVER)["spec"]["replicas"], known(stack)]
    return [*steps, done(stack.destroy())]


def test_every_step_does_the_same(make_stacks: Callable[[], tuple[Stacks, Stacks]], cluster: Client) -> None:
    stand_in, genuine = (life(stacks, cluster) for stacks in (make_stacks()[0], make_stacks()[1]))
    assert stand_in == genuine


@pytest.mark.parametrize("first", [0, 1], ids=["from the stand-in", "from the genuine plugin"])
def test_either_plugin_goes_on_with_what_the_other_made_and_destroys_it(
    make_stacks: Callable[[], tuple[Stacks, Stacks]], cluster: Client, first: int
) -> None:
    both = make_stacks()
    made, taken = both[first], both[1 - first]
    up = done(made.stack(program()).up())
    files = cluster.get(FILES)["metadata"]["uid"]

    assert previewed(taken.stack(program())).keys() == {"same"}
    assert done(taken.stack(program(NEWER)).up()) == {"update": 1}
    assert cluster.get(FILES)["metadata"]["uid"] == files
    assert cluster.get(SERVER)["spec"]["template"]["spec"]["containers"][0]["image"] == NEWER
    assert done(taken.stack(program(NEWER)).destroy()) == {"delete": up["create"]}
    assert not cluster.exists(SERVER)
