"""The client of OSCAR's REST interface: https://docs.oscar.grycap.net/api/."""

import json
import os
import ssl
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

import pulumi
import urllib3
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InsecureRequestWarning,
    MaxRetryError,
    NewConnectionError,
    SSLError,
)


class OscarError(pulumi.RunError):
    """A cluster refuses something, or what is asked of it cannot be done."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """The HTTP status that came with it; 0 where there was none."""


class Unreachable(OscarError):  # noqa: N818 - it is a state, not a mistake
    """No answer came; `sent` tells whether the request may have reached the cluster all the same."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


# Creating a service restarts MinIO, which takes the server seven seconds, and more with many buckets.
_TIMEOUT = urllib3.Timeout(connect=10, read=180)
# The password must not follow a redirect, and what is repeated is decided where it is known to be safe.
_ONCE = urllib3.Retry(total=0, redirect=False, raise_on_status=False)
_SAID_LIMIT = 500


@dataclass(frozen=True)
class Answer:
    """A status and what came with it."""

    status: int
    text: str

    def document(self) -> Any:
        """The JSON in it."""
        return json.loads(self.text)

    def said(self) -> str:
        """What the server says, for people."""
        return " ".join(self.text.split())[:_SAID_LIMIT] or f"status {self.status}"


@dataclass(frozen=True)
class Cluster:
    """How a cluster is reached."""

    endpoint: str
    username: str
    password: str = field(repr=False)
    verify_certificate: bool = True

    def request(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send one request, once.

        Raises:
            Unreachable: No answer came.
            OscarError: The cluster does not accept the user and password.
        """
        url = "/".join((self.endpoint.rstrip("/"), *(quote(part, safe="") for part in path)))
        headers = urllib3.make_headers(basic_auth=f"{self.username}:{self.password}", user_agent="scar-pulumi")
        data = json.dumps(body).encode() if body is not None else None
        if data is not None:
            headers["Content-Type"] = "application/json"
        try:
            with _pool(self.endpoint, self.verify_certificate) as pool:
                response = pool.request(method, url, body=data, headers=headers, retries=_ONCE, timeout=_TIMEOUT)
        except (HTTPError, OSError, ValueError) as error:
            raise self._explained(error) from None
        if response.status in {401, 403}:
            raise OscarError(
                f"{self.endpoint}: refuses user {self.username!r}; check the user and the password", response.status
            )
        return Answer(response.status, response.data.decode("utf-8", "replace"))

    def _explained(self, error: Exception) -> OscarError:
        cause = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        if isinstance(cause, SSLError):
            return OscarError(f"{self.endpoint}: its certificate is not accepted ({cause}); use one that is trusted")
        if isinstance(cause, ValueError):
            return OscarError(f"{self.endpoint}: is not an address of OSCAR ({cause}); write https://host")
        reason = str(cause).rpartition(": ")[2] or type(cause).__name__
        return Unreachable(
            f"{self.endpoint}: cannot be reached ({reason}); check the address, and that OSCAR runs there",
            sent=not isinstance(cause, (NewConnectionError, ConnectTimeoutError)),
        )


def _pool(endpoint: str, verify: bool) -> urllib3.PoolManager:
    """Connections, through the proxy and with the certificates that the environment names, as other tools do."""
    context = ssl.create_default_context(cafile=os.environ.get("REQUESTS_CA_BUNDLE") or None)
    if not verify:
        urllib3.disable_warnings(InsecureRequestWarning)  # it was asked for, and would be told with each request
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    target = urlsplit(endpoint)
    proxy = urllib.request.getproxies().get(target.scheme)
    if proxy and not urllib.request.proxy_bypass(target.netloc):
        return urllib3.ProxyManager(proxy, ssl_context=context)
    return urllib3.PoolManager(ssl_context=context)


# OSCAR rolls a creation back that meets MinIO while another one restarts it, and answers 500 with one of these.
_RESTARTING = ("connection refused", "connection reset", "EOF", "restarting the MinIO server", "not initialized yet")

_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


class OscarApi:
    """Services and buckets of one cluster; waits `patience` seconds, at most, for it to answer."""

    def __init__(self, cluster: Cluster, patience: float) -> None:
        self.cluster = cluster
        self._deadline = time.monotonic() + patience

    def alone(self) -> AbstractContextManager[Any]:
        """Keep other changes of this process to the cluster waiting: each may restart the MinIO that others need."""
        with _locks_lock:
            return _locks.setdefault(self.cluster.endpoint.rstrip("/"), threading.Lock())

    def information(self) -> dict[str, Any]:
        """What the server says of itself: version, serverless backend and so on."""
        answer = self._read("system", "info")
        if answer.status != 200:
            raise self.refusal("it is no OSCAR, or one that is not ready", answer)
        found: dict[str, Any] = answer.document()
        return found

    def find(self, name: str) -> dict[str, Any] | None:
        """A service, or None; what is secret in it is not told."""
        answer = self._read("system", "services", name)
        if answer.status == 404:
            return None
        if answer.status != 200:
            raise self.refusal(f"service {name}: cannot be read", answer)
        found: dict[str, Any] = answer.document()
        return found

    def tells_buckets(self) -> bool:
        """Whether the cluster tells of its buckets, which those before 4.1 do not."""
        return self._read("system", "buckets").status == 200

    def bucket(self, name: str) -> dict[str, Any] | None:
        """A bucket with its objects and tags, or None where there is none or the cluster does not tell."""
        answer = self._read("system", "buckets", name)
        return dict(answer.document()) if answer.status == 200 else None

    def create(self, definition: Mapping[str, Any]) -> None:
        """Create a service; again, where OSCAR has rolled it back because MinIO was restarting.

        Raises:
            Unreachable: The answer was lost; the service may have been created.
            OscarError: OSCAR refuses it.
        """
        answer = self._until_steady("POST", definition)
        if answer.status != 201:
            raise self.refusal(f"service {definition['name']}: cannot be created", answer)

    def update(self, definition: Mapping[str, Any]) -> Answer:
        """Replace a service's definition. The answer may be an error although the service has been updated."""
        return self._until_steady("PUT", definition)

    def delete(self, name: str) -> Answer:
        """Delete a service and every MinIO bucket of it. The answer may be an error although it is gone."""
        return self._patiently(lambda: self.cluster.request("DELETE", "system", "services", name), again=True)

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with everything in it, if it is there."""
        answer = self._patiently(lambda: self.cluster.request("DELETE", "system", "buckets", name), again=True)
        if answer.status not in {200, 204, 404}:
            raise self.refusal(f"bucket {name}: cannot be deleted", answer)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether a condition comes true within some seconds."""
        for pause in _pauses(time.monotonic() + seconds):
            if condition():
                return True
            time.sleep(pause)
        return condition()

    def refusal(self, what: str, answer: Answer) -> OscarError:
        """The error that says what the server said."""
        return OscarError(f"{what}: {self.cluster.endpoint} answers {answer.status}: {answer.said()}", answer.status)

    def _read(self, *path: str) -> Answer:
        return self._patiently(lambda: self.cluster.request("GET", *path), again=True)

    def _until_steady(self, method: str, definition: Mapping[str, Any]) -> Answer:
        def send() -> Answer:
            return self.cluster.request(method, "system", "services", body=definition)

        for pause in _pauses(self._deadline):
            answer = self._patiently(send, again=method == "PUT")
            if answer.status != 500 or not any(word in answer.text for word in _RESTARTING):
                return answer
            time.sleep(pause)
        return self._patiently(send, again=False)

    def _patiently(self, send: Callable[[], Answer], *, again: bool) -> Answer:
        """Send until an answer comes; `again` is whether what may have arrived can be sent once more."""
        for pause in _pauses(self._deadline):
            try:
                return send()
            except Unreachable as error:
                if error.sent and not again:
                    raise
            time.sleep(pause)
        return send()


def _pauses(deadline: float) -> Iterator[float]:
    """Ever longer pauses, until the deadline."""
    pause = 0.1
    while time.monotonic() + pause < deadline:
        yield pause
        pause = min(pause * 1.6, 3.0)
