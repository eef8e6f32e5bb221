"""Run one event and exit: as a job of AWS Batch, else with the event on standard input, as in OSCAR's jobs."""

import base64
import binascii
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any

from supervisor import disk, events, files, oscar
from supervisor.configuration import ANSWER_FILE, DONE, EVENT, EVENT_FILE, EVENT_PLACE, SCRIPT
from supervisor.errors import EventInvalid, OutOfDisk, ScriptFailed, ScriptTimedOut, SupervisorError
from supervisor.events import Data, Item
from supervisor.function import Context, Function
from supervisor.handover import from_ranges
from supervisor.log import Log
from supervisor.runs import RunOptions, run_event

_A_WEEK = 7 * 24 * 3600
_TIMED_OUT = 124  # as timeout(1) exits
_BLOCK = 3 << 16  # bytes; a multiple of three, so that pieces in base64 can be joined


def run(environment: Mapping[str, str]) -> int:
    """Run the event, with the output on standard output; return the exit code."""
    log = Log(request_id=_request_id(environment))
    _redirect(environment.get(EVENT_FILE), os.O_RDONLY, 0)
    _redirect(environment.get(ANSWER_FILE), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 1)
    disk.make_tmp()
    try:
        environment = oscar.with_configuration(environment)
        function = oscar.with_script(Function.read(environment))
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
    payload = _batch_event(function, environment) if in_batch else sys.stdin.buffer.read()
    if function.configuration.mapreduce is not None:
        from supervisor.mapreduce import stages

        answer = stages.handle(function, stages.job_event(payload, environment), context, log)
        sys.stdout.buffer.write(answer + b"\n")
        sys.stdout.buffer.flush()
        return
    event = _with_script(events.parse(payload), environment)
    result = OutputsToStdout()
    collect = None if in_batch else result.collect
    output = run_event(function, event, context, log, _options(environment, in_batch=in_batch, collect=collect))
    if not result.is_written and not in_batch:
        sys.stdout.buffer.write(output)
        sys.stdout.buffer.flush()


def _options(
    environment: Mapping[str, str], *, in_batch: bool, collect: Callable[[Item, str], None] | None
) -> RunOptions:
    node, main = (environment.get(f"AWS_BATCH_JOB_{name}_INDEX", "0") for name in ("NODE", "MAIN_NODE"))
    done = from_ranges(environment.get(DONE, ""))
    # A job's log takes all that the program prints; elsewhere standard output is kept for the result.
    passed_to = (1, 2) if in_batch else (2, 2)
    return RunOptions(passed_to=passed_to, done=done, helper=in_batch and node != main, collect=collect)


def _batch_event(function: Function, environment: Mapping[str, str]) -> bytes:
    place = environment.get(EVENT_PLACE)
    if not place:
        return os.fsencode(environment.get(EVENT, ""))
    bucket, _, key = place.partition("/")
    path = f"{disk.TMP}/scar-event-{os.urandom(8).hex()}"
    function.storages.named("s3.default").download(bucket, key, path)
    try:
        with open(path, "rb") as file:
            return file.read()
    finally:
        os.unlink(path)


def _with_script(event: Any, environment: Mapping[str, str]) -> Any:
    """Return the event with the script in the environment, where SCAR's jobs have it."""
    script = environment.get(SCRIPT)
    if not script:
        return event
    try:
        base64.b64decode(script, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventInvalid("the variable SCRIPT is not base64; encode the script's bytes") from error
    return {**event, "script": script} if isinstance(event, dict) else {"script": script, "event": json.dumps(event)}


def _request_id(environment: Mapping[str, str]) -> str:
    names = ("AWS_LAMBDA_REQUEST_ID", "AWS_BATCH_JOB_ID", "JOB_UUID")
    return next((environment[name] for name in names if environment.get(name)), "") or f"local-{os.getpid()}"


def _exit_code(error: SupervisorError) -> int:
    if isinstance(error, ScriptFailed | OutOfDisk):
        return error.code
    return _TIMED_OUT if isinstance(error, ScriptTimedOut) else 1


class OutputsToStdout:
    """Output files of events that carry their input: one in base64, several as a zip archive in base64."""

    def __init__(self) -> None:
        self.is_written = False

    def collect(self, item: Item, folder: str) -> None:
        """Write the folder's files; where it has none, the program's own output is the result."""
        names = [name for name, _ in files.output_files(folder, Log("ERROR"))]
        if not names or not isinstance(item.source, Data):
            return
        self.is_written = True
        path = f"{folder}/{names[0]}" if len(names) == 1 else _zipped(folder, sorted(names))
        with open(path, "rb") as file:
            for block in _blocks(file):
                sys.stdout.buffer.write(base64.b64encode(block))
        sys.stdout.buffer.write(b"\n")
        sys.stdout.buffer.flush()


def _zipped(folder: str, names: list[str]) -> str:
    import zipfile

    path = f"{folder}-{os.urandom(4).hex()}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for name in names:
            archive.write(f"{folder}/{name}", name)
    return path


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
