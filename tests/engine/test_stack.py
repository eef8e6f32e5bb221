"""Operations on a stack through the Automation API, with the real engine and a cloud of files."""

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from scar_foundation.errors import InputError
from scar_pulumi.engine import Changes, OperationFailedError, Stack
from tests.engine.file_cloud import NoCloud, Thing

Open = Callable[..., Stack]

# Pulumi's language server leaves event loops open when a program fails.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def open_stack(world: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    def open_(program: Callable[[], None] | None = None, name: str = "local", **options: Any) -> Stack:
        path = options.pop("fdl_path", os.environ["ENGINE_FDL"])
        options = {"stream": io.StringIO(), "cloud": NoCloud(), **options}
        return Stack(path, name, program=program, **options)

    return open_


def declare(*names: str, size: int = 1, failing: str = "") -> Callable[[], None]:
    def program() -> None:
        for name in names:
            Thing(name, size=size)
        if failing:
            raise pulumi.RunError(failing)
        pulumi.export("names", list(names))
        pulumi.export("token", pulumi.Output.secret("hunter2"))

    return program


def test_a_stack_is_previewed_deployed_changed_and_destroyed(open_stack: Open, world: Path) -> None:
    preview = open_stack(declare("a", "b")).preview()
    assert preview.changes == Changes(create=3)  # with the stack itself
    assert sorted(step.name for step in preview.steps) == ["a", "b", "my-video-local"]
    assert {step.operation for step in preview.steps} == {"create"}
    assert [step.inputs["size"] for step in preview.steps if step.name in {"a", "b"}] == [1, 1]
    assert not list(world.iterdir())

    up = open_stack(declare("a", "b")).up()
    assert up.changes == Changes(create=3)
    assert up.outputs == {"names": ["a", "b"], "token": "[secret]"}
    assert list(up.seconds) == ["engine", "local cloud", "stack", "up"]
    assert sorted(path.name for path in world.iterdir()) == ["a", "b"]

    assert open_stack(declare("a", "b")).up().changes == Changes(same=3)
    assert open_stack(declare("a", "b", size=2)).up().changes == Changes(update=2, same=1)
    assert open_stack(declare("b", size=2)).up().changes == Changes(delete=1, same=2)

    (world / "b").unlink()
    assert open_stack().refresh().changes.delete == 1
    assert open_stack(declare("b", size=2)).up().changes == Changes(create=1, same=1)
    assert open_stack().outputs() == {"names": ["b"], "token": "[secret]"}
    assert open_stack(fdl_path=None, directory=world).outputs()["names"] == ["b"]  # the only project there is

    destroyed = open_stack().destroy()
    assert (destroyed.changes, destroyed.outputs) == (Changes(delete=2), {})
    assert not list(world.iterdir())


def test_errors_of_a_provider_and_of_the_program_are_told_without_traceback(open_stack: Open) -> None:
    stream = io.StringIO()
    with pytest.raises(OperationFailedError) as failed:
        open_stack(declare("a", "taken"), stream=stream).up()
    assert str(failed.value) == ("up of stack local failed: taken: ValueError: the name is taken; choose another")
    assert " + pulumi-python:dynamic/tests:Thing a created (" in stream.getvalue()
    assert " ! pulumi-python:dynamic/tests:Thing taken failed while creating (" in stream.getvalue()
    assert stream.getvalue().count("the name is taken") == 1
    assert "Traceback" not in stream.getvalue()

    with pytest.raises(OperationFailedError) as failed:
        open_stack(declare("a", failing="video.yaml:3:4: bad memory; use 128")).preview()
    assert str(failed.value) == "preview of stack local failed: video.yaml:3:4: bad memory; use 128"


def test_a_project_is_only_read_and_its_configuration_counts(open_stack: Open, tmp_path: Path) -> None:
    project = Path(os.environ["ENGINE_FDL"]).parent
    (project / "Pulumi.yaml").write_text(
        "name: named\nruntime: nodejs\nmain: stacks\nstackConfigDir: stacks\nconfig:\n  app:level: {value: low}\n"
    )
    (project / "stacks").mkdir()
    (project / "stacks" / "Pulumi.local.yaml").write_text("config:\n  app:colour: green\n  app:shape: round\n")
    before = {path: path.read_bytes() for path in project.rglob("*") if path.is_file()}

    def program() -> None:
        config = pulumi.Config("app")
        values = [config.get(key) for key in ("level", "colour", "shape")]
        pulumi.export("all", [*values, pulumi.Config("scar").get("fdl")])

    result = open_stack(program, config={"app:shape": "square"}).up()
    assert result.outputs["all"] == ["low", "green", "square", os.environ["ENGINE_FDL"]]
    assert {path: path.read_bytes() for path in project.rglob("*") if path.is_file()} == before
    generated = tmp_path / "the state" / "projects" / "named"
    assert yaml.safe_load((generated / "Pulumi.yaml").read_text())["name"] == "named"
    open_stack().destroy()


def test_a_stack_that_does_not_exist_is_an_input_error(open_stack: Open, tmp_path: Path) -> None:
    for verb in ("outputs", "destroy", "refresh"):
        with pytest.raises(InputError, match="stack local of my-video does not exist"):
            getattr(open_stack(), verb)()
    with pytest.raises(InputError, match=r"nowhere\.yaml: there is no such file"):
        open_stack(fdl_path=tmp_path / "nowhere.yaml")
    with pytest.raises(InputError, match="is not in a project, and no stack of that name was deployed"):
        open_stack(fdl_path=None, directory=tmp_path)


def test_stacks_that_are_not_local_keep_their_backend_and_project_directory(
    open_stack: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Path(os.environ["ENGINE_FDL"]).parent
    (project / "Pulumi.yaml").write_text("name: named\nruntime: python\n")
    (tmp_path / "own backend").mkdir()
    monkeypatch.setenv("PULUMI_BACKEND_URL", (tmp_path / "own backend").as_uri())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "theirs")

    def program() -> None:
        pulumi.export("shape", pulumi.Config("app").get("shape"))

    with pytest.raises(InputError, match="stack prod of named does not exist"):
        open_stack(name="prod").outputs()
    assert open_stack(program, "prod", config={"app:shape": "square"}).up().outputs == {"shape": "square"}
    assert (tmp_path / "own backend" / ".pulumi" / "stacks" / "named" / "prod.json").exists()
    assert not (tmp_path / "the state" / "pulumi").exists() or not list((tmp_path / "the state" / "pulumi").iterdir())
    assert "shape" not in (project / "Pulumi.prod.yaml").read_text()
    open_stack(name="prod").destroy()
