"""Credentials go to their own server alone, whatever is sent and wherever a server redirects."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest

from supervisor import aws, http_client
from supervisor.http_client import Credentials, RedirectError
from supervisor.storage.promises import Promise, known_checksums
from tests.world.loopback_server import QuietHandler, serving

SECRET = "macaroon"
NAMES = ("Authorization", "X-Auth-Token", "X-Rucio-Auth-Token", "X-Any-Other")


@dataclass
class Seen:
    """What a server was sent, and where it redirects to."""

    address: str = ""
    redirect: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


class _Server(QuietHandler):
    seen: ClassVar[Seen]

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.requests.append((self.command, dict(self.headers.items()), body))
        self.send_response(307 if self.seen.redirect else 200)
        self.send_header("Location", self.seen.redirect)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_PUT = do_POST = do_HEAD = do_MKCOL = do_GET


@pytest.fixture
def servers() -> Iterator[tuple[Seen, Seen]]:
    """Return a server, and another one that it redirects to."""
    first, second = Seen(), Seen()
    with (
        serving(type("First", (_Server,), {"seen": first})) as first.address,
        serving(type("Second", (_Server,), {"seen": second})) as second.address,
    ):
        first.redirect = f"{second.address}/there"
        yield first, second


def _secret(server: Seen) -> Credentials:
    return Credentials(server.address, dict.fromkeys(NAMES, SECRET))


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "HEAD", "MKCOL"])
def test_a_redirect_to_another_server_takes_no_credentials_along(servers: tuple[Seen, Seen], method: str) -> None:
    first, second = servers
    answer = http_client.call(
        method, f"{first.address}/here", b"data", headers={"Accept": "x"}, credentials=_secret(first)
    )
    assert answer.status == 200
    assert all(first.requests[0][1][name] == SECRET for name in NAMES)
    ((_, headers, body),) = second.requests
    assert SECRET not in str(headers)
    assert (headers["Accept"], body) == ("x", b"data")


@pytest.mark.parametrize("transfer", [http_client.upload, http_client.download])
def test_transfers_take_none_along_either(
    servers: tuple[Seen, Seen], transfer: Callable[..., http_client.Response], tmp_path: Path
) -> None:
    first, second = servers
    (tmp_path / "file").write_bytes(b"data")
    transfer(f"{first.address}/here", str(tmp_path / "file"), {}, credentials=_secret(first))
    assert SECRET in str(first.requests)
    assert len(second.requests) == 1
    assert SECRET not in str(second.requests)


def test_credentials_are_not_sent_where_they_do_not_belong_in_the_first_place(servers: tuple[Seen, Seen]) -> None:
    first, second = servers
    http_client.call("GET", second.address, credentials=_secret(first))
    assert SECRET not in str(second.requests)


@pytest.mark.parametrize(
    "other", ["http://a.example", "https://a.example:8443", "https://b.example", "https://a.example.org"]
)
def test_scheme_host_and_port_tell_servers_apart(other: str) -> None:
    mine = Credentials("https://A.example/dav", {"Authorization": SECRET})
    assert mine.of("https://a.example:443/x?y") == {"Authorization": SECRET}
    assert mine.of(other) == {}


def test_a_signed_call_is_sent_to_its_service_alone(
    servers: tuple[Seen, Seen], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = servers
    for name, value in {"ACCESS_KEY_ID": "K", "SECRET_ACCESS_KEY": "S", "SESSION_TOKEN": SECRET}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", first.address)
    with pytest.raises(aws.AwsError):
        aws.call("ssm", "AmazonSSM.GetParameter", {"Name": "x"})
    with pytest.raises(aws.AwsError):
        aws.invoke_later("mine", b"{}")
    assert len(first.requests) == 2
    assert second.requests == []


class _Elsewhere:
    def __init__(self, target: str) -> None:
        self.status, self._target = 302, target

    def getheader(self, _name: str) -> str:
        return self._target


@pytest.mark.parametrize("target", ["http://127.0.0.1:9001/2018-06-01/runtime/invocation/next", "file:///etc/passwd"])
def test_no_server_sends_the_supervisor_to_its_own_machine(target: str) -> None:
    with pytest.raises(RedirectError, match="is not a server of files"):
        http_client.redirection(_Elsewhere(target), "https://storage.example/a")


@pytest.mark.parametrize(
    ("name", "value", "digits"),
    [
        ("md5", "1B2M2Y8AsgTpgAmY7PhCfg==", "d41d8cd98f00b204e9800998ecf8427e"),
        ("MD5", "d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"),
        ("adler32", "1", "00000001"),
        ("adler32", None, None),
        ("sha-256", "nonsense", None),
        ("crc32c", "abcdabcd", None),
    ],
)
def test_checksums_are_understood_in_base64_and_in_digits(name: str, value: str | None, digits: str | None) -> None:
    assert known_checksums([(name, value)]) == ({name.lower(): digits} if digits else {})


def test_all_that_is_promised_has_to_hold(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"events")
    assert Promise().difference(str(path)) == (6, "")
    assert Promise(7).difference(str(path)) == (6, "6 bytes instead of 7")
    assert Promise(6, {"adler32": "0"}).difference(str(path))[1].startswith("its adler32 checksum is ")
