"""Servers of files, behaving as WebDAV (RFC 4918, as dCache does it) and CDMI (as Onedata does it) are documented."""

import base64
import random
import ssl
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import unquote

from tests.world import loopback_server
from tests.world.loopback_server import QuietHandler


@dataclass
class Files:
    """What a server holds, what is asked of it, and how often it fails."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    failing: float = 0.0  # this share of requests is answered with 503 or not at all
    break_off: int = 0  # so many downloads end in the middle
    damage: int = 0  # so many downloads have a wrong byte
    forgetful: bool = False  # uploads are accepted and lost
    redirect: str = ""  # where bodies are, if not here: as dCache's doors send clients to its pools
    chance: random.Random = field(default_factory=lambda: random.Random(1))  # noqa: S311 the same failures each time


class _Server(QuietHandler):
    held: ClassVar[Files]
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle_one_request(self) -> None:
        super().handle_one_request()

    def _path(self) -> str:
        return unquote(self.path).strip("/")

    def _parent(self) -> str:
        return self._path().rpartition("/")[0]

    def _begin(self) -> bool:
        """Whether the request may go on; its body is read in any case."""
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.held.requests.append(f"{self.command} {self.path}")
        self.held.headers.append(dict(self.headers.items()))
        if self.held.chance.random() < self.held.failing:
            if self.held.chance.random() < 0.5:
                self.close_connection = True
            else:
                self.reply(503)
            return False
        if not self.allowed():
            self.reply(401, b"who are you?")
            return False
        return True

    def allowed(self) -> bool:
        raise NotImplementedError

    def content(self) -> None:
        """Answer GET or HEAD."""
        if not self._begin():
            return
        if self.held.redirect and self.command == "GET":
            self.reply(307, headers={"Location": f"{self.held.redirect}{self.path}"})
            return
        found = self.held.files.get(self._path())
        if found is None:
            self.reply(404, b"no such file")
            return
        headers = {"ETag": f'"{zlib.crc32(found)}"', **self.digests(found)}
        if self.held.damage and self.command == "GET":
            self.held.damage -= 1
            found = found[:-1] + bytes([found[-1] ^ 1])
        start = self.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(found) - 1}/{len(found)}"
            self.reply(206, found[int(start) :], headers)
            return
        self.reply(200, found, headers)

    def digests(self, found: bytes) -> dict[str, str]:
        return {}

    def reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET" and self.held.break_off and len(body) > 1000:
            self.held.break_off -= 1
            self.close_connection = True
            body = body[: len(body) // 2]
        if self.command != "HEAD":
            self.wfile.write(body)


class WebDavServer(_Server):
    def allowed(self) -> bool:
        known = base64.b64encode(b"scar:pass:word").decode()
        return self.headers.get("Authorization") in (f"Basic {known}", "Bearer macaroon")

    def digests(self, found: bytes) -> dict[str, str]:
        wanted = "adler32" in self.headers.get("Want-Digest", "")
        return {"Digest": f"adler32={zlib.adler32(found):08x}"} if wanted else {}

    def do_GET(self) -> None:
        self.content()

    do_HEAD = do_GET

    def do_MKCOL(self) -> None:
        if not self._begin():
            return
        if self._path() in self.held.folders:
            self.reply(405)
        elif self._parent() and self._parent() not in self.held.folders:
            self.reply(409)
        else:
            self.held.folders.add(self._path())
            self.reply(201)

    def do_PUT(self) -> None:
        if not self._begin():
            return
        if self._parent() and self._parent() not in self.held.folders:
            self.reply(409)
            return
        if "refused" in self.path:
            self.reply(507, b"quota used up")
            return
        if not self.held.forgetful:
            self.held.files[self._path()] = self.body
        self.reply(201)


class PoolServer(WebDavServer):
    """Where dCache's doors redirect to: no credentials are wanted, and none may come."""

    def allowed(self) -> bool:
        return "Authorization" not in self.headers


class CdmiServer(_Server):
    def allowed(self) -> bool:
        return self.headers.get("X-Auth-Token") == "macaroon"

    def _path(self) -> str:
        return super()._path().removeprefix("cdmi/")

    def do_GET(self) -> None:
        if self.path.endswith("/"):
            if self._begin():
                self.reply(200 if self._path() in self.held.folders else 404)
            return
        self.content()

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        if not self._begin():
            return
        if self._parent() not in self.held.folders:
            self.reply(404)
        elif self.path.endswith("/"):
            self.held.folders.add(self._path())
            self.reply(201)
        else:
            self.held.files[self._path()] = self.body
            self.reply(201)


class RucioServer(_Server):
    """A catalogue: its `files` are what is known of each, as JSON, by scope and name."""

    def allowed(self) -> bool:
        return self.headers.get("X-Rucio-Auth-Token") == "macaroon"

    def do_GET(self) -> None:
        if not self._begin():
            return
        known = self.held.files.get(self._path().removeprefix("replicas/"))
        self.reply(404 if known is None else 200, known or b"DataIdentifierNotFound")


@contextmanager
def serving(kind: type[_Server], held: Files, tls: ssl.SSLContext | None = None) -> Iterator[Files]:
    """Serve these files on loopback."""
    with loopback_server.serving(type("Serving", (kind,), {"held": held}), tls) as held.address:
        yield held
