"""Services on an OSCAR cluster: called at once or as jobs, and what their jobs print."""

import base64
import datetime
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from botocore.awsrequest import AWSRequest
from botocore.exceptions import ConnectionError as NoConnection
from botocore.exceptions import HTTPClientError

from scar_foundation.errors import InputError, InvocationError, ScarError
from scar_pulumi.client.call import Body, Call
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.invocation import Invocation
from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.outputs import DeployedCluster, DeployedService

_SECONDS = 60.0


@dataclass(frozen=True)
class Answer:
    """A status and what came with it."""

    status: int
    body: bytes


class ClusterClient:
    """Asks a cluster, as its user or with the token of a service."""

    def __init__(self, cluster: DeployedCluster, clients: Clients) -> None:
        self.cluster = cluster
        self._clients = clients

    def token(self, service: str) -> str:
        """The token of a service. Raises ScarError."""
        return str(self._document(f"/system/services/{quote(service)}", service)["token"])

    def jobs(self, service: str) -> dict[str, Mapping[str, Any]]:
        """The jobs of a service by name, all pages of them. Raises ScarError."""
        found: dict[str, Mapping[str, Any]] = {}
        page = ""
        while True:
            query = f"?page={quote(page)}" if page else ""
            document = self._document(f"/system/logs/{quote(service)}{query}", service)
            # Up to 4.0 the document is the jobs themselves.
            found |= document["jobs"] or {} if "jobs" in document else document
            following = document.get("next_page") if "jobs" in document else ""
            if not following or following == page:
                return found
            page = str(following)

    def log(self, service: str, job: str) -> str | None:
        """What a job has printed, each line with its time; None where nothing is known of it."""
        answer = self._as_user("GET", f"/system/logs/{quote(service)}/{quote(job)}?timestamps=true")
        return answer.body.decode("utf-8", "replace") if answer.status == 200 else None

    def storage(self) -> dict[str, Any]:
        """The settings of the cluster's own storage. Raises ScarError."""
        found: dict[str, Any] = self._document("/system/config", self.cluster.name)["minio_provider"]
        return found

    def send(self, url: str, body: bytes, token: str, seconds: float) -> Answer:
        """Hand an event to a service. Raises ScarError when the cluster cannot be reached."""
        return self._send("POST", url, {"Authorization": f"Bearer {token}"}, body, seconds)

    def _document(self, path: str, subject: str) -> Any:
        answer = self._as_user("GET", path)
        if answer.status in (401, 403):
            raise ScarError(
                f"cluster {self.cluster.name}: does not accept its user and password; "
                "`scar-pulumi up FILE` with the right ones corrects that"
            )
        if answer.status != 200:
            raise ScarError(f"{subject}: is not known on cluster {self.cluster.name}; `scar-pulumi up FILE` deploys it")
        return json.loads(answer.body)

    def _as_user(self, method: str, path: str) -> Answer:
        pair = f"{self.cluster.user}:{self.cluster.password}".encode()
        headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
        return self._send(method, f"{self.cluster.endpoint}{path}", headers, b"", _SECONDS)

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes, seconds: float) -> Answer:
        session = self._clients.http(url, seconds, verify=self.cluster.verify)
        try:
            response = session.send(AWSRequest(method, url, headers, body).prepare())
            return Answer(response.status_code, response.content)
        except (NoConnection, HTTPClientError) as error:
            raise ScarError(
                f"cluster {self.cluster.name}: {self.cluster.endpoint} cannot be reached ({error}); check that it runs"
            ) from None
        finally:
            session.close()


# Knative lets a call run for ten minutes at most, OSCAR's server for five unless it is told otherwise.
# https://knative.dev/docs/serving/services/creating-services/
_PATIENCE = 610.0
_APPEARS = 10.0
_SHORTEST = 16


class ServiceFailed(InvocationError):  # noqa: N818 - says what happened, as the message does
    """A service was called and failed; `invocation` holds all that is known."""

    def __init__(self, service: DeployedService, invocation: Invocation) -> None:
        self.invocation = invocation
        said = invocation.body.decode(errors="replace").strip()
        reason = _REASONS.get(invocation.status_code) or said or f"answered with status {invocation.status_code}"
        super().__init__(f"{service.name}: {reason}")

    def document(self) -> dict[str, object]:
        """Return the call as a JSON document."""
        return self.invocation.document()


_REASONS: Mapping[int, str] = {
    401: "the cluster does not accept its token; `scar-pulumi refresh` looks it up again",
    404: "the cluster has no such service; `scar-pulumi up FILE` deploys it again",
    502: "the cluster could not start its container; `scar-pulumi logs` may tell more",
    504: "it took longer than the cluster waits; --async makes a job of it",
}


