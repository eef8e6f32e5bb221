"""Functions of another architecture run where the kernel has an emulator, and say what is missing where not."""

import os
from pathlib import Path

import pytest

from scar_pulumi.cloud.runner.image import UnusableImageError, check_architecture

HERE, OTHER, MACHINE = {
    "x86_64": ("x86_64", "arm64", "aarch64"),
    "aarch64": ("arm64", "x86_64", "x86_64"),
}[os.uname().machine]


def register(folder: Path, state: str, flags: str) -> None:
    """As the kernel shows an entry, and beside it what is no entry."""
    entry = f"{state}\ninterpreter /usr/bin/qemu-{MACHINE}-static\nflags: {flags}\noffset 0\nmagic 7f454c46\n"
    (folder / f"qemu-{MACHINE}").write_text(entry)
    (folder / "status").write_text("enabled\n")
    (folder / "register").touch()


def test_the_machines_own_architecture_runs_whatever_is_registered(tmp_path: Path) -> None:
    check_architecture("f", HERE, tmp_path)


def test_an_emulator_that_reaches_into_containers_is_taken(tmp_path: Path) -> None:
    register(tmp_path, "enabled", "POCF")
    check_architecture("f", OTHER, tmp_path)


@pytest.mark.parametrize(("state", "flags"), [("disabled", "POCF"), ("enabled", "POC")])
def test_an_emulator_that_would_not_run_is_none(tmp_path: Path, state: str, flags: str) -> None:
    register(tmp_path, state, flags)
    with pytest.raises(UnusableImageError, match=f"f: its image is for {OTHER}, .* install qemu-user-static"):
        check_architecture("f", OTHER, tmp_path)


def test_without_any_emulator_the_function_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnusableImageError, match=f"f: its image is for {OTHER}"):
        check_architecture("f", OTHER, tmp_path / "none")
