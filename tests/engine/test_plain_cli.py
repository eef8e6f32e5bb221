"""Plain `pulumi` commands on a Python project, through our language host where the CLI has none of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.engine import Engine, stack_environment

Run = Callable[..., subprocess.CompletedProcess[str]]

_PROGRAM = """
import sys
import pulumi
from tests.engine.file_cloud import Thing
config = pulumi.Config()
if mode := config.get("mode"):
    print("printed by the program")
    if mode == "run-error":
        raise pulumi.RunError("video.yaml:3:4: bad memory; use 128")
    if mode == "bug":
        raise KeyError("functions")
    sys.exit(3)
Thing("a")
pulumi.export("python", sys.executable)
pulumi.export("root", pulumi.get_root_directory())
pulumi.export("secret", config.get_secret("token"))
"""

_COMPONENT = """
from typing import Optional, TypedDict
import pulumi
from pulumi.provider.experimental import component_provider_host
class PairArgs(TypedDict):
    first: pulumi.Input[str]
class Pair(pulumi.ComponentResource):
    second: pulumi.Output[str]
    def __init__(self, name: str, args: PairArgs, opts: Optional[pulumi.ResourceOptions] = None) -> None:
        super().__init__("pairs:index:Pair", name, None, opts)
        self.second = pulumi.Output.from_input(args["first"])
        self.register_outputs({"second": self.second})
component_provider_host(name="pairs", components=[Pair])
"""


@pytest.fixture
def project(world: Path) -> Path:
    directory = Path(os.environ["ENGINE_FDL"]).parent
    (directory / "Pulumi.yaml").write_text("name: plain\nruntime: python\nmain: stacks\nstackConfigDir: stacks\n")
    (directory / "stacks").mkdir()
    (directory / "stacks" / "__main__.py").write_text(_PROGRAM)
    return directory


@pytest.fixture
def pulumi_(project: Path, engine: Engine) -> Run:
    environment = {**os.environ, **stack_environment("local", None, engine)}

    def run(*arguments: str, code: int = 0, directory: Path = project) -> subprocess.CompletedProcess[str]:
        command = ["pulumi", "--non-interactive", "--color", "never", *arguments]
        done = subprocess.run(
            command, cwd=directory, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run


def test_a_program_is_previewed_deployed_and_destroyed(pulumi_: Run, project: Path, world: Path) -> None:
    pulumi_("stack", "init", "local")
    pulumi_("config", "set", "--secret", "token", "hunter2", "-s", "local")
    assert "+ 2 to create" in pulumi_("preview", "-s", "local").stdout
    assert not list(world.iterdir())

    pulumi_("up", "--yes", "--skip-preview", "-s", "local")
    outputs = json.loads(pulumi_("stack", "output", "--json", "-s", "local").stdout)
    assert outputs == {"python": sys.executable, "root": str(project), "secret": "[secret]"}
    assert [path.name for path in world.iterdir()] == ["a"]
    again = pulumi_("up", "--yes", "--skip-preview", "-s", "local").stdout
    assert "2 unchanged" in again
    assert "warning" not in again
    pulumi_("destroy", "--yes", "--skip-preview", "-s", "local")
    assert not list(world.iterdir())


def test_errors_look_as_with_the_genuine_host(pulumi_: Run) -> None:
    pulumi_("stack", "init", "local")
    shown = pulumi_("preview", "-s", "local", "-c", "mode=run-error", code=1).stdout
    assert "error: video.yaml:3:4: bad memory; use 128" in shown
    assert "error: an unhandled error occurred: Program exited with non-zero exit code: 1" in shown
    assert "printed by the program" in shown
    assert "Traceback" not in shown

    shown = pulumi_("preview", "-s", "local", "-c", "mode=bug", code=1).stdout
    assert "error: Program failed with an unhandled exception:" in shown
    assert "KeyError: 'functions'" in shown
    assert "non-zero exit code" not in shown  # the engine is told that the error has been shown

    assert (
        "Program exited with non-zero exit code: 3"
        in pulumi_("preview", "-s", "local", "-c", "mode=exit", code=1).stdout
    )


def test_a_missing_virtual_environment_of_the_project_is_named(pulumi_: Run, project: Path) -> None:
    options = "runtime: {name: python, options: {virtualenv: venv}}"
    (project / "Pulumi.yaml").write_text(f"name: plain\n{options}\nmain: stacks\n")
    pulumi_("stack", "init", "local")
    done = pulumi_("preview", "-s", "local", code=1)
    assert f"the virtual environment {project / 'venv'} of the runtime options does not exist" in done.stderr


def test_a_virtual_environment_is_relative_to_the_project_for_programs_and_dynamic_resources(
    pulumi_: Run, project: Path, world: Path
) -> None:
    options = "runtime: {name: python, options: {virtualenv: .venv}}"
    (project / "Pulumi.yaml").write_text(f"name: plain\n{options}\nmain: stacks\nstackConfigDir: stacks\n")
    (project / ".venv").symlink_to(sys.prefix)
    pulumi_("stack", "init", "local")
    pulumi_("up", "--yes", "--skip-preview", "-s", "local")
    python = json.loads(pulumi_("stack", "output", "--json", "-s", "local").stdout)["python"]
    assert python == str(project / ".venv" / "bin" / "python")
    assert [path.name for path in world.iterdir()] == ["a"]


def test_a_component_package_is_served(pulumi_: Run, tmp_path: Path) -> None:
    package = tmp_path / "pairs"
    package.mkdir()
    (package / "PulumiPlugin.yaml").write_text("runtime: python\n")
    (package / "__main__.py").write_text(_COMPONENT)
    schema = json.loads(pulumi_("package", "get-schema", str(package), directory=tmp_path).stdout)
    assert list(schema["resources"]) == ["pairs:index:Pair"]