def call_service(
    client: ClusterClient, service: DeployedService, call: Call, token: str, *, is_file: bool = False
) -> Invocation:
    """Call a service and wait for its answer; a failed call is returned, not raised. `is_file`: see `decoded`."""
    answer = client.send(service.run_url, service_event(call), token, _PATIENCE)
    body = decoded(answer.body, is_file=is_file) if answer.status == 200 else answer.body
    return Invocation(service.name, answer.status, "", "", body=body)


def begin_job(client: ClusterClient, service: DeployedService, call: Call, token: str) -> Invocation:
    """Make a job of a call; its name, which OSCAR does not tell, is looked for among those of the service."""
    before = set(client.jobs(service.name))
    answer: Answer = client.send(service.job_url, service_event(call), token, _PATIENCE)
    name = _new_job(client, service, before) if answer.status == 201 else ""
    return Invocation(service.name, answer.status, name, "", body=answer.body)


def _new_job(client: ClusterClient, service: DeployedService, before: set[str]) -> str:
    deadline = time.monotonic() + _APPEARS
    while time.monotonic() < deadline:
        if new := set(client.jobs(service.name)) - before:
            return sorted(new)[0]
        time.sleep(0.2)
    return ""


def service_event(call: Call) -> bytes:
    """The event: JSON as it stands, anything else in base64, which a supervisor makes the input file of."""
    if call.parameters:
        raise InputError("--parameters: services on OSCAR clusters have no query parameters; put them into the event")
    if call.body is None:
        return b"{}"
    return call.body.content if call.body.is_json else _encoded(call.body)


def _encoded(body: Body) -> bytes:
    text = base64.b64encode(body.content).decode()
    # Digits alone would be taken for a number.
    return json.dumps(text).encode() if text.isdecimal() else text.encode()


def decoded(body: bytes, *, is_file: bool = False) -> bytes:
    """The file that an answer holds in base64, or what was printed as it is.

    Nothing in the answer tells one from the other. Who wants a file (`is_file`) takes all base64 for one; else a word
    that is short and has no padding is left alone.
    """
    text = body.strip()
    is_word = len(text) < _SHORTEST and not text.endswith(b"=")
    if b"\n" in text or (is_word and not is_file):
        return body
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return body


def read_job_lines(client: ClusterClient, service: str, start: int = 0, *, job: str = "") -> Iterator[LogLine]:
    """Read the lines of all jobs, or of one, since `start` (ms since the epoch): job after job, the oldest first."""
    for name in _names(client.jobs(service), start, job):
        yield from (line for line in _log_lines(name, client.log(service, name) or "") if line.timestamp >= start)


def follow_job_lines(
    client: ClusterClient, service: str, start: int, *, wait: Callable[[], bool], job: str = ""
) -> Iterator[LogLine]:
    """Read lines and keep reading; `wait` pauses between two looks and says whether to go on."""
    seen: dict[str, int] = {}
    ended: set[str] = set()
    while True:
        jobs = client.jobs(service)
        for name in _names(jobs, start, job):
            if name in ended:
                continue
            if jobs[name].get("finish_time"):
                ended.add(name)  # before the last look: nothing comes after it
            lines = list(_log_lines(name, client.log(service, name) or ""))
            yield from (line for line in lines[seen.get(name, 0) :] if line.timestamp >= start)
            seen[name] = len(lines)
        if not wait():
            return


def _names(jobs: Mapping[str, Mapping[str, Any]], start: int, job: str) -> list[str]:
    chosen = [name for name in jobs if job in ("", name) and _ended(jobs[name]) >= start]
    return sorted(chosen, key=lambda name: (str(jobs[name].get("creation_time") or ""), name))


def _ended(job: Mapping[str, Any]) -> float:
    """When a job ended, in ms since the epoch; infinitely late while it runs."""
    moment = job.get("finish_time")
    return _milliseconds(str(moment)) if moment else float("inf")


def _log_lines(job: str, text: str) -> Iterator[LogLine]:
    for number, line in enumerate(text.splitlines()):
        moment, _, message = line.partition(" ")
        try:
            yield LogLine(f"{job}/{number}", _milliseconds(moment), job, message, job)
        except ValueError:  # a server that does not tell times
            yield LogLine(f"{job}/{number}", 0, job, line, job)


def _milliseconds(moment: str) -> int:
    # Kubernetes tells nanoseconds, of which Python takes six digits.
    head, dot, rest = moment.removesuffix("Z").partition(".")
    text = f"{head}{dot}{rest[:6]}+00:00" if moment.endswith("Z") else moment
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)
