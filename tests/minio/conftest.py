"""A MinIO for the contract: the genuine one, and the one that stands for it in the tests of services."""

import os
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import boto3
import botocore.config
import botocore.exceptions
import pytest

from scar_components.oscar_api import OscarAccess, OscarApi
from scar_components.oscar_service.notifications import Notifications
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import Server, running
from tests.world.waiting import wait_for

ROOT = Path(__file__).parents[2]
USER, SECRET = "scarroot", "secret-secret"
SERVICES = ("plants", "my-service")


class Storage(Protocol):
    """A MinIO that has the webhooks of some services."""

    endpoint: str

    def make(self, bucket: str) -> None:
        """Make a bucket."""

    def tags(self, bucket: str) -> Mapping[str, str]:
        """Return a bucket's tags."""

    def know(self, *services: str) -> None:
        """Restart with the webhooks of these services."""


class Genuine:
    """MinIO itself, built from its module, on a free port of loopback."""

    def __init__(self, folder: Path, webhook: str = "http://127.0.0.1:9") -> None:
        self._program = _built()
        self._folder = folder
        self._webhook = webhook
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self._port}"

    def make(self, bucket: str) -> None:
        self.s3.create_bucket(Bucket=bucket)

    def tags(self, bucket: str) -> Mapping[str, str]:
        try:
            found = self.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except botocore.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchTagSet"  # noqa: PT017 - S3's answer where there are none
            return {}
        return {tag["Key"]: tag["Value"] for tag in found}

    def know(self, *services: str) -> None:
        self.stop()
        variables = {"MINIO_ROOT_USER": USER, "MINIO_ROOT_PASSWORD": SECRET, "MINIO_BROWSER": "off"}
        for service in services:
            variables[f"MINIO_NOTIFY_WEBHOOK_ENABLE_{service}"] = "on"
            variables[f"MINIO_NOTIFY_WEBHOOK_ENDPOINT_{service}"] = f"{self._webhook}/job/{service}"
            variables[f"MINIO_NOTIFY_WEBHOOK_AUTH_TOKEN_{service}"] = f"token-of-{service}"
        command = [self._program, "server", "--address", f"127.0.0.1:{self._port}", str(self._folder)]
        self._process = subprocess.Popen(
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(self._folder), **variables},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self._answers, 60, "MinIO answers")

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(30)
            self._process = None

    @property
    def s3(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id=USER,
            aws_secret_access_key=SECRET,
            config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}),
        )

    def _answers(self) -> bool:
        try:
            self.s3.list_buckets()
        except Exception:  # noqa: BLE001 - it is still starting, whatever it says
            return False
        return True


class StoodIn:
    """The MinIO that stands for it in the tests of services."""

    def __init__(self, server: Server) -> None:
        self._minio = server.cluster.minio
        self.endpoint = f"{server.endpoint}/minio"

    def make(self, bucket: str) -> None:
        self._minio.make(bucket)

    def tags(self, bucket: str) -> Mapping[str, str]:
        return self._minio.buckets[bucket].tags

    def know(self, *services: str) -> None:
        self._minio.webhooks = {service: f"token-of-{service}" for service in services}


@pytest.fixture(params=["genuine", "stood in"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    """Run a MinIO that knows the webhooks of `SERVICES`."""
    with _genuine(tmp_path) if request.param == "genuine" else _stood_in() as storage:
        storage.know(*SERVICES)
        yield storage


@contextmanager
def _genuine(folder: Path) -> Iterator[Storage]:
    server = Genuine(folder)
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def _stood_in() -> Iterator[Storage]:
    with running(Cluster()) as server:
        yield StoodIn(server)


@pytest.fixture
def notifications(storage: Storage) -> Callable[[], Notifications]:
    """Return what makes the notifications of a cluster with this MinIO, whose buckets OSCAR does not list."""
    return lambda: notifications_of(storage.endpoint)


class Api(OscarApi):
    """The interface of a cluster, as far as notifications use it."""

    def __init__(self, storage: str) -> None:
        super().__init__(OscarAccess("http://127.0.0.1:9", "", ""))
        self._storage = storage

    def settings(self) -> dict[str, Any]:
        keys = {"access_key": USER, "secret_key": SECRET, "region": "us-east-1", "verify": True}
        return {"minio_provider": {"endpoint": self._storage, **keys}}

    def buckets(self) -> list[Mapping[str, Any]]:
        return []


def notifications_of(endpoint: str) -> Notifications:
    """Return the notifications of a MinIO."""
    return Notifications(Api(endpoint))


def _built() -> str:
    done = subprocess.run([ROOT / "scripts" / "setup-minio"], capture_output=True, text=True, check=True)
    return f"{done.stdout.strip()}/minio"
