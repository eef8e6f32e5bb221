"""A Lambda Runtime API on a free loopback port: hands out events, collects what comes back."""

import contextlib
import json
import queue
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """What the supervisor handed in for one event."""

    kind: str  # response | error | init
    document: Any
    error_type: str = ""

    @property
    def failed(self) -> bool:
        return self.kind != "response"

    @property
    def message(self) -> str:
        return str(self.document["errorMessage"])


@dataclass(frozen=True)
class Event:
    """One event on its way to the supervisor."""

    request_id: str
    payload: bytes
    seconds: float
    trace_id: str | None


class RuntimeApi:
    """The server; `polled` is set at the first poll for an event."""

    def __init__(self) -> None:
        self.polled = threading.Event()
        self.hang_up_next = False  # close the kept-alive connection after the next answer
        self.refuse_response = False
        self.connections = 0
        self._events: queue.Queue[Event | None] = queue.Queue()
        self._outcomes: queue.Queue[tuple[str, Outcome]] = queue.Queue()
        api = self

        class Handler(_Handler):
            runtime = api

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def send(self, event: Event) -> None:
        self._events.put(event)

    def next_event(self) -> Event | None:
        self.polled.set()
        return self._events.get()

    def hand_in(self, request_id: str, outcome: Outcome) -> None:
        self._outcomes.put((request_id, outcome))

    def outcome(self, request_id: str, patience: float) -> Outcome:
        found_id, outcome = self._outcomes.get(timeout=patience)
        assert found_id == request_id
        return outcome

    def close(self) -> None:
        if not self._thread.is_alive():
            return
        self._events.put(None)
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    runtime: RuntimeApi
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.runtime.connections += 1

    def do_GET(self) -> None:
        assert self.path == "/2018-06-01/runtime/invocation/next"
        event = self.runtime.next_event()
        if event is None:
            self.close_connection = True
            return
        headers = {
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + event.seconds) * 1000)),
            "Content-Type": "application/json",
        }
        if event.trace_id:
            headers["Lambda-Runtime-Trace-Id"] = event.trace_id
        self._answer(200, event.payload, headers)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        *_, request_id, kind = self.path.split("/")
        if kind == "response" and self.runtime.refuse_response:
            self._answer(413, b'{"errorType": "RequestEntityTooLarge"}', {})
            return
        error_type = self.headers.get("Lambda-Runtime-Function-Error-Type", "")
        outcome = Outcome("init" if request_id == "init" else kind, json.loads(body), error_type)
        self._answer(202, b'{"status": "OK"}', {})
        self.runtime.hand_in(request_id, outcome)

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if self.runtime.hang_up_next:
            self.runtime.hang_up_next = False
            self.close_connection = True

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # a container that is ended hangs up
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the name that http.server gives it
        return
