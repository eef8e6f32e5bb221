"""AWS Lambda as far as the supervisor asks it: Invoke, which takes events or refuses them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.world.loopback_server import QuietHandler, serving


@dataclass
class Queue:
    """The events that were taken, and what is answered instead, if anything."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None


class _Handler(QuietHandler):
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


@contextmanager
def lambda_service() -> Iterator[Queue]:
    """A server on a free loopback port."""
    queue = Queue()
    with serving(type("Serving", (_Handler,), {"queue": queue})) as queue.address:
        yield queue
