"""`invoke` through an HTTP endpoint: what goes over the wire, and what each answer means."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.cloud import LocalCloud
from scar_pulumi.deployments import Deployments
from tests.world.loopback_server import QuietHandler, serving

from .conftest import FUNCTION, Ended, Scar, write_state

REQUEST = "6f1b7a3e-2f0a-4c5e-9b0a-3d1f0c9d2a11"
LOCAL = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@dataclass
class Endpoint:
    """An HTTP endpoint that remembers what it was asked and answers what it is told."""

    url: str = ""
    status: int = 200
    body: bytes = b"did it\n"
    headers: dict[str, str] = field(default_factory=lambda: {"amz-lambda-request-id": REQUEST})
    method: str = ""
    path: str = ""
    got: bytes = b""
    said: dict[str, str] = field(default_factory=dict)


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()

    class Handler(QuietHandler):
        def _answer(self) -> None:
            endpoint.method, endpoint.path = self.command, self.path
            endpoint.said = {name.lower(): value for name, value in self.headers.items()}
            endpoint.got = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(endpoint.status)
            for name, value in {**endpoint.headers, "Content-Length": str(len(endpoint.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(endpoint.body)

        do_GET = do_POST = _answer

    with serving(Handler) as address:
        endpoint.url = f"{address}/scar/launch"
        yield endpoint


@pytest.fixture
def call(endpoint: Endpoint, scar: Scar, directories: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Call a function with that endpoint and the given outputs."""
    monkeypatch.delenv("SCAR_TOKEN", raising=False)
    monkeypatch.setattr(Deployments, "clients", Clients(LOCAL))
    here = {"AWS_ENDPOINT_URL": endpoint.url.removesuffix("/scar/launch")}
    monkeypatch.setattr(LocalCloud, "environment", lambda _: here)  # addresses on local stacks are the local cloud's

    stale = "http://127.0.0.1:9/scar/launch"

    def run(*arguments: object, **outputs: str) -> Ended:
        write_state(directories / "state", "video", {"functions": {"upper": {**FUNCTION, "url": stale, **outputs}}})
        return scar("invoke", "upper", *arguments)

    return run


def test_without_data_it_is_a_get_and_the_answer_goes_to_standard_output(call: Any, endpoint: Endpoint) -> None:
    answer = call()
    assert (answer.status, answer.stdout) == (0, "did it\n")
    assert (endpoint.method, endpoint.path) == ("GET", "/scar/launch")
    assert f"logs upper --request-id {REQUEST}" in answer.stderr


@pytest.mark.parametrize(
    ("option", "content_type", "content"),
    [
        ("-jd", "application/json", b'{"a": 1}'),
        ("--data", "text/plain; charset=utf-8", "héllo".encode()),
        ("--data", "text/plain; charset=utf-8", b""),
        ("-db", "image/png", b"\x89PNG\0\xff"),
    ],
)
def test_data_is_posted_as_what_it_is(
    call: Any, endpoint: Endpoint, option: str, content_type: str, content: bytes
) -> None:
    if option == "-db":
        Path("photo.png").write_bytes(content)
    assert call(option, "photo.png" if option == "-db" else content.decode()).status == 0
    assert (endpoint.method, endpoint.got) == ("POST", content)
    assert endpoint.said["content-type"] == content_type


def test_parameters_are_the_query_in_the_form_that_signatures_are_over(call: Any, endpoint: Endpoint) -> None:
    call("-p", '{"a b": "ü &=", "many": ["1", "2"]}', "-p", "size=9%2B1")
    query = urlsplit(endpoint.path).query
    assert parse_qs(query) == {"a b": ["ü &="], "many": ["1", "2"], "size": ["9+1"]}
    assert "+" not in query


def test_an_endpoint_with_one_method_is_called_with_it(call: Any, endpoint: Endpoint) -> None:
    call(method="POST")
    assert endpoint.method == "POST"
    call("--data", "x", method="GET")
    assert (endpoint.method, endpoint.got) == ("GET", b"x")


