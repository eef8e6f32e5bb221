"""Each test has its own cache; the registry is shared by the tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from scar_components.images import ImagePlan, plan_image
from tests.images import images
from tests.images.servers import Registry, running_registry


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("SCAR_CACHE_DIR", str(folder))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return folder


@pytest.fixture
def bundler(tmp_path: Path) -> Path:
    return images.write_bundler(tmp_path / "bundler")


@pytest.fixture
def plan(tmp_path: Path, bundler: Path) -> ImagePlan:
    """Return a planned image with a base of its own."""
    archive = images.docker_old(tmp_path / "base.tar", images.layers(str(tmp_path).encode()))
    return plan_image(image_file=str(archive), bundle=bundler)


@pytest.fixture(scope="session")
def registry() -> Iterator[Registry]:
    with running_registry() as registry:
        yield registry
