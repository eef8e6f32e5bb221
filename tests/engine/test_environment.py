"""Where the stand-ins for provider plugins are found: on local stacks that have no genuine one, and nowhere else."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from scar_foundation.directories import backend_directory, engine_directory
from scar_foundation.errors import InputError
from scar_pulumi.engine import Engine, stack_environment
from scar_pulumi.engine.environment import LOCAL_PASSPHRASE

PACKAGES = ("aws", "kubernetes")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "pulumi"


def stand_ins(stack: str, engine: Engine) -> list[str]:
    path = stack_environment(stack, engine=engine)["PATH"]
    found = {package: shutil.which(f"pulumi-resource-{package}", path=path) for package in PACKAGES}
    return [package for package, place in found.items() if place and Path(place).is_relative_to(engine_directory())]


def install(home: Path, package: str, version: str) -> None:
    plugin = home / "plugins" / f"resource-{package}-v{version}" / f"pulumi-resource-{package}"
    plugin.parent.mkdir(parents=True)
    plugin.touch(mode=0o755)


def test_local_stacks_have_them_and_others_do_not(engine: Engine) -> None:
    assert stand_ins("local", engine) == ["aws", "kubernetes"]
    assert stand_ins("organization/project/local-mine", engine) == ["aws", "kubernetes"]
    assert stand_ins("prod", engine) == []


def test_stacks_keep_the_plugin_that_they_were_made_with(
    engine: Engine, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert stand_ins("local", engine) == ["aws", "kubernetes"]
    checkpoint = backend_directory() / ".pulumi" / "stacks" / "video" / "local.json"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.touch()
    install(home, "aws", importlib.metadata.version("pulumi-aws"))
    assert stand_ins("local", engine) == ["aws", "kubernetes"]

    # Moving is asked for, and kept in its turn.
    monkeypatch.setenv("SCAR_LOCAL_PLUGINS", "genuine")
    with pytest.raises(InputError, match="plugin kubernetes: SCAR_LOCAL_PLUGINS asks for the genuine one"):
        stand_ins("local", engine)
    install(home, "kubernetes", importlib.metadata.version("pulumi-kubernetes"))
    assert stand_ins("local", engine) == []
    monkeypatch.delenv("SCAR_LOCAL_PLUGINS")
    assert stand_ins("local", engine) == []

    # An SDK that is newer than the plugin, or a home without plugins, is told with both ways out.
    monkeypatch.setenv("PULUMI_HOME", str(home / "another"))
    with pytest.raises(InputError, match="local stacks were made with the genuine one") as refused:
        stand_ins("local", engine)
    assert "pulumi plugin install resource aws v" in str(refused.value)
    assert "SCAR_LOCAL_PLUGINS=stand-in" in str(refused.value)
    monkeypatch.setenv("SCAR_LOCAL_PLUGINS", "stand-in")
    assert stand_ins("local", engine) == ["aws", "kubernetes"]

    # Once the last stack is gone, the choice is free again.
    checkpoint.unlink()
    monkeypatch.delenv("SCAR_LOCAL_PLUGINS")
    monkeypatch.setenv("PULUMI_HOME", str(home))
    assert stand_ins("local", engine) == []


def test_a_choice_that_is_none_is_told(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCAR_LOCAL_PLUGINS", "standin")
    with pytest.raises(InputError, match="'standin' is neither 'genuine' nor 'stand-in'"):
        stand_ins("local", engine)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_genuine_plugin_takes_the_place_of_its_own_alone(engine: Engine, home: Path, package: str) -> None:
    install(home, package, "1.0.0")  # one that the engine would not take for this SDK
    assert stand_ins("local", engine) == ["aws", "kubernetes"]
    install(home, package, importlib.metadata.version(f"pulumi-{package}"))
    assert stand_ins("local", engine) == [other for other in PACKAGES if other != package]


def test_state_with_a_passphrase_of_its_own_is_refused_with_the_way_out(engine: Engine, tmp_path: Path) -> None:
    assert stack_environment("local", engine=engine)["PULUMI_CONFIG_PASSPHRASE"] == LOCAL_PASSPHRASE
    (tmp_path / "state" / "passphrase").write_text("random")
    with pytest.raises(InputError, match="`scar-pulumi local reset` deletes them"):
        stack_environment("local", engine=engine)
    assert "PULUMI_CONFIG_PASSPHRASE" not in stack_environment("prod", engine=engine)
