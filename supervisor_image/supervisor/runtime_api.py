"""The Lambda Runtime API over one kept-alive connection: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html."""

import json
import os
import socket
import time
from http.client import HTTPConnection, HTTPException
from typing import NamedTuple

_ROOT = "/2018-06-01/runtime"
_ANSWERED = 202


class Invocation(NamedTuple):
    """One event as Lambda hands it over; `deadline` in seconds since the epoch."""

    request_id: str
    payload: bytes
    deadline: float
    trace_id: str | None


class RuntimeApiError(Exception):
    """The Runtime API answered with something else than expected, told with its status."""

    def __init__(self, request: str, status: int, answer: bytes) -> None:
        super().__init__(f"{request} was answered with {status}: {answer[:200]!r}")
        self.status = status


class RuntimeApi:
    """A client of the Runtime API at `address` (host:port)."""

    def __init__(self, address: str) -> None:
        self._connection = _Connection(address)

    def next(self) -> Invocation:
        """Wait for the next event, for as long as it takes."""
        status, headers, body = self._request("GET", "/invocation/next")
        if status != 200:
            raise RuntimeApiError("GET /invocation/next", status, body)
        return Invocation(
            request_id=headers.get("lambda-runtime-aws-request-id", ""),
            payload=body,
            deadline=_seconds(headers.get("lambda-runtime-deadline-ms")),
            trace_id=headers.get("lambda-runtime-trace-id"),
        )

    def respond(self, request_id: str, answer: bytes) -> None:
        """Hand in the answer to an event."""
        self._post(f"/invocation/{request_id}/response", answer, {"Content-Type": "application/json"})

    def fail(self, request_id: str, error_type: str, message: str) -> None:
        """Report that an event failed."""
        self._post(f"/invocation/{request_id}/error", *_failure(error_type, message))

    def fail_init(self, error_type: str, message: str) -> None:
        """Report that no event can ever be taken."""
        self._post("/init/error", *_failure(error_type, message))

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        status, _, answer = self._request("POST", path, body, headers)
        if status != _ANSWERED:
            raise RuntimeApiError(f"POST {path}", status, answer)

    def _request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        try:
            return self._once(method, path, body, headers or {})
        except (HTTPException, ConnectionError):
            # A kept-alive connection may have been closed meanwhile; a new one tells whether anybody is there.
            self._connection.close()
            return self._once(method, path, body, headers or {})

    def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, str], bytes]:
        self._connection.request(method, _ROOT + path, body, headers)
        response = self._connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


class _Connection(HTTPConnection):
    def connect(self) -> None:
        # The address is a literal one; resolving it as a name would load the codecs of international domain names.
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.connect((self.host, self.port))


def _failure(error_type: str, message: str) -> tuple[bytes, dict[str, str]]:
    document: dict[str, object] = {"errorMessage": message, "errorType": error_type, "stackTrace": []}
    if stream := os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME"):
        document["logStream"] = stream  # who waits for the answer finds the log by it, as in answers that succeed
    headers = {
        "Content-Type": "application/vnd.aws.lambda.error+json",
        "Lambda-Runtime-Function-Error-Type": f"Function.{error_type}",
    }
    return json.dumps(document).encode(), headers


def _seconds(milliseconds: str | None) -> float:
    try:
        return int(milliseconds or "") / 1000
    except ValueError:
        return time.time() + 900  # no function runs longer
