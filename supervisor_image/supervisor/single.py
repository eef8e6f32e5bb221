"""One event and no more: from the environment of a Batch job, else from standard input, as OSCAR's jobs get it."""

import base64
import binascii
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from supervisor import delegation, events, oscar, results, staging
from supervisor.context import Context
from supervisor.errors import EventInvalid, OutOfDisk, ScriptFailed, ScriptTimedOut, SupervisorError
from supervisor.function import Function
from supervisor.log import Log
from supervisor.runs import Job, process

_A_WEEK = 7 * 24 * 3600
_TIMED_OUT = 124  # as timeout(1) has it
_OSCARS_SCRIPT = "/oscar/config/script.sh"
# Files to use where a container has neither a standard input nor an output of its own.
_EVENT_FILE, _ANSWER_FILE = "SCAR_EVENT_FILE", "SCAR_ANSWER_FILE"


def run(environment: Mapping[str, str]) -> int:
    """Process the event; the output goes to standard output, the exit code says whether all went well."""
    log = Log(request_id=_request_id(environment))
    _redirect(environment.get(_EVENT_FILE), os.O_RDONLY, 0)
    _redirect(environment.get(_ANSWER_FILE), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1)
    staging.make_parent()
    try:
        environment = oscar.adopted(environment)
        function = _with_oscars_script(Function.read(environment))
        log = function.log.of_request(_request_id(environment))
        in_batch = bool(environment.get("AWS_BATCH_JOB_ID"))
        _run(function, environment, log, in_batch=in_batch)
    except SupervisorError as error:
        log.failure(f"{type(error).__name__}: {error}")
        return _exit_code(error)
    return 0


def _redirect(path: str | None, flags: int, standard: int) -> None:
    if path:
        descriptor = os.open(path, flags, 0o600)
        os.dup2(descriptor, standard)
        os.close(descriptor)


def _run(function: Function, environment: Mapping[str, str], log: Log, *, in_batch: bool) -> None:
    context = Context(request_id=_request_id(environment), deadline=time.time() + _A_WEEK)
    payload = _job_event(function, environment) if in_batch else sys.stdin.buffer.read()
    event = _with_script(events.parse(payload), environment)
    handed_back = results.HandedBack()
    collect = None if in_batch else handed_back.collect
    output = process(function, event, context, log, _job(environment, in_batch=in_batch, collect=collect))
    if not handed_back.is_written and not in_batch:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()


def _job(environment: Mapping[str, str], *, in_batch: bool, collect: Callable[..., None] | None) -> Job:
    node, main = (environment.get(f"AWS_BATCH_JOB_{name}_INDEX", "0") for name in ("NODE", "MAIN_NODE"))
    done = tuple(int(number) for number in environment.get(delegation.DONE, "").split(",") if number.isdecimal())
    # A job's log is for all that the program prints; elsewhere standard output is the answer's.
    return Job(passed_to=(1, 2) if in_batch else (2, 2), done=done, helper=in_batch and node != main, collect=collect)


def _job_event(function: Function, environment: Mapping[str, str]) -> bytes:
    place = environment.get(delegation.EVENT_PLACE)
    if not place:
        return os.fsencode(environment.get(delegation.EVENT, ""))
    bucket, _, key = place.partition("/")
    path = f"/tmp/scar-event-{os.urandom(8).hex()}"  # noqa: S108
    function.storages.named("s3.default").download(bucket, key, path)
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    finally:
        os.unlink(path)  # noqa: PTH108


def _with_script(event: Any, environment: Mapping[str, str]) -> Any:
    """The event with the script of the environment, where jobs of SCAR have it."""
    script = environment.get(delegation.SCRIPT)
    if not script:
        return event
    try:
        base64.b64decode(script, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventInvalid("the variable SCRIPT is not base64; encode the script's bytes") from error
    return {**event, "script": script} if isinstance(event, dict) else {"script": script, "event": json.dumps(event)}


def _with_oscars_script(function: Function) -> Function:
    if function.image.script or not os.path.isfile(_OSCARS_SCRIPT):  # noqa: PTH113
        return function
    return function._replace(image=function.image._replace(script=_OSCARS_SCRIPT))


def _request_id(environment: Mapping[str, str]) -> str:
    names = ("AWS_LAMBDA_REQUEST_ID", "AWS_BATCH_JOB_ID", "JOB_UUID")
    return next((environment[name] for name in names if environment.get(name)), "") or f"local-{os.getpid()}"


def _exit_code(error: SupervisorError) -> int:
    if isinstance(error, ScriptFailed | OutOfDisk):
        return error.code
    return _TIMED_OUT if isinstance(error, ScriptTimedOut) else 1
