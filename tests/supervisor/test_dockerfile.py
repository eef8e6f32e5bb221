"""The Dockerfile says the same as bundle.py, and builds the same layer where there is a Docker daemon."""

import hashlib
import json
import os
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.supervisor import builder_image
from tests.supervisor.conftest import BUNDLE, Bundle

LINES = Path(BUNDLE.parent / "Dockerfile").read_text().splitlines()


def test_its_entry_point_is_that_of_the_layer(bundle: Bundle) -> None:
    (line,) = (line for line in LINES if line.startswith("ENTRYPOINT "))
    assert json.loads(line.removeprefix("ENTRYPOINT ")) == bundle.facts["entrypoint"]


@pytest.mark.parametrize("package", ["obstore", "botocore"])
def test_its_packages_have_the_locked_versions(package: str) -> None:
    locked = tomllib.loads((BUNDLE.parents[1] / "uv.lock").read_text())["package"]
    (version,) = (found["version"] for found in locked if found["name"] == package)
    assert f"ARG {package.upper()}={version}" in LINES


def test_it_builds_the_same_tree(bundle: Bundle, base: str, tmp_path: Path) -> None:
    docker("build", "--network", "none", "--build-arg", f"BASE={base}", "--output", str(tmp_path), str(BUNDLE.parent))
    assert tree(tmp_path) == tree(bundle.folder)


@pytest.fixture
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Make an image for its first stage, with the interpreter of this machine."""
    if shutil.which("docker") is None or docker("version", check=False).returncode:
        pytest.skip("there is no Docker daemon to build with")
    if not builder_image.has_pip():
        pytest.skip("pip is missing beside the interpreter")
    folder, name = tmp_path_factory.mktemp("builder"), f"scar-test-builder:{os.getpid()}"
    builder_image.write(folder / "root", folder / "root.tar")
    shutil.rmtree(folder / "root")
    docker("import", "--change", "ENV PIP_NO_INDEX=1", str(folder / "root.tar"), name)
    yield name
    docker("image", "rm", name)


def docker(*arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DOCKER_BUILDKIT": "1"}
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, env=environment, timeout=300
    )
    assert not (check and done.returncode), done.stderr
    return done


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every file and folder below opt, with its mode and its content."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mode, _content(path)) for path in (folder / "opt").rglob("*")
    }


def _content(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
