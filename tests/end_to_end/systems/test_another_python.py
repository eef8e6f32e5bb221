"""What one Python has deployed is no change to another: a colleague's machine has the same plan."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.directories import cache_directory
from tests.end_to_end.conftest import Project, Terminal
from tests.world.interpreters import other_interpreters

pytestmark = pytest.mark.xdist_group("main_job")

ROOT = Path(__file__).parents[3]
OTHERS: list[Any] = [*other_interpreters()[:1]] or [pytest.param("", marks=pytest.mark.skip("no other CPython"))]


@pytest.fixture
def other_cache(tmp_path: Path) -> Path:
    """Return a cache directory with what was fetched or built, and nothing that was made of images."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o700)
    for name in ("engine", "ministack", "packages", "locks"):
        if (cache_directory() / name).exists():
            (cache / name).symlink_to(cache_directory() / name)
    return cache


@pytest.fixture
def other_python(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return an interpreter of another make, with this project and its locked packages."""
    folder, uv = tmp_path / "venv", ROOT / ".venv/bin/uv"
    environment = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder)}
    # With pip, as `python -m venv` makes it: the supervisor's parts are fetched with it.
    made = [str(uv), "venv", "--quiet", "--seed", "--python", str(request.param), str(folder)]
    filled = [str(uv), "sync", "--quiet", "--frozen", "--no-dev", "--inexact", "--extra", "local"]
    for command in (made, filled):
        subprocess.run(command, cwd=ROOT, env=environment, check=True, timeout=300)
    return tmp_path / "venv/bin/python"


@pytest.mark.parametrize("other_python", OTHERS, indirect=True)
def test_a_preview_with_another_python_has_no_changes(
    project: Project, terminal: Terminal, other_python: Path, other_cache: Path
) -> None:
    project.function("same", "true", "same-python/in", "same-python/out")
    terminal.up(project.write())

    environment = {**terminal.environment, "SCAR_CACHE_DIR": str(other_cache)}
    command = [str(other_python), "-m", "scar_pulumi", "preview", str(project.fdl), "--json"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    if "made from this Python instead" in shown.stderr:
        pytest.skip("Debian serves newer packages by now: update bundling/pins.json")
    preview = json.loads(shown.stdout)
    assert [one for one in preview["resources"] if one["op"] != "same"] == []
    assert next((other_cache / "layers").glob("*.tar.gz"), None), "the layer was not made anew"
