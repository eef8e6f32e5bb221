"""OSCAR's interface on a port of loopback, in front of a cluster."""

import base64
import contextlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from scar_pulumi.cloud.oscar.refusals import Answer
from scar_pulumi.cloud.oscar.routes import JOB_NAME, NOT_FOUND, called_service, encoded, find_route
from scar_pulumi.cloud.oscar.server import token_refusal
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
        self.server.requests.append((self.command, self.path))
        if self.path.startswith("/minio"):
            self._answer_minio()
            return
        with contextlib.suppress(ValueError):
            self.server.bodies.append(json.loads(self.body))
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.path == "/health":
            self._answer(Answer(200, "Ok"))
        elif called := called_service(self.command, self.path):
            self._answer(self._called(*called))
        elif self.headers.get("Authorization") != expected:
            self._answer(Answer(401))
        else:
            answer = self._route()
            if self.command == "POST" and self.server.lose_answers:
                self.server.lose_answers -= 1
                self.connection.close()
                self.close_connection = True
            else:
                self._answer(answer)

    do_GET = do_POST = do_PUT = do_DELETE = handle_any

    def _answer_minio(self) -> None:
        parts = urlsplit(self.path)
        bucket = parts.path.removeprefix("/minio").strip("/")
        self._answer(Answer(*self.server.cluster.minio.s3(self.command, bucket, parts.query, self.body)))

    def _route(self) -> Answer:
        cluster, address = self.server.cluster, urlsplit(self.path)
        cluster.storage.endpoint = f"{self.server.storage or self.server.endpoint}/minio"
        parameters = parse_qs(address.query)
        found = find_route(self.command, address.path, self.body, lambda name: parameters.get(name, [""])[0])
        # A test may have put a function in the operation's place.
        return found if isinstance(found, Answer) else Answer(*getattr(cluster, found.operation)(*found.arguments))

    def _called(self, kind: str, service: str) -> Answer:
        cluster, authorization = self.server.cluster, self.headers.get("Authorization", "")
        if kind == "job":
            return cluster.start_job(service, self.body, authorization, self.headers.get(JOB_NAME, ""))
        return token_refusal(authorization, cluster.services.get(service)) or NOT_FOUND  # it runs nothing

    def _answer(self, answer: Answer) -> None:
        content, _ = encoded(answer)
        try:
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
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
