"""A local cloud with a runner that runs nothing, and clients for it."""

import base64
import contextlib
import hashlib
import http.client
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from scar_pulumi.cloud import LocalCloud

FAKE_DAEMON = (sys.executable, "-P", str(Path(__file__).with_name("fake_daemon.py")))
ROLE = "arn:aws:iam::000000000000:role/any"


class FakeCloud(LocalCloud):
    """A local cloud whose functions only note that they were called."""

    def __init__(self, state: Path) -> None:
        super().__init__(state)
        self.state = state
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, region: str = "us-east-1") -> Any:
        """Return a boto3 client that tries once and never shares a closed connection."""
        endpoint = self.environment()["AWS_ENDPOINT_URL"]
        if (service, region) not in self._clients:
            self._clients[service, region] = boto3.client(
                service,
                region_name=region,
                endpoint_url=endpoint,
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=Config(retries={"total_max_attempts": 1}, max_pool_connections=50),
            )
        return self._clients[service, region]

    def kill(self) -> None:
        """End the daemon without a chance to save anything."""
        status = self.status()
        assert status
        os.kill(status.pid, signal.SIGKILL)
        wait_for(lambda: self._daemon_pid() is None)

    def stored(self, statement: str, *values: object) -> list[Any]:
        """Return what an SQL statement finds in the local cloud's own state, or after it has changed that."""
        with contextlib.closing(sqlite3.connect(self.state / "state.sqlite")) as database, database:
            return database.execute(statement, values).fetchall()

    def spooled(self) -> list[Any]:
        """Return the asynchronous events that are not done: request id, function and attempts of each."""
        return self.stored("SELECT request_id, name, attempts FROM events")

    def notes(self) -> list[dict[str, Any]]:
        """Return what the runner was asked."""
        path = self.state / "runner" / "notes.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def calls(self, name: str) -> list[dict[str, Any]]:
        """Return the invocations of one function."""
        return [note for note in self.notes() if note.get("name") == name]

    def http(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Return a plain request; header names are written with underscores."""
        status = self.status()
        assert status
        connection = http.client.HTTPConnection("127.0.0.1", status.port, timeout=60)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def push(self, repository: str, tag: str = "", layer: bytes = b"layer", region: str = "us-east-1") -> str:
        """Pushes an image of one layer over plain HTTP and return its manifest's digest."""
        token = self.client("ecr", region).get_authorization_token()["authorizationData"][0]["authorizationToken"]
        basic = f"Basic {token}"
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "config": {"Env": ["PATH=/bin"]}, "layer": digest_of(layer)}
        ).encode()
        for blob in (config, layer):
            status, headers, _ = self.http("POST", f"/v2/{repository}/blobs/uploads/", authorization=basic)
            assert status == 202
            location = f"{headers['location']}?digest={digest_of(blob)}"
            assert self.http("PUT", location, blob, authorization=basic)[0] == 201
        manifest = manifest_of(config, layer)
        reference = tag or digest_of(manifest)
        media = "application/vnd.oci.image.manifest.v1+json"
        path = f"/v2/{repository}/manifests/{reference}"
        status, headers, body = self.http("PUT", path, manifest, authorization=basic, content_type=media)
        assert status == 201, body
        return headers["docker-content-digest"]

    def function(
        self,
        name: str,
        variables: dict[str, str] | None = None,
        *,
        layer: bytes = b"",
        region: str = "us-east-1",
        **more: Any,
    ) -> str:
        """Make a function from a small image in a repository of the same name; returns the image's digest."""
        self.client("ecr", region).create_repository(repositoryName=name)
        digest = self.push(name, layer=layer or name.encode(), region=region)
        self.client("lambda", region).create_function(
            FunctionName=name,
            Role=ROLE,
            PackageType="Image",
            Code={"ImageUri": image_uri(name, digest, region)},
            Environment={"Variables": variables or {}},
            **more,
        )
        return digest

    def trigger(self, bucket: str, function: str, prefix: str = "") -> None:
        """Make a bucket that calls a function for each new object."""
        s3, functions = self.client("s3"), self.client("lambda")
        s3.create_bucket(Bucket=bucket)
        arn = functions.get_function(FunctionName=function)["Configuration"]["FunctionArn"]
        functions.add_permission(
            FunctionName=function,
            StatementId=bucket,
            Action="lambda:InvokeFunction",
            Principal="s3.amazonaws.com",
            SourceArn=f"arn:aws:s3:::{bucket}",
        )
        configuration: dict[str, Any] = {"LambdaFunctionArn": arn, "Events": ["s3:ObjectCreated:*"]}
        if prefix:
            configuration["Filter"] = {"Key": {"FilterRules": [{"Name": "prefix", "Value": prefix}]}}
        s3.put_bucket_notification_configuration(
            Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [configuration]}
        )


def wait_for(condition: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait until something is true and return it."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return value


def digest_of(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def manifest_of(config: bytes, layer: bytes) -> bytes:
    kinds = ("application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip")
    parts = [
        {"mediaType": kind, "size": len(blob), "digest": digest_of(blob)}
        for kind, blob in zip(kinds, (config, layer), strict=True)
    ]
    return json.dumps({"schemaVersion": 2, "config": parts[0], "layers": [parts[1]]}).encode()


def image_uri(repository: str, reference: str, region: str = "us-east-1") -> str:
    separator = "@" if reference.startswith("sha256:") else ":"
    return f"000000000000.dkr.ecr.{region}.amazonaws.com/{repository}{separator}{reference}"


def decoded(text: str) -> bytes:
    return base64.b64decode(text)
