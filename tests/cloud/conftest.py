"""Local clouds whose functions only note that they were called, and a database without one."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from scar_pulumi.cloud.database import Database
from tests.world.clouds import cloud, fake_daemon, own_cloud

__all__ = ["cloud", "fake_daemon", "own_cloud"]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """Return an empty database of a local cloud's state."""
    opened = Database(tmp_path / "state.sqlite")
    yield opened
    asyncio.run(opened.close())
