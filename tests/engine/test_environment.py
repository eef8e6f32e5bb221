"""Where the stand-ins for provider plugins are found: on local stacks that have no genuine one, and nowhere else."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest

from scar_foundation.directories import engine_directory
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
