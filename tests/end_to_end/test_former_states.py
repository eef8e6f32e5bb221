"""Stacks that were made while our resources were dynamic ones."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.dynamic import CreateResult, Resource, ResourceProvider

from scar_components import StorageBucket
from scar_foundation.directories import backend_directory
from scar_foundation.errors import InputError
from scar_pulumi.cloud import LocalCloud
from scar_pulumi.engine import Stack, find_engine, stack_environment
from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS


class FormerProvider(ResourceProvider):
    """Stands for the dynamic provider that buckets had: the bucket is there, and this was its state."""

    def create(self, props: dict[str, Any]) -> CreateResult:
        return CreateResult("former", {**props, "managed": True})


class Former(Resource, module="scar", name="StorageBucket"):
    managed: pulumi.Output[bool]

    def __init__(self, name: str) -> None:
        facts = {"bucket": "former", "tags": {}, "region": "us-east-1", "owner": "organization/stand-ins/local"}
        super().__init__(FormerProvider(), name, {**facts, "managed": None})


def former() -> None:
    Former("b")


def present() -> None:
    pulumi.export("managed", StorageBucket("b", {"bucket": "former"}).managed)


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("PATH", stack_environment("dev", engine=find_engine())["PATH"])
    cloud = LocalCloud(tmp_path / "cloud")
    cloud.start()
    yield Bench(tmp_path, cloud.environment()["AWS_ENDPOINT_URL"])
    cloud.stop()


def test_up_takes_them_over_as_they_are(bench: Bench) -> None:
    client(bench.endpoint, "s3").create_bucket(Bucket="former")
    bench.stack(former).up()
    stack = bench.stack(present)
    made = stack.up()
    assert changes(made) == {}
    assert made.outputs["managed"].value is True
    deployment: Any = stack.export_stack().deployment
    types = [resource["type"] for resource in deployment["resources"]]
    assert "scar:index:StorageBucket" in types
    assert "pulumi-python:dynamic/scar:StorageBucket" not in types
    stack.destroy()
    assert client(bench.endpoint, "s3").head_bucket(Bucket="former")


@pytest.mark.parametrize("verb", ["refresh", "destroy"])
def test_what_runs_no_program_refuses_them_with_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: photos\nruntime: python\n")
    checkpoint = backend_directory() / ".pulumi" / "stacks" / "photos" / "local.json"
    checkpoint.parent.mkdir(parents=True)
    resource = {"urn": "urn:pulumi:local::photos::x::b", "type": "pulumi-python:dynamic/scar:StorageBucket"}
    checkpoint.write_text(json.dumps({"version": 3, "checkpoint": {"latest": {"resources": [resource]}}}))
    stack = Stack(None, "local")
    with pytest.raises(InputError, match="run `scar-pulumi up` once"):
        getattr(stack, verb)()
    assert checkpoint.exists()
