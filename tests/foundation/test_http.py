"""The HTTP client that everything here uses."""

import json
import socket
from collections.abc import Iterator

import pytest

from scar_foundation.errors import ScarError
from scar_foundation.http import PATIENT, HttpClient, NoAnswer, Tls, basic_authorization
from tests.world.loopback_server import QuietHandler, serving


class Echo(QuietHandler):
    """Answers with what was sent, or as the path says."""

    hits = 0

    def do_GET(self) -> None:
        type(self).hits += 1
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", "/echo")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/hang-up":
            self.close_connection = True
        elif self.path == "/busy-once" and type(self).hits == 1:
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

    def _answer(self, body: bytes) -> None:
        told = {"method": self.command, "headers": dict(self.headers), "body": body.decode()}
        data = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@pytest.fixture
def server() -> Iterator[str]:
    Echo.hits = 0
    with serving(Echo) as address:
        yield address


@pytest.fixture
def client() -> Iterator[HttpClient]:
    with HttpClient(seconds=5) as client:
        yield client


def test_a_document_is_sent_and_read_as_json(server: str, client: HttpClient) -> None:
    response = client.request("POST", f"{server}/x", json={"a": 1}, headers=basic_authorization("me", "secret"))

    told = response.json()
    assert (response.status, json.loads(told["body"])) == (200, {"a": 1})
    assert told["headers"]["Content-Type"] == "application/json"
    assert told["headers"]["authorization"] == "Basic bWU6c2VjcmV0"
    assert told["headers"]["User-Agent"] == "scar-pulumi"


def test_redirects_are_followed_only_by_those_who_ask(server: str, client: HttpClient) -> None:
    assert client.request("GET", f"{server}/away").status == 302
    assert client.request("GET", f"{server}/away", retries=PATIENT).json()["method"] == "GET"


def test_a_busy_server_is_asked_again_by_those_who_may(server: str, client: HttpClient) -> None:
    assert client.request("GET", f"{server}/busy-once", retries=PATIENT).status == 200
    assert Echo.hits == 2


def test_a_missing_answer_says_that_the_request_may_have_arrived(server: str, client: HttpClient) -> None:
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", f"{server}/hang-up")

    assert (caught.value.cause, caught.value.may_have_arrived) == ("answer", True)


def test_nothing_arrives_where_nobody_listens(client: HttpClient) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(NoAnswer) as caught:
            client.request("GET", f"http://me:secret@127.0.0.1:{port}/path?token=secret")

    assert (caught.value.cause, caught.value.may_have_arrived) == ("connection", False)
    assert isinstance(caught.value, ScarError)
    assert str(caught.value) == (
        f"http://127.0.0.1:{port}: cannot be reached (Connection refused); check the address and the network"
    )


@pytest.mark.parametrize("address", ["http://[::1/x", "gopher://127.0.0.1/", "http://127.0.0.1:99999/"])
def test_what_is_no_address_is_told_as_that(address: str, client: HttpClient) -> None:
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", address)

    assert caught.value.cause == "address"


def test_servers_on_this_machine_need_no_proxy(
    server: str, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)

    assert client.request("GET", f"{server}/echo").status == 200
    with pytest.raises(NoAnswer) as caught:
        client.request("GET", "http://registry.example/")
    assert caught.value.cause == "connection"


def test_a_missing_file_of_authorities_is_told() -> None:
    with HttpClient(tls=Tls(authority_file="/does/not/exist.pem")) as client, pytest.raises(NoAnswer) as caught:
        client.request("GET", "https://127.0.0.1:9/")

    assert caught.value.cause == "certificate"
    assert "/does/not/exist.pem: No such file or directory" in str(caught.value)
