"""Local clouds whose functions only note that they were called."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scar_pulumi.cloud import client
from tests.world.fake_cloud import FAKE_DAEMON, FakeCloud


@pytest.fixture(scope="module")
def fake_daemon() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "COMMAND", FAKE_DAEMON)
        yield


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, fake_daemon: None) -> Iterator[FakeCloud]:
    """Return a running cloud for a module's tests."""
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"))
    try:
        cloud.start()
        yield cloud
    finally:
        cloud.stop()


@pytest.fixture
def own_cloud(tmp_path: Path, fake_daemon: None) -> Iterator[FakeCloud]:
    """Return a cloud of a test's own, not started."""
    cloud = FakeCloud(tmp_path / "state")
    try:
        yield cloud
    finally:
        cloud.stop()
