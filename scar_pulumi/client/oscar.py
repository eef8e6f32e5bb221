"""Services on an OSCAR cluster: called at once or as jobs, and what their jobs print."""

import base64
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from scar_components.oscar_api import OscarAccess, OscarApi, OscarError, OscarResponse, numbers
from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.call import Body, Call
from scar_pulumi.client.invocation import CallFailed, Invocation
from scar_pulumi.client.logs import LogLine, milliseconds
from scar_pulumi.client.outputs import DeployedCluster, DeployedService

if TYPE_CHECKING:
    from scar_pulumi.client.clients import Clients

_SECONDS = 60.0
# Knative lets a call run for ten minutes at most, OSCAR's server for five unless it is configured otherwise.
# https://knative.dev/docs/serving/services/creating-services/
_LONGEST_CALL_SECONDS = 610.0
_JOB_APPEARS_SECONDS = 10.0
_SHORTEST_PLAIN_BASE64 = 16
# From so many characters on, OSCAR cuts a service's name in the names of its jobs.
_LONG_NAME, _CUT_NAME = 25, 16


class ClusterClient:
    """The services of a deployed cluster. Its errors say what to do with the stack."""

    def __init__(self, cluster: DeployedCluster, clients: "Clients") -> None:
        self.cluster = cluster
        self._clients = clients

    def token(self, service: str) -> str:
        """Return the token of a service. Raises ScarError."""
        with self._explained(service):
            found = self._api.find(service)
        if found is None:
            raise self._unknown(service)
        return str(found["token"])

    def jobs(self, service: str) -> dict[str, Mapping[str, Any]]:
        """Return the jobs of a service by name. Raises ScarError."""
        with self._explained(service):
            return self._api.jobs(service)

    def log(self, service: str, job: str) -> str | None:
        """Return what a job has printed, each line with its time; None where the job is unknown. Raises ScarError."""
        with self._explained(service):
            return self._api.job_log(service, job)

    def storage(self) -> dict[str, Any]:
        """Return the settings of the cluster's own storage. Raises ScarError."""
        with self._explained(self.cluster.name):
            found: dict[str, Any] = self._api.settings()["minio_provider"]
        # Who does not check the cluster's certificate does not mean to check that of the storage beside it.
        return found if self.cluster.verify else {**found, "verify": False}

    def buckets(self) -> set[str]:
        """Return the names of all buckets of the cluster's own storage. Raises ScarError."""
        with self._explained(self.cluster.name):
            return {str(bucket["bucket_name"]) for bucket in self._api.buckets()}

    def send(self, url: str, event: bytes, token: str, job: str = "") -> OscarResponse:
        """Send an event to a service; `job` names the job that it becomes. Raises ScarError without an answer."""
        with self._explained(self.cluster.name):
            return self._api.call(url, event, token, _LONGEST_CALL_SECONDS, job)

    @cached_property
    def takes_names(self) -> bool:
        """Whether who sends an event may name its job, as from OSCAR 4.1 on. Raises ScarError."""
        with self._explained(self.cluster.name):
            return numbers(str(self._api.information().get("version"))) >= (4, 1)

    @cached_property
    def _api(self) -> OscarApi:
        known = self.cluster
        access = OscarAccess(known.endpoint, known.user, known.password, known.verify)
        return OscarApi(access, seconds=_SECONDS)

    @contextmanager
    def _explained(self, subject: str) -> Iterator[None]:
        try:
            yield
        except OscarError as error:
            if error.status in (401, 403):
                raise ScarError(
                    f"cluster {self.cluster.name}: rejects its user and password; "
                    "run `scar-pulumi up FILE` with the right ones"
                ) from None
            unreachable = ScarError(f"cluster {self.cluster.name}: {error}")
            raise (self._unknown(subject) if error.status else unreachable) from None

    def _unknown(self, subject: str) -> ScarError:
        return ScarError(f"{subject}: is not known on cluster {self.cluster.name}; `scar-pulumi up FILE` deploys it")


_REASONS: Mapping[int, str] = {
    401: "the cluster rejects its token, or has no such service any more; `scar-pulumi refresh` finds out which",
    404: "the cluster has no such service; `scar-pulumi up FILE` deploys it again",
    502: "the cluster could not start its container; `scar-pulumi logs` may say why",
    504: "it took longer than the cluster waits; --async runs it as a job",
}


def failure_of(invocation: Invocation) -> CallFailed:
    """Return the error that describes a failed call of a service."""
    said = invocation.body.decode(errors="replace").strip()
    reason = _REASONS.get(invocation.status_code) or said or f"answered with status {invocation.status_code}"
    return CallFailed(invocation, reason)


def invoke_service(client: ClusterClient, service: DeployedService, call: Call, *, is_file: bool = False) -> Invocation:
    """Call a service, or run the call as a job where it is asynchronous or the cluster answers no calls."""
    token = service.token or client.token(service.name)
    if runs_as_job(service, call):
        return begin_job(client, service, call, token)
    return call_service(client, service, call, token, is_file=is_file)


