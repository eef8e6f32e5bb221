"""A registry as the public ones are: tokens from a token service, multi-platform indexes, connections that break."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "token-of-the-service"
PASSWORD = base64.b64encode(b"user:password").decode()


class BearerRegistry(ThreadingHTTPServer):
    """Serves `documents` (path to content type and bytes), to whom the token service has given a token."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.documents: dict[str, tuple[str, bytes]] = {}
        self.log: list[str] = []
        self.scopes: list[str] = []
        self.needs_password = False
        self.sends_digests = True
        self.busy = 0
        self.break_after: int | None = None

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: BearerRegistry
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.log.append(f"{self.command} {self.path}")
        if self.path.startswith("/token?"):
            self._token()
        elif self.headers.get("Authorization") != f"Bearer {TOKEN}":
            realm = f'Bearer realm="http://{self.server.host}/token",service="s",scope="repository:team/tool:pull"'
            self._answer(401, {"WWW-Authenticate": realm})
        elif self.server.busy:
            self.server.busy -= 1
            self._answer(503, {})
        elif self.path not in self.server.documents:
            self._answer(404, {}, json.dumps({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).encode())
        else:
            self._document(*self.server.documents[self.path])

    def _token(self) -> None:
        self.server.scopes.append(self.path)
        if self.server.needs_password and self.headers.get("Authorization") != f"Basic {PASSWORD}":
            self._answer(401, {})
        else:
            self._answer(200, {}, json.dumps({"token": TOKEN}).encode())

    def _document(self, kind: str, data: bytes) -> None:
        from tests.images.images import digest

        start = int(self.headers.get("Range", "bytes=0-")[6:].rstrip("-"))
        headers = {"Content-Type": kind}
        if self.server.sends_digests:
            headers["Docker-Content-Digest"] = digest(data)
        self._answer(206 if start else 200, headers, data[start:])

    def _answer(self, status: int, headers: dict[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        limit = self.server.break_after
        if limit is not None and len(body) > limit:
            self.wfile.write(body[:limit])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def running() -> Iterator[BearerRegistry]:
    with BearerRegistry() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
