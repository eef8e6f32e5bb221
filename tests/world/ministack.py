"""MiniStack itself: AWS's interfaces without the rest of the local cloud, and clients of them."""

import os
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from scar_pulumi.client.clients import Clients
from scar_pulumi.cloud.ministack_environment import install_ministack, with_ministack
from tests.world.waiting import wait_for

# Here and now: tests give themselves caches of their own.
install_ministack(print)
_WITH_MINISTACK = with_ministack({})
_LOOPBACK_ONLY = {"BIND_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0"}


def environment_with_ministack(**settings: str) -> dict[str, str]:
    """Return what a Python process needs to import MiniStack, and to keep it from the network."""
    return {**os.environ, **_WITH_MINISTACK, **_LOOPBACK_ONLY, **settings}


@dataclass(frozen=True)
class MiniStack:
    """A running MiniStack."""

    endpoint: str
    pid: int

    def client(self, service: str, **settings: Any) -> Any:
        """Return a boto3 client that tries once, and gives up before a test does."""
        config = Config(retries={"total_max_attempts": 1}, read_timeout=20)
        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=self.endpoint, config=config, **{**keys, **settings})


@contextmanager
def running_ministack(directory: Path, **settings: str) -> Iterator[MiniStack]:
    """Return the genuine MiniStack, plain, on a port of its own; killed at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    environment = environment_with_ministack(GATEWAY_PORT=address.partition(":")[2], **settings)
    command = [sys.executable, "-m", "hypercorn", "--workers", "0", "ministack.app:app", "--bind", address]
    log = directory / "ministack.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=directory)
    try:
        wait_for(lambda: _answers(process, address, log), 60, "MiniStack answers")
        yield MiniStack(f"http://{address}", process.pid)
    finally:
        process.kill()
        process.wait(30)


@contextmanager
def ministack(directory: Path, **settings: str) -> Iterator[str]:
    """Return the endpoint of a plain MiniStack."""
    with running_ministack(directory, **settings) as running:
        yield running.endpoint


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Clients of a MiniStack of this test process's own."""
    with ministack(tmp_path_factory.mktemp("ministack")) as endpoint:
        keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        yield Clients({"AWS_ENDPOINT_URL": endpoint, **keys})


@pytest.fixture
def s3(clients: Clients) -> Iterator[Any]:
    client = clients.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(s3: Any) -> str:
    """Return a bucket of the test's own."""
    name = f"bucket-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
def logs(clients: Clients) -> Iterator[Any]:
    client = clients.client("logs")
    yield client
    client.close()


def _answers(process: subprocess.Popen[bytes], address: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        with urllib.request.urlopen(f"http://{address}/_ministack/health", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        error.close()
        return True
    except OSError:
        return False
