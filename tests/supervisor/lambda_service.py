"""AWS Lambda as far as the supervisor asks it: Invoke, which takes events or refuses them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar


@dataclass
class Queue:
    """The events that were taken, and what is answered instead, if anything."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None


class _Handler(BaseHTTPRequestHandler):
    queue: ClassVar[Queue]
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        queue = self.queue
        queue.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        status, message = queue.refusal or (202, "")
        if status == 202:
            queue.events.append(json.loads(body))
        answer = b"" if status == 202 else json.dumps({"message": message}).encode()
        self.send_response(status)
        self.send_header("x-amzn-RequestId", f"later-{len(queue.events)}")
        self.send_header("x-amzn-ErrorType", "Refused")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        """Nothing: the test's output is for the test."""


@contextmanager
def lambda_service() -> Iterator[Queue]:
    """A server on a free loopback port."""
    queue = Queue()

    class Handler(_Handler):
        pass

    Handler.queue = queue
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    queue.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield queue
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
