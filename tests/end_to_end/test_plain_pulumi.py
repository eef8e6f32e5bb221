import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .conftest import Project, Terminal

pytestmark = pytest.mark.xdist_group("main_job")

REPOSITORY = Path(__file__).parents[2]
COPY = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/copy"'


class Clone:
    """A fresh clone of this repository, in which lines are typed as they are printed."""

    def __init__(self, folder: Path, state: Path) -> None:
        subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)
        self.folder = folder
        others = ("AWS_", "PULUMI_", "SCAR_STATE", "PYTHON", "VIRTUAL_ENV")
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(others)},
            "SCAR_STATE_DIR": str(state),
            # Not the environment of the tests, but the Python that it was made with.
            "PATH": os.pathsep.join([f"{sys.base_prefix}/bin", os.environ["PATH"]]),
            "PULUMI_SKIP_CONFIRMATIONS": "true",
        }

    def type(self, *lines: str, **variables: str) -> str:
        """Run the lines in one shell, which must succeed; return what they print."""
        done = subprocess.run(
            ["sh", "-ec", "\n".join(lines)], cwd=self.folder, env=self.environment | variables,
            capture_output=True, text=True, timeout=900, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def printed_in_readme(heading: str) -> list[str]:
    """Return the lines of the first block of shell commands below a heading."""
    section = (REPOSITORY / "README.md").read_text().partition(f"\n## {heading}\n")[2]
    return section.partition("```sh\n")[2].partition("```")[0].splitlines()


def test_the_lines_of_the_readme_work_in_a_fresh_clone_and_on_a_second_machine(tmp_path: Path) -> None:
    clone = Clone(tmp_path / "clone", tmp_path / "state")
    lines = printed_in_readme("As a Pulumi project")
    assert lines[-1] == "pulumi up -s local"
    enter = [line for line in lines if "activate" in line or "local env" in line]
    second = {"SCAR_STATE_DIR": str(tmp_path / "second")}
    try:
        clone.type(*lines)
        assert "cowsay" in clone.type(*enter, "pulumi stack output functions -s local")
        assert clone.type("git status --porcelain") == ""

        preview = "pulumi preview --json -s"
        assert {step["op"] for step in json.loads(clone.type(*enter, f"{preview} local"))["steps"]} == {"same"}
        planned = json.loads(clone.type(*enter, f"{preview} local", **second))
        assert {step["op"] for step in planned["steps"]} == {"create"}

        examples = clone.folder / "stacks" / "examples"
        shutil.copy(examples / "cowsay" / "cowsay.tar", examples / "thumbnails" / "imagemagick.tar")
        planned = json.loads(clone.type(*enter, "pulumi stack init dev >&2", f"{preview} dev"))
        assert any("thumbnails" in step["urn"] for step in planned["steps"])

        clone.type(enter[0], "scar-pulumi local reset --yes")
        planned = json.loads(clone.type(*enter, f"{preview} local"))
        assert {step["op"] for step in planned["steps"]} == {"create"}
    finally:
        for variables in ({}, second):
            clone.type(enter[0], "scar-pulumi local stop", **variables)


class Pulumi:
    """The plain `pulumi` command in a project, with what `scar-pulumi local env` sets."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.folder = folder
        printed = terminal.scar("local", "env", "--json", cwd=folder).json
        kept = {key: value for key, value in terminal.environment.items() if key not in printed["unset"]}
        self.environment = {**kept, **printed["environment"]}

    def __call__(self, *arguments: str) -> str:
        command = ["pulumi", *arguments, "--non-interactive", "--stack", "local"]
        command[0] = shutil.which("pulumi", path=self.environment["PATH"]) or "pulumi"
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def plain(project: Project, terminal: Terminal) -> Pulumi:
    """Return a Pulumi project like this repository's own, around an FDL file."""
    project.function("plain", COPY, "plain-files/in", "plain-files/out")
    project.write()
    (project.folder / "stacks").mkdir()
    shutil.copy(REPOSITORY / "stacks/__main__.py", project.folder / "stacks")
    settings = (REPOSITORY / "Pulumi.yaml").read_text()
    settings = settings.replace("stacks/examples/cowsay/cowsay.yaml", project.fdl.name)
    (project.folder / "Pulumi.yaml").write_text(settings)
    return Pulumi(terminal, project.folder)


def resources(deployment: Any) -> dict[str, str]:
    return {step["urn"]: step["op"] for step in deployment["steps"]}


def test_pulumi_in_the_project_and_our_own_verbs_mean_the_same_stack(
    plain: Pulumi, project: Project, terminal: Terminal
) -> None:
    planned = resources(json.loads(plain("preview", "--json")))
    ours = terminal.scar("preview", project.fdl, "--json").json
    assert planned == {resource["urn"]: resource["op"] for resource in ours["resources"]}
    assert set(planned.values()) == {"create"}

    plain("up", "--yes")
    assert terminal.up(project.fdl)["changes"]["same"] == len(planned)
    assert json.loads(plain("stack", "output", "--json"))["buckets"] == [{"name": "plain-files", "managed": True}]

    plain("refresh", "--yes")
    assert set(resources(json.loads(plain("preview", "--json"))).values()) == {"same"}
    plain("destroy", "--yes")
    assert terminal.scar("ls", "plain-files", "--json").status == 0


def test_a_mistake_in_the_file_is_a_sentence_in_plain_pulumi_too(plain: Pulumi, project: Project) -> None:
    project.functions[0]["memory"] = 64
    project.write()
    with pytest.raises(AssertionError) as failed:
        plain("preview")
    told = str(failed.value)
    assert f"{project.fdl.name}:" in told
    assert "64 is below Lambda's minimum of 128 (MB)" in told
    assert "Traceback" not in told
