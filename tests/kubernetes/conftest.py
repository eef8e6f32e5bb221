"""One real API server for all tests here: its start takes longer than any of them."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kubernetes.api_server import Client, api_server
from tests.kubernetes.controllers import Controllers

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def programs() -> Path:
    made = subprocess.run([ROOT / "scripts" / "setup-kubernetes"], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


@pytest.fixture(scope="session")
def cluster(programs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with api_server(programs, tmp_path_factory.mktemp("cluster")) as client:
        yield client


@pytest.fixture(scope="session")
def controllers(cluster: Client) -> Iterator[Controllers]:
    with Controllers(cluster) as running:
        yield running
