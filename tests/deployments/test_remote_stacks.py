"""Stacks of programs elsewhere are found in the backend that Pulumi is signed in to; the engine is the real one."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.errors import ScarError
from scar_pulumi.deployments import Deployments
from scar_pulumi.engine import find_engine
from tests.world.deployed import FUNCTION


def _deployment(functions: dict[str, Any], project: str, stack: str) -> dict[str, Any]:
    urn = f"urn:pulumi:{stack}::{project}::pulumi:pulumi:Stack::{project}-{stack}"
    outputs = {"functions": functions, "buckets": []}
    whole = {"urn": urn, "custom": False, "type": "pulumi:pulumi:Stack", "outputs": outputs}
    manifest = {"time": "2026-12-01T00:00:00Z", "magic": "", "version": ""}
    latest = {"manifest": manifest, "resources": [whole], "metadata": {}}
    return {"version": 3, "checkpoint": {"stack": f"organization/{project}/{stack}", "latest": latest}}


_ENGINE = find_engine(print)
"""Found or made before each test gets a cache of its own."""


@pytest.fixture
def backend(directories: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a backend of files with stacks of two projects, and a directory that belongs to no project."""
    backend = directories / "backend"
    stacks = backend / ".pulumi" / "stacks"
    for project, stack, name in (("shop", "dev", "resize"), ("shop", "prod", "resize"), ("lab", "dev", "sort")):
        (stacks / project).mkdir(parents=True, exist_ok=True)
        document = _deployment({name: {**FUNCTION, "arn": f"arn:{project}:{name}"}}, project, stack)
        (stacks / project / f"{stack}.json").write_text(json.dumps(document))
    (backend / ".pulumi" / "meta.yaml").write_text("version: 1\n")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{backend}")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    monkeypatch.setenv("PATH", f"{_ENGINE.command.parent}:{os.environ['PATH']}")
    return backend


def test_functions_are_found_from_any_directory(backend: Path) -> None:
    assert Deployments.find("dev").function("resize").arn == "arn:shop:resize"
    assert [stack.project for stack in Deployments.find("dev").stacks] == ["lab", "shop"]
    assert [stack.project for stack in Deployments.find("prod").stacks] == ["shop"]
    assert Deployments.find("dev", project="lab").function("sort").arn == "arn:lab:sort"


def test_where_nothing_is_found_the_message_says_what_to_do(
    backend: Path, directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ScarError, match=r"stack test: nothing is deployed; .*`pulumi login`, or PULUMI_BACKEND_URL"):
        Deployments.find("test").function("resize")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{directories / 'nowhere'}")
    with pytest.raises(ScarError, match="stack dev: nothing is deployed"):
        Deployments.find("dev").function("resize")
