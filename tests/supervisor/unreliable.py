"""A storage in front of the real one that fails as told: refuses, breaks off, or is not there for a while."""

import http.client
import random
import ssl
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from tests.world.loopback_server import QuietHandler, serving

# What storages do: refuse in three ways, hang up before or after the work is done, and stop in the middle.
WAYS = ("500 InternalError", "503 ServiceUnavailable", "503 SlowDown", "hang up", "lose the answer", "break off")


@dataclass
class Faults:
    """What goes wrong from now on."""

    unavailable: int = 0  # so many requests are answered with 503
    damage: int = 0  # so many downloads have a wrong byte
    foreign_tags: bool = False  # entity tags are no checksums, as with encryption by KMS
    break_off: int = 0  # so many downloads end in the middle
    refused: tuple[str, ...] = ()  # keys that nobody may write
    elsewhere: bool = False  # buckets are in another region, which is not told
    moved_to: str = ""  # the server that downloads are redirected to
    failing: float = 0.0  # this share of requests ends badly, in one of the ways below
    ways: Counter[str] = field(default_factory=Counter)  # in which, and how often
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 the same failures each time
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def way(self, method: str) -> str:
        """How this request ends badly; "" where it does not."""
        if self.chance.random() >= self.failing:
            return ""
        way = self.chance.choice(WAYS if method == "GET" else WAYS[:-1])
        self.ways[way] += 1
        return way


@contextmanager
def unreliable(endpoint: str, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, Faults]]:
    """Yield the address of the storage, and its faults."""
    faults = Faults()
    upstream = urlsplit(endpoint).netloc

    with serving(type("Serving", (_Handler,), {"faults": faults, "upstream": upstream}), tls) as address:
        yield address, faults


class _Handler(QuietHandler):
    faults: Faults
    upstream: str
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._forward()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.faults.requests.append(f"{self.command} {self.path}")
        self.faults.headers.append(dict(self.headers.items()))
        way = self.faults.way(self.command)
        if way == "hang up":
            self.close_connection = True
        elif way == "lose the answer":
            self._real(body)
            self.close_connection = True
        elif way[:3].isdigit():
            self._answer(int(way[:3]), {}, f"<Error><Code>{way[4:]}</Code></Error>".encode())
        elif way:
            self._answer(*self._real(body), whole=False)
        elif self.faults.elsewhere:
            self._answer(301, {}, b"<Error><Code>PermanentRedirect</Code></Error>")
        elif self.faults.moved_to and self.command == "GET":
            self._answer(307, {"Location": self.faults.moved_to + urlsplit(self.path).path}, b"")
        elif self.faults.unavailable:
            self.faults.unavailable -= 1
            self._answer(503, {}, b"<Error><Code>SlowDown</Code></Error>")
        elif self.command == "PUT" and any(key in self.path for key in self.faults.refused):
            self._answer(403, {}, b"<Error><Code>AccessDenied</Code></Error>")
        else:
            self._answer(*self._real(body))

    def _real(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.upstream, timeout=60)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, whole: bool = True) -> None:
        if self.command == "GET" and self.faults.damage and body:
            self.faults.damage -= 1
            body = body[:-1] + bytes([body[-1] ^ (1 << self.faults.damage % 8)])
        if self.faults.foreign_tags:
            headers = {name: f'"{"0" * 32}"' if name.lower() == "etag" else value for name, value in headers.items()}
        self.send_response(status)
        skipped = ("content-length", "connection", "transfer-encoding", "date", "server")
        for name, value in headers.items():
            if name.lower() not in skipped:
                self.send_header(name, value)
        # An answer to HEAD has the length of the body that it leaves out.
        lengths = {name.lower(): value for name, value in headers.items() if self.command == "HEAD"}
        self.send_header("Content-Length", lengths.get("content-length", str(len(body))))
        self.end_headers()
        if not whole or (self.command == "GET" and self.faults.break_off and len(body) > 1000):
            self.faults.break_off -= whole
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif self.command != "HEAD":
            self.wfile.write(body)
