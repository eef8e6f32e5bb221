"""Hand an event over: to AWS Batch as a job, or to the function's own queue, to run later."""

import json
import os
import re
import time
from collections.abc import Iterable
from itertools import groupby
from typing import Any

from supervisor import aws, response
from supervisor.configuration import DONE, EVENT, EVENT_PLACE
from supervisor.disk import TMP
from supervisor.errors import ConfigurationInvalid, DelegationFailed, EventNotQueued, SupervisorError
from supervisor.events.http import QUEUED
from supervisor.function import Context, Function
from supervisor.limits import BATCH_OVERRIDES_CHARACTERS, LAMBDA_ASYNC_PAYLOAD_BYTES
from supervisor.log import Log

_LARGEST_OVERRIDES = BATCH_OVERRIDES_CHARACTERS // 2  # Batch adds its variables, with names of queues, and resources
_ATTEMPTS = 6
_LONGEST_NAME = 128


def submit_job(function: Function, event: Any, context: Context, log: Log, done: tuple[int, ...] = ()) -> bytes:
    """Submit the event to AWS Batch, and return the message for the caller; `done` are inputs that are finished.

    There is one job per event, however often it is tried. SubmitJob has no token that makes it idempotent
    (https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html), so the job's name has the request id,
    and a job of that name is looked for before every try, the first one too: Lambda retries an event under its
    request id.
    """
    batch = function.configuration.batch
    missing = [key for key in ("job_queue", "job_definition") if not getattr(batch, key)]
    if missing:
        raise ConfigurationInvalid(f"batch: {', '.join(missing)} missing; deploy the function again")
    name = job_name(function.configuration.name, context.request_id)
    job = _submitted(_job(function, name, event, context, done), log)
    log.info(f"delegated to Batch as job {job}")
    hint = f"scar-pulumi logs {function.configuration.name} --job {job}"
    return f"Job delegated to batch.\nCheck batch logs with:\n  {hint}\njob id: {job}\n".encode()


def job_name(function: str, request_id: str) -> str:
    """Return the name of a request's only job, in the characters that names may have."""
    clean = re.sub(r"[^A-Za-z0-9_-]", "-", f"{function}-{request_id}").lstrip("-_")
    return clean if len(clean) <= _LONGEST_NAME else clean[-_LONGEST_NAME:].lstrip("-_")


def _job(function: Function, name: str, event: Any, context: Context, done: tuple[int, ...]) -> dict[str, Any]:
    batch, text = function.configuration.batch, json.dumps(event)
    variables = {EVENT: text, "AWS_LAMBDA_REQUEST_ID": context.request_id}
    if done:
        variables[DONE] = as_ranges(done)
    job = {"jobName": name, "jobQueue": batch.job_queue, "jobDefinition": batch.job_definition}
    overrides = _overrides(variables, multi_node=batch.multi_node)
    if len(json.dumps(overrides)) <= _LARGEST_OVERRIDES:
        return {**job, **overrides}
    del variables[EVENT]
    variables[EVENT_PLACE] = _event_in_bucket(function, name, text)
    return {**job, **_overrides(variables, multi_node=batch.multi_node)}


def as_ranges(numbers: Iterable[int]) -> str:
    """Return numbers as text: `0-57,60`."""
    ordered = sorted(set(numbers))
    # Numbers that follow one another have the same distance from their places.
    runs = [[number for _, number in run] for _, run in groupby(enumerate(ordered), lambda pair: pair[1] - pair[0])]
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)


