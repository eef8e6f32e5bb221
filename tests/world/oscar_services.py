"""A cluster with services of a deployed stack, whose jobs and files a test chooses."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.deployments import Deployments
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, USER, Server, running
from tests.world.deployed import write_state

NOON, LATER = "2026-06-01T12:00:00Z", "2026-06-01T12:05:00Z"
SINCE = 1_780_315_000_000
"""Shortly before noon, in ms since the epoch."""


@pytest.fixture
def services_cluster(directories: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve a cluster with the services `sign`, which reads `raw/in`, and `quiet`, of the local stack `video`."""
    monkeypatch.setattr(Deployments, "clients", Clients())
    with running(Cluster()) as server:
        place = {"storage_provider": "minio.default", "path": "raw/in"}
        server.cluster.create({"name": "sign", "image": "debian:12", "script": "cat", "input": [place]})
        server.cluster.create({"name": "quiet", "image": "debian:12", "script": "cat"})
        write_state(directories / "state", "video", {"functions": {}, "oscar": {"mine": _deployed(server)}})
        yield server


def _deployed(server: Server) -> dict[str, Any]:
    services = {
        name: {
            "jobUrl": f"{server.endpoint}/job/{name}",
            "inputs": inputs,
            "token": server.cluster.services[name]["token"],
        }
        for name, inputs in (("sign", [{"provider": "minio.default", "path": "raw/in"}]), ("quiet", []))
    }
    access = {"endpoint": server.endpoint, "user": USER, "password": PASSWORD, "verify": True}
    return {**access, "services": services}


def ran(server: Server, name: str, status: str, took: str, moment: str = NOON, *, said: str = "") -> None:
    """Put a job of `sign` on the cluster, and what it has printed."""
    times = {"creation_time": moment, "start_time": moment, "finish_time": moment}
    server.cluster.jobs.setdefault("sign", {})[name] = {"status": status, **times}
    line = f"{moment} - supervisor - INFO - Downloading item from bucket 'raw' with key '{took}'"
    server.cluster.logs[name] = f"{moment} {line}\n{moment} {said}\n"


def uploaded(server: Server, *keys: str) -> None:
    """Put files into the input's bucket."""
    server.cluster.minio.buckets["raw"].objects |= set(keys)
