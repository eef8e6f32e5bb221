"""Objects through the gateway: large ones, odd requests, clients that go away."""

import hashlib
import os
import socket
from pathlib import Path

import pytest

from tests.world.fake_cloud import FakeCloud, wait_for

LARGE = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def bucket(cloud: FakeCloud) -> str:
    cloud.client("s3").create_bucket(Bucket="objects")
    return "objects"


def test_a_large_object_goes_in_and_out_unchanged(cloud: FakeCloud, bucket: str, tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    block = os.urandom(1024 * 1024)
    with source.open("wb") as file:
        for _ in range(LARGE // len(block)):
            file.write(block)
    cloud.client("s3").upload_file(str(source), bucket, "large")
    cloud.client("s3").download_file(bucket, "large", str(target))
    assert _sha256(target) == _sha256(source)
    with source.open("rb") as file:
        cloud.client("s3").put_object(Bucket=bucket, Key="in one piece", Body=file)
    assert cloud.client("s3").head_object(Bucket=bucket, Key="in one piece")["ContentLength"] == LARGE


def test_a_client_that_waits_to_be_told_to_continue_is_told(cloud: FakeCloud, bucket: str) -> None:
    status = cloud.status()
    assert status
    with socket.create_connection(("127.0.0.1", status.port), timeout=10) as connection:
        head = f"PUT /{bucket}/waits HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(b"body")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_head_has_a_length_and_no_body(cloud: FakeCloud, bucket: str) -> None:
    cloud.client("s3").put_object(Bucket=bucket, Key="head", Body=b"12345")
    status, headers, body = cloud.http("HEAD", f"/{bucket}/head")
    assert (status, headers["content-length"], body) == (200, "5", b"")


def test_large_headers_are_taken(cloud: FakeCloud, bucket: str) -> None:
    assert cloud.http("GET", f"/{bucket}/head", x_padding="x" * 60_000)[0] in (200, 404)


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(cloud: FakeCloud, bucket: str) -> None:
    status = cloud.status()
    assert status
    for path in (f"/{bucket}/half", "/2015-03-31/functions", "/v2/none/blobs/uploads/"):
        with socket.create_connection(("127.0.0.1", status.port), timeout=10) as connection:
            connection.sendall(f"PUT {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf".encode())
    assert wait_for(cloud.status)
    assert cloud.http("HEAD", f"/{bucket}/half")[0] == 404
    assert not [line for line in cloud.logs() if "Traceback" in line]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
