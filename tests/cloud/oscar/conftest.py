"""A local cloud with its own runner, OSCAR's interface on it, and a small image."""

import base64
import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import pytest
from botocore.config import Config

from scar_pulumi.cloud.oscar.address import OSCAR_PATH, USER, access_key, minio_endpoint, password, secret_key
from tests.end_to_end.conftest import busybox_files, make_image
from tests.world.fake_cloud import FakeCloud, wait_for

CLUSTER = "test"


class Oscar:
    """A cluster of a local cloud, over plain HTTP."""

    def __init__(self, cloud: FakeCloud, image: Path, cluster: str = CLUSTER) -> None:
        self.cloud = cloud
        self.image = image
        self.cluster = cluster
        self.password = password(cloud.state)

    def ask(
        self, method: str, path: str, body: Any = None, authorization: str | None = None, **more: str
    ) -> tuple[int, bytes]:
        """Send one request, as the cluster's user unless told otherwise; `more` are headers."""
        basic = "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()
        status = self.cloud.status()
        assert status
        connection = http.client.HTTPConnection("127.0.0.1", status.port, timeout=120)
        headers = {"Authorization": basic if authorization is None else authorization, **more}
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        try:
            connection.request(method, f"{OSCAR_PATH}/{quote(self.cluster, safe='')}{path}", data, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def read(self, path: str) -> Any:
        """Return the JSON document at a path."""
        status, body = self.ask("GET", path)
        assert status == 200, body
        return json.loads(body)

    def definition(self, name: str, script: str, **more: Any) -> dict[str, Any]:
        """Return a service of the small image."""
        image = {"image": "test/busybox:1", "image_file": str(self.image)}
        return {"name": name, **image, "script": f"#!/bin/sh\n{script}\n", "cpu": "0.1", **more}

    def create(self, name: str, script: str, **more: Any) -> str:
        """Make a service and return its token."""
        status, body = self.ask("POST", "/system/services", self.definition(name, script, **more))
        assert (status, body) == (201, b"")
        return str(self.read(f"/system/services/{name}")["token"])

    def call(self, kind: str, name: str, event: Any, token: str) -> tuple[int, bytes]:
        """Call a service: "run" or "job"."""
        return self.ask("POST", f"/{kind}/{name}", event, f"Bearer {token}")

    def named_job(self, service: str, name: str, token: str) -> tuple[int, bytes]:
        """Start a job of a name."""
        return self.ask("POST", f"/job/{service}", {}, f"Bearer {token}", **{"X-Delegated-Job-ID": name})

    def jobs(self, name: str) -> dict[str, dict[str, str]]:
        """Return the jobs of a service."""
        found: dict[str, dict[str, str]] = self.read(f"/system/logs/{name}")["jobs"]
        return found

    def finished(self, name: str, count: int = 1) -> dict[str, dict[str, str]]:
        """Wait until so many jobs are finished, and return all."""

        def ended() -> bool:
            return sum("finish_time" in job for job in self.jobs(name).values()) >= count

        wait_for(ended, 60)
        return self.jobs(name)

    def log(self, name: str, job: str, query: str = "") -> str:
        """Return what a job has printed."""
        status, body = self.ask("GET", f"/system/logs/{name}/{job}{query}")
        assert status == 200
        return body.decode()

    @property
    def endpoint(self) -> str:
        """Where the local cloud is."""
        status = self.cloud.status()
        assert status
        return status.endpoint

    def of(self, cluster: str) -> "Oscar":
        """Return another cluster of the same local cloud."""
        return Oscar(self.cloud, self.image, cluster)

    def minio(self, **more: Any) -> Any:
        """Return an S3 client of its storage."""
        secret = secret_key(self.password, self.cluster)
        keys = {"aws_access_key_id": access_key(self.cluster), "aws_secret_access_key": secret, **more}
        keys = {"endpoint_url": minio_endpoint(self.endpoint, self.cluster), **keys}
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, signature_version="s3v4")
        return boto3.client("s3", region_name="us-east-1", config=config, **keys)


@pytest.fixture(scope="session")
def small_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_image(tmp_path_factory.mktemp("image") / "busybox.tar", busybox_files(), Cmd=["sh"])


@pytest.fixture(scope="module")
def oscar(tmp_path_factory: pytest.TempPathFactory, small_image: Path) -> Iterator[Oscar]:
    """Return a cluster for a module's tests."""
    cloud = FakeCloud(tmp_path_factory.mktemp("cloud"))
    try:
        cloud.start()
        yield Oscar(cloud, small_image)
    finally:
        cloud.stop()
