"""The Runtime API here, and the one that AWS's own emulator has, say the same to the same runtime."""

import asyncio
import http.client
import json
import os
import subprocess
import sys
from pathlib import Path

from scar_pulumi.cloud.runner.runtime_api import PAYLOAD_LIMIT, RuntimeApi
from tests.cloud.runner.runtime_client import RUNTIME, event
from tests.world.interface_emulator import Emulator, program
from tests.world.waiting import wait_for

NEXT, RESPONSE, ERROR = (
    ("GET", "invocation/next"),
    ("POST", "invocation/{id}/response"),
    ("POST", "invocation/{id}/error"),
)
EVENTS = 4
STEPS: tuple[tuple[tuple[str, str], bytes], ...] = (
    (("GET", "/2018-06-01/ping"), b""),
    (("GET", "/nowhere"), b""),
    (("GET", "init/error"), b""),
    (("POST", "invocation/next"), b""),
    (RESPONSE, b"before any event"),
    (NEXT, b""),
    (("POST", "init/error"), b"{}"),
    (("POST", "invocation/unknown/response"), b"x"),
    (("POST", "invocation/unknown/error"), b"x"),
    (NEXT, b""),
    (RESPONSE, b'"the answer"'),
    (RESPONSE, b'"another answer"'),
    (ERROR, b'"an error after the answer"'),
    (NEXT, b""),
    (ERROR, b"no JSON"),
    (NEXT, b""),
    (RESPONSE, b"x" * (PAYLOAD_LIMIT + 1)),
    (NEXT, b""),
    (RESPONSE, b""),
)

Told = list[list[object]]


def test_the_same_runtime_is_told_the_same(tmp_path: Path) -> None:
    told = asyncio.run(_here())
    assert told == _by_aws(tmp_path)
    assert [status for status, *_ in told] == [
        *(200, 404, 405, 405, 400),
        *(200, 403, 400, 400, 200, 202, 403, 403),
        *(200, 202, 200, 413, 200, 202),
    ]


async def _here() -> Told:
    api = RuntimeApi()
    address = await api.start()
    for number in range(EVENTS):
        api.deliver(event(f"id-{number}"))
    try:
        return await asyncio.to_thread(converse, address)
    finally:
        await api.close()


def _by_aws(folder: Path) -> Told:
    emulator, told = Emulator(str(program())), folder / "told"
    runtime = (sys.executable, "-c", f"from {__name__} import runtime; runtime({str(told)!r})")
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([*emulator.command, *runtime], stdout=log, stderr=log)
    try:
        for _ in range(EVENTS):
            emulator.call(b"{}")
        wait_for(told.exists, 10, "the runtime is through")
    finally:
        running.terminate()
        running.wait()
    found: Told = json.loads(told.read_text())
    return found


def runtime(told: str) -> None:
    """Return what the emulator runs: the conversation, kept in a file, and then no more."""
    partial = Path(f"{told}.partial")
    partial.write_text(json.dumps(converse(os.environ["AWS_LAMBDA_RUNTIME_API"])))
    partial.rename(told)
    sys.stdin.read()


def converse(address: str) -> Told:
    """Take each step; the status of each answer, the kind of its error, and whether it was the same event again."""
    told: Told = []
    current = "none"
    for (method, path), body in STEPS:
        connection = http.client.HTTPConnection(address, timeout=20)
        connection.request(method, path if path.startswith("/") else RUNTIME + path.format(id=current), body)
        response = connection.getresponse()
        answer = response.read()
        held = response.getheader("Lambda-Runtime-Aws-Request-Id", "")
        told.append([response.status, _error_type(answer), _names(response), held == current])
        current = held or current
        connection.close()
    return told


def _names(response: http.client.HTTPResponse) -> list[str]:
    """Return what an event comes with, without the trace that only who calls with one gets from the emulator."""
    names = {name.lower() for name, _ in response.getheaders()}
    return sorted(name for name in names if name.startswith("lambda-runtime-") and not name.endswith("trace-id"))


def _error_type(answer: bytes) -> object:
    try:
        document = json.loads(answer)
    except ValueError:
        return None
    known = ("InvalidRequestID", "InvalidStateTransition", "RequestEntityTooLarge")
    kind = document.get("errorType") if isinstance(document, dict) else None
    return kind if kind in known else None
