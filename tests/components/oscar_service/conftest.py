"""A cluster, its interface on a port, and a stack of services on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi import automation

from scar_components.oscar_service.service import RegisteredServiceProvider
from scar_pulumi.engine import find_engine, stack_environment
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import Server, running
from tests.components.oscar_service.stack import Project


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "backend").mkdir()
    own = {
        **stack_environment("dev", engine=find_engine()),
        "PULUMI_BACKEND_URL": (tmp_path / "backend").as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DIY_BACKEND_GZIP": "false",
    }
    for key, value in own.items():
        monkeypatch.setenv(key, value)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[Server]:
    with running(cluster) as server:
        yield server


@pytest.fixture
def project(tmp_path: Path, server: Server, environment: None) -> Iterator[Project]:
    project = Project(tmp_path, server)
    yield project
    project.stack.destroy(remove=True)


@pytest.fixture
def failure() -> Callable[[Callable[[], object]], str]:
    """Return what a stack operation that must fail has printed."""

    def failure(operation: Callable[[], object]) -> str:
        with pytest.raises(automation.CommandError) as caught:
            operation()
        return str(caught.value)

    return failure


@pytest.fixture
def provider() -> RegisteredServiceProvider:
    provider = RegisteredServiceProvider()
    provider.delete_buckets = False
    return provider