def test_an_asynchronous_call_answers_with_the_request_id(call: Any, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.headers = 202, {}
    endpoint.body = json.dumps({"requestId": REQUEST}).encode()
    answer = call("-a", "--data", "x")
    assert (answer.status, answer.stdout) == (0, f"{REQUEST}\n")
    assert endpoint.said["x-amz-invocation-type"] == "Event"
    call("--asynchronous", asyncUrl=endpoint.url + "/later")
    assert endpoint.path == "/scar/launch/later"


def test_a_binary_answer_arrives_byte_for_byte(call: Any, endpoint: Endpoint, directories: Path) -> None:
    endpoint.body = bytes(range(256))
    assert call("-o", directories / "answer").status == 0
    assert (directories / "answer").read_bytes() == endpoint.body
    assert base64.b64decode(call("--json").json["bodyBase64"]) == endpoint.body


def test_requests_are_signed_where_the_endpoint_wants_it(call: Any, endpoint: Endpoint) -> None:
    call("--data", "x", auth="AWS_IAM")
    signature = endpoint.said["authorization"]
    assert signature.startswith("AWS4-HMAC-SHA256 Credential=test/")
    assert "/us-east-1/execute-api/aws4_request" in signature


def test_tokens_come_from_a_file_or_a_variable(
    call: Any, endpoint: Endpoint, directories: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = call(auth="JWT")
    assert (missing.status, endpoint.method) == (2, "")
    assert "--token-file" in missing.stderr
    assert "SCAR_TOKEN" in missing.stderr
    (directories / "token").write_text("Bearer a.b.c\n")
    call("--token-file", directories / "token", auth="JWT")
    assert endpoint.said["authorization"] == "Bearer a.b.c"
    monkeypatch.setenv("SCAR_TOKEN", "d.e.f")
    call(auth="JWT")
    assert endpoint.said["authorization"] == "Bearer d.e.f"
    (directories / "token").write_text("two words")
    assert call("--token-file", directories / "token", auth="JWT").status == 2


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (401, 1, "the access token is missing, expired or not valid here"),
        (403, 1, "access is denied"),
        (413, 2, "input bucket"),
        (429, 1, "try again"),
        (503, 1, "may still run"),
        (504, 1, "--direct waits up to 15 minutes"),
        (418, 1, "answered with an error"),
    ],
)
def test_errors_of_the_gateway_say_what_to_do(call: Any, endpoint: Endpoint, status: int, code: int, told: str) -> None:
    endpoint.status, endpoint.body = status, b'{"message": "short and stout"}'
    endpoint.headers = {"apigw-requestid": "gw-1="}
    answer = call("--data", "x")
    assert answer.status == code
    assert told in answer.stderr
    assert f"(status {status}, short and stout)" in answer.stderr
    assert "--request-id gw-1=" in answer.stderr


def test_a_failed_script_is_told_in_its_own_words(call: Any, endpoint: Endpoint) -> None:
    endpoint.status = 500
    endpoint.body = b'{"errorType": "ScriptFailed", "errorMessage": "script ended with exit code 3\\nwhy"}'
    answer = call("--json")
    assert answer.status == 1
    assert answer.json["error"]["message"] == "upper: ScriptFailed: script ended with exit code 3\nwhy"
    assert (answer.json["statusCode"], answer.json["requestId"]) == (500, REQUEST)


def test_what_cannot_fit_is_not_sent(call: Any, endpoint: Endpoint, directories: Path) -> None:
    (directories / "large.bin").write_bytes(b"x" * 4_800_000)
    answer = call("-db", directories / "large.bin")
    assert (answer.status, endpoint.method) == (2, "")
    assert "4,800,000 bytes" in answer.stderr
    assert "scar-pulumi put pictures/in FILE" in answer.stderr
    assert call("-a", "--data", "x" * 1_100_000).status == 2
    assert call("--data", "x" * 4_800_000).status == 0


def test_an_endpoint_that_is_gone_is_told(call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LocalCloud, "environment", lambda _: {"AWS_ENDPOINT_URL": "http://127.0.0.1:1"})
    answer = call()
    assert answer.status == 1
    assert "cannot be reached" in answer.stderr
