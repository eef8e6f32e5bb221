"""Which service gets a request, and whom the gateway turns away."""

import asyncio
import http.client
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scar_pulumi.cloud import gateway as gateway_module
from scar_pulumi.cloud.asgi import ASGIApp, ClientDisconnect, Request, Response, call
from scar_pulumi.cloud.database import StateError
from scar_pulumi.cloud.gateway import Gateway, is_local_origin
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import authorization
from tests.world.fake_cloud import FakeCloud


@dataclass
class Named(Service):
    """Takes what is below its path, and answers with its name."""

    name: str = ""
    below: str = "/"
    stores_data: bool = False
    friends: str = ""
    problem: Exception | None = None

    def takes(self, request: ServiceRequest) -> bool:
        return request.path.startswith(self.below)

    async def __call__(self, request: ServiceRequest) -> ASGIApp:
        if self.problem:
            raise self.problem
        return Response(self.name or "the last one")

    def welcomes(self, request: ServiceRequest, origin: str) -> bool:
        return origin == self.friends


async def no_websockets(*_: object) -> None:
    raise AssertionError("these are requests")


@pytest.fixture
def serving(tmp_path: Path) -> Callable[..., Gateway]:
    return lambda *services: Gateway(services, websockets=no_websockets, directory=tmp_path)


def ask(gateway: Gateway, path: str, method: str = "GET", **headers: str) -> Response:
    given = tuple((name.encode(), value.encode()) for name, value in headers.items())
    return asyncio.run(call(gateway, Request(method, path, headers=given)))


def test_the_first_service_that_takes_a_request_answers_it_and_is_counted(serving: Callable[..., Gateway]) -> None:
    gateway = serving(Named("first", "/a/"), Named("second", "/a"), Named())
    assert [ask(gateway, path).body for path in ("/a/x", "/ab", "/")] == [b"first", b"second", b"the last one"]
    signed = authorization("123456789012", "eu-west-1", "sqs")[1].decode()
    ask(gateway, "/queue", authorization=signed)
    assert gateway.requests == {"first": 1, "second": 1, "unsigned": 1, "sqs": 1}


def test_a_refusal_is_worded_by_the_service_that_refused(serving: Callable[..., Gateway]) -> None:
    response = ask(serving(Named(problem=ServiceError(409, "ConflictException", "it exists"))), "/")
    assert (response.status_code, response.headers["x-amzn-errortype"]) == (409, "ConflictException")


def test_a_state_that_cannot_be_written_is_told_to_the_client(serving: Callable[..., Gateway]) -> None:
    response = ask(serving(Named(problem=StateError("state.sqlite: disk is full"))), "/")
    assert (response.status_code, b"local cloud: state.sqlite: disk is full" in response.body) == (500, True)


def test_a_client_that_is_gone_gets_no_answer(serving: Callable[..., Gateway]) -> None:
    assert ask(serving(Named(problem=ClientDisconnect())), "/").body == b""


def test_only_a_service_lets_pages_from_elsewhere_in(serving: Callable[..., Gateway]) -> None:
    gateway = serving(Named("open", "/open", friends="https://friend.example"), Named())
    assert ask(gateway, "/open", origin="https://friend.example").status_code == 200
    assert ask(gateway, "/open", origin="https://other.example").status_code == 403
    assert ask(gateway, "/", origin="https://friend.example").status_code == 403


def test_only_requests_that_bring_data_need_room_on_the_disk(
    serving: Callable[..., Gateway], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_module, "shortage", lambda _directory, size: f"{size} bytes too many")
    gateway = serving(Named("data", "/data", stores_data=True), Named())
    refused = ask(gateway, "/data", "PUT", **{"content-length": "7"})
    assert (refused.status_code, b"local cloud: 7 bytes too many" in refused.body) == (507, True)
    assert ask(gateway, "/data", "GET").status_code == 200
    assert ask(gateway, "/", "PUT").status_code == 200


@pytest.mark.parametrize(
    ("origin", "local"),
    [
        ("", True),
        ("http://localhost:3000", True),
        ("http://x.localhost", True),
        ("https://example.org", False),
        ("null", False),
    ],
)
def test_pages_from_elsewhere_are_not_served(origin: str, local: bool) -> None:
    assert is_local_origin(origin) is local


def test_a_connection_is_kept(cloud: FakeCloud) -> None:
    status = cloud.status()
    assert status
    connection = http.client.HTTPConnection("127.0.0.1", status.port, timeout=10)
    for _ in range(3):
        connection.request("GET", "/_scar/health")
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close
    connection.close()


def test_pages_from_elsewhere_are_refused(cloud: FakeCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="pages")
    assert cloud.http("GET", "/pages", origin="https://example.org")[0] == 403
    assert cloud.http("GET", "/pages", origin="http://localhost:8080")[0] == 200


def test_ministacks_own_reset_is_closed(cloud: FakeCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="kept")
    assert cloud.http("POST", "/_ministack/reset")[0] == 403
    assert cloud.client("s3").head_bucket(Bucket="kept")