def runs_as_job(service: DeployedService, call: Call) -> bool:
    """Return whether a call of a service becomes a job."""
    return call.later or not service.synchronous


def call_service(
    client: ClusterClient, service: DeployedService, call: Call, token: str, *, is_file: bool = False
) -> Invocation:
    """Call a service and wait for its answer; a failed call is returned, not raised. `is_file`: see `decoded`."""
    response = client.send(service.run_url, service_event(call), token)
    body = decoded(response.body, is_file=is_file) if response.status == 200 else response.body
    return Invocation(service.name, response.status, "", "", body=body)


def begin_job(client: ClusterClient, service: DeployedService, call: Call, token: str) -> Invocation:
    """Run a call as a job, and name it: OSCAR does not return the name that it would choose itself."""
    return send_event(client, service, service_event(call), token)


def send_event(client: ClusterClient, service: DeployedService, event: bytes, token: str) -> Invocation:
    """Make a job of an event, under a name of ours; before OSCAR 4.1 its name is found among the service's jobs."""
    if client.takes_names:
        name = _job_name(service.name)
        response = client.send(service.job_url, event, token, name)
    else:
        before = set(client.jobs(service.name))
        response = client.send(service.job_url, event, token)
        name = _new_job(client, service, before) if response.status == 201 else ""
    return Invocation(service.name, response.status, name, "", body=response.body)


def _job_name(service: str) -> str:
    """Return a new name in the form of OSCAR's own, which fits the 63 characters of a Kubernetes job."""
    start = service if len(service) < _LONG_NAME else service[:_CUT_NAME]
    return f"{start}-{uuid.uuid4()}"


def _new_job(client: ClusterClient, service: DeployedService, before: set[str]) -> str:
    deadline = time.monotonic() + _JOB_APPEARS_SECONDS
    while time.monotonic() < deadline:
        if new := set(client.jobs(service.name)) - before:
            return sorted(new)[0]
        time.sleep(0.2)
    return ""


def service_event(call: Call) -> bytes:
    """Return the event: JSON unchanged, anything else in base64, which the supervisor turns into the input file.

    Raises:
        InputError: The call has query parameters, which services do not take.
    """
    if call.parameters:
        raise InputError("--parameters: services on OSCAR clusters take no query parameters; put them into the event")
    if call.body is None:
        return b"{}"
    return call.body.content if call.body.is_json else _encoded(call.body)


def _encoded(body: Body) -> bytes:
    text = base64.b64encode(body.content).decode()
    # Digits alone would be taken for a number.
    return json.dumps(text).encode() if text.isdecimal() else text.encode()


def decoded(body: bytes, *, is_file: bool = False) -> bytes:
    """Return the file that an answer holds in base64, or the printed text unchanged.

    Nothing in the answer distinguishes the two. With `is_file` all base64 is decoded; otherwise a short word without
    padding is taken for text.
    """
    text = body.strip()
    is_word = len(text) < _SHORTEST_PLAIN_BASE64 and not text.endswith(b"=")
    if b"\n" in text or (is_word and not is_file):
        return body
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return body


def read_job_lines(client: ClusterClient, service: str, start: int = 0, *, job: str = "") -> Iterator[LogLine]:
    """Read the lines of all jobs, or of one, since `start` (ms since the epoch): job after job, the oldest first."""
    for name in [job] if job else _names(client.jobs(service), start):
        yield from (line for line in _log_lines(name, client.log(service, name) or "") if line.timestamp >= start)


def follow_job_lines(
    client: ClusterClient, service: str, start: int, *, wait: Callable[[], bool], job: str = ""
) -> Iterator[LogLine]:
    """Read lines and keep reading; `wait` pauses between two polls and returns whether to go on."""
    seen: dict[str, int] = {}
    ended: set[str] = set()
    while True:
        jobs = client.jobs(service)
        for name in _names(jobs, start, job):
            if name in ended:
                continue
            if jobs[name].get("finish_time"):
                ended.add(name)  # before its log is read for the last time
            lines = list(_log_lines(name, client.log(service, name) or ""))
            yield from (line for line in lines[seen.get(name, 0) :] if line.timestamp >= start)
            seen[name] = len(lines)
        if not wait():
            return


def _names(jobs: Mapping[str, Mapping[str, Any]], start: int, job: str = "") -> list[str]:
    chosen = [name for name in jobs if job in ("", name) and _ended(jobs[name]) >= start]
    return sorted(chosen, key=lambda name: (str(jobs[name].get("creation_time") or ""), name))


def _ended(job: Mapping[str, Any]) -> float:
    """Return when a job ended, in ms since the epoch; infinity while it runs."""
    moment = job.get("finish_time")
    return milliseconds(str(moment)) if moment else float("inf")


def _log_lines(job: str, text: str) -> Iterator[LogLine]:
    for number, line in enumerate(text.splitlines()):
        moment, _, message = line.partition(" ")
        try:
            yield LogLine(f"{job}/{number}", milliseconds(moment), job, message, job)
        except ValueError:  # a server that prints no times
            yield LogLine(f"{job}/{number}", 0, job, line, job)
