"""The layer is built once per session; every container belongs to one test."""

import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import boto3
import pytest

from scar_foundation.directories import cache_directory
from tests.supervisor.container import Container, Deployment
from tests.world import root_filesystems
from tests.world.ministack import ministack

BUNDLE = Path(__file__).resolve().parents[2] / "supervisor_image" / "bundle.py"


@dataclass(frozen=True)
class Bundle:
    """The supervisor layer, packed and unpacked."""

    file: Path
    facts: Mapping[str, Any]
    folder: Path


class Launch(Protocol):
    """Starts a container of a root filesystem by its name."""

    def __call__(self, root: str = "busybox", **deployment: Any) -> Container: ...


@pytest.fixture(scope="session")
def shared_folder() -> Iterator[Path]:
    """Make a folder that the unprivileged user of the containers can reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="supervisor-tests-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def bundle(shared_folder: Path) -> Bundle:
    file, folder = shared_folder / "layer.tar.gz", shared_folder / "bundle"
    made = subprocess.run(
        [sys.executable, BUNDLE, "--output", file], capture_output=True, text=True, check=True, timeout=120
    )
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="tar")
    folder.chmod(0o755)
    return Bundle(file, json.loads(made.stdout), folder)


@pytest.fixture(scope="session")
def root_filesystem(shared_folder: Path) -> Callable[[str], Path]:
    """Make each root filesystem when it is first used."""
    folder = shared_folder / "roots"
    folder.mkdir()

    def make(name: str) -> Path:
        target = folder / name
        if not target.exists():
            makers: dict[str, Callable[[], Path]] = {
                "empty": lambda: root_filesystems.empty(target),
                "busybox": lambda: root_filesystems.busybox(target, cache_directory()),
                "glibc": lambda: root_filesystems.glibc(target),
                "broken-python": lambda: root_filesystems.broken_python(target, make("glibc"), cache_directory()),
            }
            root_filesystems.open_to_all(makers[name]())
        return target

    return make


@pytest.fixture
def launch(shared_folder: Path, bundle: Bundle, root_filesystem: Callable[[str], Path]) -> Iterator[Launch]:
    """Start containers, and end them after the test."""
    running: list[Container] = []
    folders = (Path(tempfile.mkdtemp(dir=shared_folder)) for _ in count())

    def start(root: str = "busybox", **deployment: Any) -> Container:
        folder = next(folders)
        folder.chmod(0o755)
        layers = (root_filesystem(root), bundle.folder)
        container = Container(Deployment(layers, bundle.facts["entrypoint"], **deployment), folder)
        running.append(container)
        return container

    yield start
    for container in running:
        container.close()


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """MiniStack's S3 on a free loopback port."""
    folder = tmp_path_factory.mktemp("ministack")
    stored = {"S3_PERSIST": "1", "S3_DATA_DIR": str(folder / "s3"), "STATE_DIR": str(folder / "state")}
    with ministack(folder, **stored) as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_endpoint: str) -> Any:
    """Return a client for the same buckets."""
    return boto3.client(
        "s3",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def credentials(s3_endpoint: str) -> dict[str, str]:
    """Return the environment in which a function reaches the storage."""
    return {
        "AWS_ENDPOINT_URL": s3_endpoint,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
    }
