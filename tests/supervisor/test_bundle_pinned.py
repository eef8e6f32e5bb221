"""The layer from pinned parts: whatever Python makes it, on whatever machine, it has the same bytes."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.directories import cache_directory
from tests.supervisor.conftest import BUNDLE
from tests.supervisor.container import Container, Deployment, printed
from tests.world.interpreters import other_interpreters

pytestmark = [
    pytest.mark.skipif(not shutil.which("apt-get"), reason="apt downloads the packages"),
    pytest.mark.xdist_group("pinned"),
]


def build(python: str, *arguments: str, **environment: str) -> str:
    command = [python, str(BUNDLE), "--interpreter", "pinned", *arguments]
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or ""
    known = {**os.environ, "UV": uv, **environment}
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600, env=known)
    if re.search(r"E: Version '.*' for '.*' was not found", done.stderr):
        pytest.skip("Debian serves newer packages by now, and the cache has none of these: update bundling/pins.json")
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(shared_folder: Path) -> dict[str, tuple[dict[str, Any], Path]]:
    """Return the layer as each interpreter of this machine makes it: the facts, and the file."""
    found = {}
    for number, python in enumerate([sys.executable, *other_interpreters()]):
        file = shared_folder / f"pinned-{number}.tar.gz"
        downloads = str(cache_directory() / "packages")
        facts = build(python, "--downloads", downloads, "--output", str(file), PYTHONHASHSEED=str(number))
        found[python] = (json.loads(facts), file)
    return found


def test_every_python_makes_the_same_bytes(made: dict[str, tuple[dict[str, Any], Path]]) -> None:
    facts = [facts for facts, _ in made.values()]
    assert facts == facts[:1] * len(facts)
    assert len({file.read_bytes() for _, file in made.values()}) == 1


def test_every_python_has_the_same_fingerprint(made: dict[str, tuple[dict[str, Any], Path]]) -> None:
    assert {build(python, "--fingerprint").strip() for python in made} == {made[sys.executable][0]["inputs"]}


def test_it_runs_programs(
    made: dict[str, tuple[dict[str, Any], Path]], shared_folder: Path, root_filesystem: Callable[[str], Path]
) -> None:
    facts, file = made[sys.executable]
    folder, function = shared_folder / "pinned", shared_folder / "pinned.function"
    function.mkdir(mode=0o755)
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="tar")
    folder.chmod(0o755)
    container = Container(Deployment((root_filesystem("busybox"), folder), facts["entrypoint"]), function)
    try:
        assert printed(container.run("echo runs")) == "runs\n"
    finally:
        container.close()
