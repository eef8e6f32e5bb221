"""What the tests of the stand-in aws provider run on: MiniStack, and stacks of the real engine."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.world.aws_plugin import Bench
from tests.world.clouds import cloud, fake_daemon
from tests.world.ministack import ministack

__all__ = ["bench", "cloud", "endpoint", "fake_daemon"]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return a MiniStack for a module's tests."""
    with ministack(tmp_path_factory.mktemp("ministack")) as address:
        yield address


@pytest.fixture
def bench(endpoint: str, tmp_path: Path) -> Iterator[Bench]:
    """Stacks of a test's own on MiniStack."""
    yield Bench(tmp_path, endpoint)
    gc.collect()
