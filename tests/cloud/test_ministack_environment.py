"""MiniStack's own folder: made once, complete or not at all, and nothing of it reaches the user's process."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, distributions
from pathlib import Path

import botocore
import pytest
from packaging.requirements import Requirement

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud import LocalCloud, client, ministack_environment
from scar_pulumi.cloud.ministack_environment import (
    install_ministack,
    ministack_folder,
    ministack_version,
    with_ministack,
)

# What a user's process does; it prints which botocore it has after the cloud was started and used.
_USER = """
import json, os, sys
from pathlib import Path
import boto3, botocore
from scar_pulumi.cloud import LocalCloud
status = LocalCloud(Path(sys.argv[1])).start()
keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
boto3.client("s3", endpoint_url=status.endpoint, **keys).create_bucket(Bucket="mine")
queues = boto3.client("batch", endpoint_url=status.endpoint, **keys).describe_job_queues()["jobQueues"]
print(json.dumps([botocore.__version__, botocore.__file__, os.getpid(), status.pid, queues]))
"""


def test_a_user_keeps_a_botocore_that_ministack_would_not_have(tmp_path: Path) -> None:
    state, theirs = tmp_path / "state", tmp_path / "installed"
    package = _botocore_of_another_version(theirs)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _USER, str(state)],
            env={**os.environ, "PYTHONPATH": str(theirs)},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        version, file, user, daemon, queues = json.loads(done.stdout)
        assert (version, file, queues) == ("1.40.0", str(package / "__init__.py"), [])
        assert {int(path.name) for path in (tmp_path / "imported").iterdir()} == {user}
        assert user != daemon
    finally:
        LocalCloud(state).stop()


def _botocore_of_another_version(folder: Path) -> Path:
    """Return the installed botocore under another version number; it leaves a mark in each process that imports it."""
    package, marks = folder / "botocore", folder.with_name("imported")
    package.mkdir(parents=True)
    marks.mkdir()
    genuine = Path(botocore.__file__).parent
    for path in genuine.iterdir():
        if path.name not in ("__init__.py", "__pycache__"):
            (package / path.name).symlink_to(path)
    note = f"\n__version__ = '1.40.0'\nimport os, pathlib\n(pathlib.Path({str(marks)!r}) / str(os.getpid())).touch()\n"
    (package / "__init__.py").write_text((genuine / "__init__.py").read_text() + note)
    return package


def test_the_pins_are_complete_and_fit_together() -> None:
    """They are installed without looking for what they need."""
    pinned: dict[str, Distribution] = {_normal(found.name): found for found in distributions(path=[str(_folder())])}
    assert pinned["ministack"].version == ministack_version()
    for distribution in pinned.values():
        for requirement in map(Requirement, distribution.requires or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                found = pinned[_normal(requirement.name)]
                assert requirement.specifier.contains(found.version), (distribution.name, requirement)


def test_python_finds_ministack_before_what_the_user_has() -> None:
    assert with_ministack({"PYTHONPATH": "/mine"})["PYTHONPATH"] == f"{ministack_folder()}:/mine"
    assert with_ministack({"HOME": "/me"}) == {"HOME": "/me", "PYTHONPATH": str(ministack_folder())}


def _folder() -> Path:
    return install_ministack(print)


def _normal(name: str) -> str:
    return name.lower().replace("_", "-")


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a cache without MiniStack, as before the first start."""
    monkeypatch.setenv("SCAR_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ministack"


def _installing(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Have this program in place of pip: it gets `target`."""
    begin = "import pathlib, sys; target = pathlib.Path(sys.argv[-1]); target.mkdir()\n"

    @contextmanager
    def installer() -> Iterator[list[str]]:
        yield [sys.executable, "-c", begin + program]

    monkeypatch.setattr(ministack_environment, "_installer", installer)


def test_of_several_first_starts_one_installs(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installing(monkeypatch, "import time; time.sleep(0.2); (target / 'module.py').touch()")
    told: list[str] = []
    threads = [threading.Thread(target=install_ministack, args=(told.append,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert told == [f"installing the local cloud's MiniStack {ministack_version()} (once)"]
    assert [path.name for path in ministack_folder().iterdir()] == ["module.py"]
    assert install_ministack(told.append) == ministack_folder()
    assert len(told) == 1


def test_what_could_not_be_installed_whole_is_not_there(empty_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _installing(monkeypatch, "(target / 'half').touch(); sys.exit('ERROR: No matching distribution found')")
    with pytest.raises(LocalCloudError, match=r"(?s)cannot be installed; .*PIP_INDEX_URL.*:\n  ERROR: No matching"):
        install_ministack(print)
    assert not ministack_folder().exists()
    _installing(monkeypatch, "(target / 'whole').touch()")
    assert [path.name for path in install_ministack(print).iterdir()] == ["whole"]
    assert list(empty_cache.glob("*.partial")) == []


@pytest.mark.parametrize(
    ("present", "command"),
    [
        ({"pip", "uv", "ensurepip"}, [sys.executable, "-m", "pip"]),
        ({"uv", "ensurepip"}, [sys.executable, "-m", "uv", "pip", "install"]),
    ],
)
def test_pip_comes_first_then_uv(present: set[str], command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in present else None)
    with ministack_environment._installer() as found:
        assert found[: len(command)] == command


def test_without_either_pip_is_made_for_the_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name == "ensurepip" else None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with ministack_environment._installer() as command:
        assert Path(command[0]).is_file()
        assert subprocess.run([*command[:3], "--version"], check=True, capture_output=True).stdout.startswith(b"pip ")
    assert not Path(command[0]).exists()


def test_an_interpreter_that_cannot_install_is_told_what_it_needs(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(LocalCloudError, match=r"there is neither pip nor uv for .*; install one of them \(on "):
        install_ministack(print)


def test_a_start_without_ministack_installs_it_first(
    tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _installing(monkeypatch, "(target / 'ministack.py').touch()")
    look = "import ministack; raise SystemExit(ministack.__file__)"
    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", look))
    told: list[str] = []
    with pytest.raises(LocalCloudError, match=f"{ministack_folder()}/ministack.py"):
        LocalCloud(tmp_path / "state").start(told.append)
    assert told == [
        f"installing the local cloud's MiniStack {ministack_version()} (once)",
        "starting the local cloud",
    ]
