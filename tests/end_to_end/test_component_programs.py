"""A program that uses the components without FDL and exports nothing: the verbs find what it has deployed."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Terminal

pytestmark = pytest.mark.xdist_group("main_job")

PROGRAM = """
import pulumi
from scar_components import ApiGatewayEndpoint, LambdaContainerFunction, StorageBucket

bucket = StorageBucket("programs-photos", {"bucket": "programs-photos"})
shout = LambdaContainerFunction("shout", {
    "image_file": IMAGE,
    "script": "shout.sh",
    "inputs": [{"provider": "s3.default", "path": "programs-photos/in"}],
})
ApiGatewayEndpoint("shouting", {"functions": [{"function_name": "shout", "function_arn": shout.arn}]})
"""


@pytest.fixture
def program(terminal: Terminal, tmp_path: Path, busybox_image: Path) -> Iterator[Path]:
    """Return the folder of a deployed program."""
    (tmp_path / "shout.sh").write_text('#!/bin/sh\ntr a-z A-Z < "$INPUT_FILE_PATH"\n')
    _up(terminal, tmp_path, "shouting", PROGRAM.replace("IMAGE", repr(str(busybox_image))))
    yield tmp_path
    terminal.scar("destroy", "--project", "shouting", "--yes", check=False)


def _up(terminal: Terminal, folder: Path, project: str, program: str) -> None:
    (folder / "__main__.py").write_text(program)
    settings = {"name": project, "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
    (folder / "Pulumi.yaml").write_text(json.dumps(settings))
    printed = terminal.scar("local", "env", "--json", cwd=folder).json
    kept = {key: value for key, value in terminal.environment.items() if key not in printed["unset"]}
    environment = {**kept, **printed["environment"]}
    pulumi = shutil.which("pulumi", path=environment["PATH"]) or "pulumi"
    command = [pulumi, "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_a_program_has_deployed_is_listed_called_and_destroyed(terminal: Terminal, program: Path) -> None:
    listed = terminal.scar("ls", "--project", "shouting", "--json").json
    (function,) = listed["functions"]
    assert (function["name"], function["inputs"][0]["path"]) == ("shout", "programs-photos/in")
    assert function["url"].endswith("/scar/launch")
    assert [bucket["name"] for bucket in listed["buckets"] if bucket["project"]] == ["programs-photos"]
    assert terminal.scar("invoke", "shout", "--data", "hey", cwd=program).stdout.strip() == "HEY"
    assert terminal.scar("invoke", "shout", "--direct", "--data", "hey").stdout.strip() == "HEY"
    assert "HEY" in terminal.scar("logs", "shout").stdout
    refused = terminal.scar("destroy", "--project", "shouting", check=False)
    assert (refused.status, "to be deleted: function shout\n" in refused.stderr) == (2, True)
    assert terminal.scar("destroy", "--project", "shouting", "--yes", "--json").json["changes"]["delete"] > 10
    assert terminal.scar("ls", "--project", "shouting", check=False).status == 1


SORTING = """
import pulumi
from scar_components import BucketTriggers, MapReduce, StorageBucket

bucket = StorageBucket("programs-pairs", {"bucket": "programs-pairs"})
sort = MapReduce("sorting", {
    "image_file": IMAGE,
    "mapper": {"script": "map.sh", "memory": 256},
    "reducer": {"script": "reduce.sh", "memory": 256},
    "format": {"max_record": 1},
    "inputs": [{"provider": "s3.default", "path": bucket.bucket.apply(lambda name: name + "/in")}],
    "output": {"provider": "s3.default", "path": "programs-pairs/out"},
})
trigger = {"function_name": "sorting-plan", "function_arn": sort.plan_function_arn, "prefix": "in/"}
BucketTriggers("pairs", {"bucket": bucket.bucket, "triggers": [trigger]})
"""


def test_a_mapreduce_of_a_program_is_found_and_run_by_its_name(
    terminal: Terminal, tmp_path: Path, busybox_image: Path
) -> None:
    (tmp_path / "map.sh").write_text('#!/bin/sh\ncat "$INPUT_FILE_PATH"\n')
    (tmp_path / "reduce.sh").write_text("#!/bin/sh\ncat\n")
    _up(terminal, tmp_path, "sorting", SORTING.replace("IMAGE", repr(str(busybox_image))))
    try:
        listed = terminal.scar("ls", "--project", "sorting", "--json").json
        assert [(one["name"], one["engine"]) for one in listed["mapreduces"]] == [("sorting", "lambda")]
        assert listed["functions"] == []
        (tmp_path / "pairs").write_bytes(b"b\t2\na\t3\na\t1\n")
        run = terminal.scar("invoke", "sorting", "--file", tmp_path / "pairs", "--json").json["run"]
        assert run["output"] == "programs-pairs/out/pairs/"
        terminal.scar("get", "programs-pairs/out/pairs/part-00000", tmp_path / "got")
        assert sorted((tmp_path / "got" / "part-00000").read_text().splitlines()) == ["a\t1", "a\t3", "b\t2"]
        # The event of the object is the same run.
        terminal.scar("put", "programs-pairs/in", tmp_path / "pairs")
        assert [one["id"] for one in terminal.scar("jobs", "ls", "sorting", "--json").json["jobs"]] == [run["id"]]
    finally:
        terminal.scar("destroy", "--project", "sorting", "--yes", check=False)
