"""`scar-pulumi fdl`, and `--set`."""

import json
from pathlib import Path

import pytest

from scar_pulumi.fdl.json_schema import json_schema

from .conftest import FakeEngine, Scar

FILES = Path(__file__).parents[1] / "fdl" / "files"


@pytest.fixture(autouse=True)
def no_defaults_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_DEFAULTS", "")
    monkeypatch.setenv("SCAR_CONFIG_FOLDER", "")


def test_check_says_how_many_there_are_and_warns(scar: Scar) -> None:
    answer = scar("fdl", "check", FILES / "everything.yaml")
    assert answer.status == 0
    assert answer.stdout == f"{FILES / 'everything.yaml'}: 1 function, 2 services, no mistakes\n"
    assert "warning: " in answer.stderr
    document = scar("fdl", "check", FILES / "everything.yaml", "--json").json
    assert document["services"] == ["service1", "service1"]
    assert {warning["severity"] for warning in document["warnings"]} == {"warning"}


def test_check_tells_every_mistake_with_its_line(scar: Scar, fdl: Path) -> None:
    fdl.write_text("functions:\n  aws:\n  - lambda: {name: a b, memory: 1, container: {image: debian}}\n")
    answer = scar("fdl", "check", fdl)
    assert answer.status == 2
    assert [line.partition(" ")[0] for line in answer.stderr.splitlines()[:-1]] == [f"{fdl}:3:20", f"{fdl}:3:33"]


def test_show_masks_and_names_origins(scar: Scar, fdl: Path) -> None:
    answer = scar("fdl", "show", fdl, "--set", "lambda.memory=2048", "--json").json
    assert answer["document"]["functions"]["aws"][0]["lambda"]["memory"] == 2048
    assert answer["origins"]["functions.aws[0].lambda.memory"] == "--set lambda.memory=2048"
    assert "hunter2" not in scar("fdl", "show", FILES / "everything.yaml").stdout


def test_a_converted_file_is_right(scar: Scar, tmp_path: Path) -> None:
    new = tmp_path / "new.yaml"
    new.write_text(scar("fdl", "convert", FILES / "old.yaml").stdout)
    (tmp_path / "script.sh").write_text("#!/bin/sh\n")
    assert scar("fdl", "check", new).status == 0


def test_the_schema_is_printed(scar: Scar) -> None:
    assert json.loads(scar("fdl", "schema").stdout) == json_schema()


@pytest.mark.parametrize(("kind", "start"), [("text", "POST api"), ("mermaid", "flowchart"), ("svg", "<svg")])
def test_the_graph_is_drawn_in_each_format(scar: Scar, kind: str, start: str) -> None:
    assert scar("fdl", "graph", FILES / "everything.yaml", "--format", kind).stdout.startswith(start)


def test_what_cannot_be_deployed_is_refused_before_the_engine_starts(
    scar: Scar, engine: FakeEngine, tmp_path: Path
) -> None:
    path = tmp_path / "serverless.yaml"
    path.write_text("""\
functions:
  aws:
  - lambda: {name: a, execution_mode: batch, container: {image: debian}}
    batch: {memory: 1024, compute_resources: {type: FARGATE}}
""")
    answer = scar("up", path, "--yes")
    assert answer.status == 2
    said = f"{path}:4:21 functions.aws[0].batch.memory: 1024 MB does not fit 1 vCPUs on FARGATE; use 2048 to 8192"
    assert said in answer.stderr
    assert engine.asked == []


def test_set_changes_what_is_deployed_and_is_checked(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    assert scar("up", fdl, "--set", "lambda.memory=1024").status == 0
    assert engine.overrides == {"lambda.memory": "1024"}
    answer = scar("preview", fdl, "--set", "lambda.memory=64")
    assert answer.status == 2
    assert "--set lambda.memory=64 functions.aws[0].lambda.memory: 64 is below" in answer.stderr
    assert scar("preview", fdl, "--set", "lambda.memory").status == 2
