"""Where files are kept, and the locks on them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scar_foundation import directories
from scar_foundation.files import mark_used, remove_unused
from scar_foundation.locks import exclusive, try_lock


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCAR_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


def test_directories_are_made_for_their_owner_only(home: Path) -> None:
    made = [
        directories.engine_directory(),
        directories.image_cache("layers"),
        directories.backend_directory(),
        directories.project_directory("mine"),
    ]

    assert [path.relative_to(home).as_posix() for path in made] == [
        "cache/engine",
        "cache/layers",
        "state/pulumi",
        "state/projects/mine",
    ]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}


def test_asking_for_a_file_or_for_the_local_cloud_makes_neither(home: Path) -> None:
    assert not directories.passphrase_file().exists()
    assert not directories.local_cloud_directory().exists()


def test_without_settings_of_our_own_the_base_directories_are_the_users(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SCAR_CACHE_DIR", "SCAR_STATE_DIR", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "xdg"))
    monkeypatch.setenv("HOME", str(home))

    assert directories.cache_directory() == home / "xdg" / "scar-pulumi"
    assert directories.state_directory() == home / ".local" / "state" / "scar-pulumi"


def test_a_lock_keeps_other_processes_out_until_it_is_released(home: Path) -> None:
    path = directories.lock_file(home / "layers" / "one")
    code = (
        "import sys; from pathlib import Path; from scar_foundation.locks import try_lock;"
        "print(try_lock(Path(sys.argv[1]).open('a')))"
    )

    def other() -> str:
        return subprocess.run(
            [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
        ).stdout

    with exclusive(path):
        assert other() == "False\n"
        assert path.read_text() == str(os.getpid())
    assert other() == "True\n"
    with path.open("a") as file:
        assert try_lock(file)


def test_files_that_nobody_used_for_a_month_go(home: Path) -> None:
    folder = directories.image_cache("layers")
    old, recent = folder / "old", folder / "recent"
    for path in (old, recent):
        path.write_text("x")
        os.utime(path, (0, 0))

    assert mark_used(recent)
    assert not mark_used(folder / "missing")
    remove_unused(folder)

    assert [path.name for path in folder.iterdir()] == ["recent"]
