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
    (tmp_path / "__main__.py").write_text(PROGRAM.replace("IMAGE", repr(str(busybox_image))))
    settings = {"name": "shouting", "runtime": {"name": "python", "options": {"virtualenv": sys.prefix}}}
    (tmp_path / "Pulumi.yaml").write_text(json.dumps(settings))
    printed = terminal.scar("local", "env", "--json", cwd=tmp_path).json
    kept = {key: value for key, value in terminal.environment.items() if key not in printed["unset"]}
    environment = {**kept, **printed["environment"]}
    pulumi = shutil.which("pulumi", path=environment["PATH"]) or "pulumi"
    command = [pulumi, "up", "--yes", "--skip-preview", "--non-interactive", "--stack", "local"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield tmp_path
    terminal.scar("destroy", "--project", "shouting", "--yes", check=False)


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