def from_ranges(text: str) -> tuple[int, ...]:
    """Return the numbers that `as_ranges` has written; leave out what is none."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            found.extend(range(int(first), int(last or first) + 1))
    return tuple(found)


def _overrides(variables: dict[str, str], *, multi_node: bool) -> dict[str, Any]:
    overrides = {"environment": [{"name": name, "value": value} for name, value in variables.items()]}
    if not multi_node:
        return {"containerOverrides": overrides}
    return {"nodeOverrides": {"nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": overrides}]}}


def _event_in_bucket(function: Function, name: str, text: str) -> str:
    """Store an event that is too large for a job, and return where; each try writes the same object."""
    bucket, _, folder = function.configuration.batch.event_path.partition("/")
    if not bucket:
        raise DelegationFailed(
            f"the event has {len(text)} characters, more than a job takes (about {_LARGEST_OVERRIDES}), and there is "
            "no bucket to store it in; set the event path of the function's batch settings"
        )
    key = f"{folder}/{name}.json".lstrip("/")
    path = f"{TMP}/scar-event-{os.urandom(8).hex()}"
    try:
        with open(path, "x", encoding="ascii") as file:
            file.write(text)
        function.storages.named("s3.default").upload(path, bucket, key)
    except SupervisorError as error:
        raise DelegationFailed(f"the event cannot be stored at {bucket}/{key}: {error}") from error
    finally:
        if os.path.exists(path):
            os.unlink(path)
    return f"{bucket}/{key}"


def _submitted(request: dict[str, Any], log: Log) -> str:
    problem: Exception | None = None
    for attempt in range(_ATTEMPTS):
        try:
            if found := _existing(request["jobQueue"], request["jobName"], log):
                log.info(f"this event is already job {found}")
                return found
            return str(aws.call("batch", "SubmitJob", request, path="/v1/submitjob", attempts=1)["jobId"])
        except aws.AwsError as error:
            if error.status < 500 and error.status != 429 and error.kind != "TooManyRequestsException":
                raise DelegationFailed(str(error)) from error
            problem = error
        except (OSError, ValueError, KeyError) as error:  # the job may exist, and only the response is lost
            problem = error
        time.sleep(min(5.0, 0.25 * 2**attempt))
    raise DelegationFailed(f"Batch cannot be reached: {problem}") from problem


def _existing(queue: str, name: str, log: Log) -> str:
    filters = [{"name": "JOB_NAME", "values": [name]}]
    try:
        found = aws.call("batch", "ListJobs", {"jobQueue": queue, "filters": filters}, path="/v1/listjobs")
    except aws.AwsError as error:
        if error.kind not in ("AccessDeniedException", "AccessDenied"):
            raise
        log.warning(f"cannot look for an earlier job of this event: {error}; let the role call batch:ListJobs")
        return ""
    return next((str(job["jobId"]) for job in found.get("jobSummaryList", ()) if job.get("jobName") == name), "")


def queue_event(function: Function, event: dict[str, Any], context: Context, log: Log) -> bytes:
    """Put an HTTP call into the function's queue; return the response for its caller, with the id of the new request.

    Lambda's queue treats it like any asynchronous event: it retries, then calls the failure destination.
    https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
    """
    payload = json.dumps({**event, QUEUED: context.request_id}).encode()
    try:
        request_id = _queued(function, payload)
    except EventNotQueued as error:
        log.failure(str(error))
        return response.failure(error, context, error.status)
    log.info(f"queued as request {request_id}")
    return response.accepted(request_id, context)


def _queued(function: Function, payload: bytes) -> str:
    if len(payload) > LAMBDA_ASYNC_PAYLOAD_BYTES:
        raise EventNotQueued(
            f"the request has {len(payload):,} bytes, with files in base64, and the function's queue takes "
            f"{LAMBDA_ASYNC_PAYLOAD_BYTES:,}; put the file into the function's input bucket, or wait for the response",
            413,
        )
    name = function.environment.get("AWS_LAMBDA_FUNCTION_NAME") or function.configuration.name
    try:
        return aws.invoke_later(name, payload)
    except aws.AwsError as error:
        if error.status == 429:
            raise EventNotQueued(f"the function's queue is full for now: {error}; try again later", 429) from error
        raise EventNotQueued(f"{error}; let the function's role call lambda:InvokeFunction on the function") from error
    except (OSError, ValueError) as error:
        raise EventNotQueued(
            f"Lambda cannot be reached: {error}; a function in a VPC needs a NAT gateway or an endpoint for Lambda", 503
        ) from error
