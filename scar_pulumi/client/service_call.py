"""A service on an OSCAR cluster called: answered at once where the cluster can, else as a job."""

import base64
import json
import time
from collections.abc import Mapping

from scar_foundation.errors import InputError, InvocationError
from scar_pulumi.client.call import Body, Call
from scar_pulumi.client.clusters import Service
from scar_pulumi.client.invocation import Invocation
from scar_pulumi.client.oscar import Answer, ClusterClient

# Knative lets a call run for ten minutes at most, OSCAR's server for five unless it is told otherwise.
# https://knative.dev/docs/serving/services/creating-services/
_PATIENCE = 610.0
_APPEARS = 10.0
_SHORTEST = 16


class ServiceFailed(InvocationError):  # noqa: N818 - says what happened, as the message does
    """A service was called and failed; `invocation` holds all that is known."""

    def __init__(self, service: Service, invocation: Invocation) -> None:
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
    client: ClusterClient, service: Service, call: Call, token: str, *, is_file: bool = False
) -> Invocation:
    """Call a service and wait for its answer; a failed call is returned, not raised. `is_file`: see `decoded`."""
    answer = client.send(service.run_url, event_of(call), token, _PATIENCE)
    body = decoded(answer.body, is_file=is_file) if answer.status == 200 else answer.body
    return Invocation(service.name, answer.status, "", "", body=body)


def begin_job(client: ClusterClient, service: Service, call: Call, token: str) -> Invocation:
    """Make a job of a call; its name, which OSCAR does not tell, is looked for among those of the service."""
    before = set(client.jobs(service.name))
    answer: Answer = client.send(service.job_url, event_of(call), token, _PATIENCE)
    name = _new_job(client, service, before) if answer.status == 201 else ""
    return Invocation(service.name, answer.status, name, "", body=answer.body)


def _new_job(client: ClusterClient, service: Service, before: set[str]) -> str:
    deadline = time.monotonic() + _APPEARS
    while time.monotonic() < deadline:
        if new := set(client.jobs(service.name)) - before:
            return sorted(new)[0]
        time.sleep(0.2)
    return ""


def event_of(call: Call) -> bytes:
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
