"""OSCAR's interface on a port of loopback, in front of a cluster."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.components.oscar_service.cluster import Cluster

USER, PASSWORD = "oscar", "correct horse"


class Server(ThreadingHTTPServer):
    """Serves one cluster and notes what is asked: method and path, and what bodies held."""

    daemon_threads = True

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.cluster = cluster
        self.requests: list[tuple[str, str]] = []
        self.bodies: list[dict[str, Any]] = []
        self.lose_answers = 0
        self.storage = ""
        """Where the cluster says that its MinIO is. Default: at this server."""

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def changes(self) -> list[str]:
        """Methods of the requests since the last call that change services."""
        seen = [method for method, path in self.requests if method != "GET" and path.startswith("/system/services")]
        self.requests.clear()
        return seen


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def handle_any(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_storage = self.path.startswith("/minio")
        body = None if is_storage else json.loads(self.body or b"null")
        self.server.requests.append((self.command, self.path))
        if body is not None:
            self.server.bodies.append(body)
        if self.path.startswith("/minio"):
            self._answer_minio()
            return
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.path == "/health":
            self._answer(200, "Ok")
        elif self.headers.get("Authorization") != expected:
            self._answer(401, None)
        else:
            answer = self._route(body)
            if self.command == "POST" and self.server.lose_answers:
                self.server.lose_answers -= 1
                self.connection.close()
                self.close_connection = True
            else:
                self._answer(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def _answer_minio(self) -> None:
        parts = urlsplit(self.path)
        bucket = parts.path.removeprefix("/minio").strip("/")
        self._answer(*self.server.cluster.minio.s3(self.command, bucket, parts.query, self.body))

    def _route(self, body: Any) -> tuple[int, Any]:
        cluster = self.server.cluster
        address = urlsplit(self.path)
        parts = address.path.strip("/").split("/")
        page = parse_qs(address.query).get("page", [""])[0]
        match (self.command, *parts):
            case (method, "system", "services"):
                return {"POST": cluster.create, "PUT": cluster.update}[method](body)
            case (method, "system", "services", name):
                return {"GET": cluster.find, "DELETE": cluster.delete}[method](name)
            case (method, "system", "buckets", name):
                return cluster.bucket(name, page) if method == "GET" else cluster.delete_bucket(name)
            case ("GET", "system", "config"):
                return cluster.settings(f"{self.server.storage or self.server.endpoint}/minio")
        lists = {"/system/info": cluster.information, "/system/buckets": cluster.buckets}
        return lists[self.path]() if self.path in lists else (404, None)

    def _answer(self, status: int, content: Any) -> None:
        text = content if isinstance(content, str) else json.dumps(content) if content is not None else ""
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(text.encode())))
            self.end_headers()
            self.wfile.write(text.encode())
        except OSError:  # who asked has been killed
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Nothing: pytest shows what a failing test needs."""


@contextmanager
def running(cluster: Cluster) -> Iterator[Server]:
    """Serve a cluster until the test is over."""
    with Server(cluster) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
