"""The client of OSCAR's REST interface: https://docs.oscar.grycap.net/api/.

It serves the provider of OscarService and the command line alike. The client on PyPI (oscar-python) brings an OpenID
agent, boto3 and a WebDAV client with it.
"""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from scar_foundation.errors import ScarError
from scar_foundation.http import HttpClient, NoAnswer, Tls, basic_authorization, trusted_authorities

# Creating a service restarts MinIO, which takes the server seven seconds, and more with many buckets.
_SECONDS = 180.0
# OSCAR rolls a creation back when another one restarts MinIO meanwhile, and answers 500 with one of these.
_RESTARTING = ("connection refused", "connection reset", "EOF", "restarting the MinIO server", "not initialized yet")
_QUOTED_CHARACTERS = 500
_JOB_NAME = "X-Delegated-Job-ID"

_locks: dict[str, threading.Lock] = {}
_locks_lock = threading.Lock()


class OscarError(ScarError):
    """A cluster refuses a request, or cannot do what it asks for."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
        """HTTP status of the response; 0 without one."""


class OscarUnreachable(OscarError):  # noqa: N818 - it is a state, not a mistake
    """A cluster did not answer."""

    def __init__(self, message: str, *, may_have_arrived: bool) -> None:
        super().__init__(message)
        self.may_have_arrived = may_have_arrived
        """Whether the cluster may have received the request and acted on it."""


@dataclass(frozen=True)
class OscarAccess:
    """Where a cluster is, and the user of its interface."""

    endpoint: str
    username: str
    password: str = field(repr=False)
    verify_certificate: bool = True


@dataclass(frozen=True)
class OscarResponse:
    """Status and body of a response."""

    status: int
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def document(self) -> Any:
        """Return the JSON document in the body."""
        return json.loads(self.body)

    def quoted(self) -> str:
        """Return the beginning of the text on one line, for error messages."""
        return " ".join(self.text.split())[:_QUOTED_CHARACTERS] or f"status {self.status}"


class OscarApi:
    """Services, jobs and buckets of one cluster. Safe to share between threads.

    Args:
        access: The cluster and its user.
        patience: Seconds, from now on, during which requests to a cluster that does not answer are repeated.
        seconds: How long the cluster may take to answer a request.
    """

    def __init__(self, access: OscarAccess, patience: float = 0.0, seconds: float = _SECONDS) -> None:
        self.access = access
        self.endpoint = access.endpoint.rstrip("/")
        self._deadline = time.monotonic() + patience
        tls = Tls(verify=access.verify_certificate, authority_file=trusted_authorities())
        self._http = HttpClient(seconds=seconds, tls=tls)

    def alone(self) -> AbstractContextManager[Any]:
        """Hold back other changes of this process to the cluster: each may restart the MinIO that others need."""
        with _locks_lock:
            return _locks.setdefault(self.endpoint, threading.Lock())

    def information(self) -> dict[str, Any]:
        """Return the server's description of itself: version, serverless backend and so on."""
        return self._document("it is not OSCAR, or is not ready", "info")

    def settings(self) -> dict[str, Any]:
        """Return the cluster's settings, among them `minio_provider`: how its own storage is reached."""
        return self._document("its settings cannot be read", "config")

    def find(self, name: str) -> dict[str, Any] | None:
        """Return a service, or None. OSCAR leaves out its secrets."""
        response = self._read("services", name)
        if response.status == 404:
            return None
        found: dict[str, Any] = self._checked(response, f"service {name}: cannot be read").document()
        return found

    def create(self, definition: Mapping[str, Any]) -> None:
        """Create a service; repeat it where OSCAR has rolled it back because MinIO was restarting.

        Raises:
            OscarUnreachable: The response was lost; the service may have been created.
            OscarError: OSCAR refuses it.
        """
        response = self._until_steady("POST", definition)
        self._checked(response, f"service {definition['name']}: cannot be created", 201)

    def update(self, definition: Mapping[str, Any]) -> OscarResponse:
        """Replace a service's definition. The response may be an error although the service has been updated."""
        return self._until_steady("PUT", definition)

    def delete(self, name: str) -> OscarResponse:
        """Delete a service with all its MinIO buckets. The response may be an error although the service is gone."""
        return self._patiently(lambda: self._as_user("DELETE", "services", name), again=True)

    def buckets(self) -> list[Mapping[str, Any]]:
        """Return all buckets of the cluster, without their objects: `bucket_name`, `metadata` (tags) and so on."""
        response = self._checked(self._read("buckets"), "its buckets cannot be listed")
        return list(response.document() or ())

    def bucket(self, name: str, page: str = "") -> dict[str, Any] | None:
        """Return a bucket with its tags and a page of its objects; None if it does not exist.

        Raises:
            OscarError: The cluster does not say whether it exists, as while its MinIO restarts.
        """
        query = f"?page={quote(page, safe='')}" if page else ""
        response = self._steadily(lambda: self._as_user("GET", "buckets", name, query=query))
        if _is_absent(response):
            return None
        return dict(self._checked(response, f"bucket {name}: cannot be read").document())

    def delete_bucket(self, name: str) -> None:
        """Delete a bucket with everything in it, if it exists."""
        response = self._steadily(lambda: self._as_user("DELETE", "buckets", name))
        if not _is_absent(response):
            self._checked(response, f"bucket {name}: cannot be deleted", 200, 204)

    def jobs(self, service: str) -> dict[str, Mapping[str, Any]]:
        """Return the jobs of a service by name, from all pages of the list."""
        found: dict[str, Mapping[str, Any]] = {}
        page = ""
        while True:
            query = f"?page={quote(page)}" if page else ""
            document = self._document(f"service {service}: its jobs cannot be listed", "logs", service, query=query)
            # Up to 4.0 the document is the jobs themselves.
            found |= document["jobs"] or {} if "jobs" in document else document
            following = document.get("next_page") if "jobs" in document else ""
            if not following or following == page:
                return found
            page = str(following)

    def job_log(self, service: str, job: str) -> str | None:
        """Return what a job has printed, each line with its time; None if OSCAR has no log of it."""
        response = self._read("logs", service, job, query="?timestamps=true")
        # OSCAR answers 500 for a job that it does not know, and for one whose container has not started.
        if response.status in {404, 500}:
            return None
        return self._checked(response, f"job {job}: its log cannot be read").text

    def call(self, url: str, event: bytes, token: str, seconds: float, job: str = "") -> OscarResponse:
        """Send an event to a service, once, with the service's token; `seconds` is how long it may take.

        `job` is the name of the job that the event becomes, which OSCAR takes from 4.1 on, as it does from the cluster
        that delegates a job: https://github.com/grycap/oscar/pull/540.

        Raises:
            OscarUnreachable: There is no response.
        """
        headers = {"Authorization": f"Bearer {token}", **({_JOB_NAME: job} if job else {})}
        return self._send("POST", url, headers, event, seconds)

    def wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Whether a condition comes true within some seconds."""
        for pause in _pauses(time.monotonic() + seconds):
            if condition():
                return True
            time.sleep(pause)
        return condition()

    def refusal(self, what: str, response: OscarResponse) -> OscarError:
        """Return the error that quotes the server."""
        return OscarError(f"{what}: {self.endpoint} answers {response.status}: {response.quoted()}", response.status)

    def _document(self, problem: str, *path: str, query: str = "") -> dict[str, Any]:
        found: dict[str, Any] = self._checked(self._read(*path, query=query), problem).document()
        return found

    def _checked(self, response: OscarResponse, problem: str, *expected: int) -> OscarResponse:
        if response.status not in (expected or (200,)):
            raise self.refusal(problem, response)
        return response

    def _read(self, *path: str, query: str = "") -> OscarResponse:
        return self._patiently(lambda: self._as_user("GET", *path, query=query), again=True)

    def _until_steady(self, method: str, definition: Mapping[str, Any]) -> OscarResponse:
        return self._steadily(lambda: self._as_user(method, "services", body=definition), again=method == "PUT")

    def _steadily(self, send: Callable[[], OscarResponse], *, again: bool = True) -> OscarResponse:
        """Send, and repeat it while the cluster answers that its MinIO is restarting."""
        for pause in _pauses(self._deadline):
            response = self._patiently(send, again=again)
            if response.status != 500 or not any(word in response.text for word in _RESTARTING):
                return response
            time.sleep(pause)
        return self._patiently(send, again=False)

    def _patiently(self, send: Callable[[], OscarResponse], *, again: bool) -> OscarResponse:
        """Send until there is a response; `again`: a request that may have arrived can be sent once more."""
        for pause in _pauses(self._deadline):
            try:
                return send()
            except OscarUnreachable as error:
                if error.may_have_arrived and not again:
                    raise
            time.sleep(pause)
        return send()

    def _as_user(
        self, method: str, *path: str, query: str = "", body: Mapping[str, Any] | None = None
    ) -> OscarResponse:
        """Send one request to `/system`, once. Raises OscarError when the cluster refuses the user."""
        url = "/".join((self.endpoint, "system", *(quote(part, safe="") for part in path))) + query
        headers = basic_authorization(self.access.username, self.access.password)
        if body is not None:
            headers["Content-Type"] = "application/json"
        response = self._send(method, url, headers, None if body is None else json.dumps(body).encode())
        if response.status in {401, 403}:
            user = f"refuses user {self.access.username!r}; check the user and the password"
            raise OscarError(f"{self.endpoint}: {user}", response.status)
        return response

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, seconds: float | None = None
    ) -> OscarResponse:
        try:
            response = self._http.request(method, url, headers=headers, body=body, seconds=seconds)
        except NoAnswer as error:
            raise self._explained(error) from None
        return OscarResponse(response.status, response.data)

    def _explained(self, error: NoAnswer) -> OscarError:
        if error.cause == "certificate":
            return OscarError(f"{self.endpoint}: its certificate is not trusted ({error.reason}); use one that is")
        if error.cause == "address":
            return OscarError(f"{self.endpoint}: is not the URL of a cluster ({error.reason}); write https://HOST")
        return OscarUnreachable(
            f"{self.endpoint}: cannot be reached ({error.reason}); check the address, and that OSCAR runs there",
            may_have_arrived=error.may_have_arrived,
        )


def numbers(version: str) -> tuple[int, int]:
    """Return the first two numbers of a version; the newest known for development builds, which have none."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (4, 1)


def _is_absent(response: OscarResponse) -> bool:
    """Whether a response says that a bucket does not exist. OSCAR answers 500 then, and to any trouble with MinIO."""
    return response.status == 404 or (response.status == 500 and "NoSuchBucket" in response.text)


def _pauses(deadline: float) -> Iterator[float]:
    """Yield ever longer pauses until the deadline."""
    pause = 0.1
    while time.monotonic() + pause < deadline:
        yield pause
        pause = min(pause * 1.6, 3.0)
