"""Fixtures of the engine tests: the real engine, and state in temporary directories."""

import gc
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scar_pulumi.engine import Engine, find_engine

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def engine() -> Engine:
    """Return the engine that this machine has or makes, kept in the user's own cache."""
    return find_engine(print)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine) -> Iterator[Path]:
    """Return an empty cloud of files with a state directory and an FDL file of its own; see file_cloud.py."""
    directory = tmp_path / "world"
    directory.mkdir()
    fdl = tmp_path / "my project" / "my video.yaml"
    fdl.parent.mkdir()
    fdl.write_text("functions: {}\n")
    monkeypatch.setenv("ENGINE_WORLD", str(directory))
    monkeypatch.setenv("ENGINE_FDL", str(fdl))
    monkeypatch.setenv("SCAR_STATE_DIR", str(tmp_path / "the state"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(str(ROOT))
    yield directory
    # What Pulumi's language server leaves open when a program fails must not surface in another test.
    gc.collect()


@pytest.fixture
def wait_until() -> Callable[[Callable[[], object]], None]:
    """Wait for a condition, a minute at most."""

    def wait(condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, "the condition did not come true within a minute"
            time.sleep(0.05)

    return wait
