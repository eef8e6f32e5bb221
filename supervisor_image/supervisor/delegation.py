"""Events handed over to AWS Batch: one job per event, however often it is tried.

SubmitJob has no token that makes it idempotent (https://docs.aws.amazon.com/batch/latest/APIReference/API_SubmitJob.html),
so the job is named by the request and looked for before every try, the first one included: Lambda repeats an event that
failed under the same request id.
"""

import json
import os
import re
import time
from typing import Any

from supervisor import aws
from supervisor.context import Context
from supervisor.errors import ConfigurationInvalid, DelegationFailed, SupervisorError
from supervisor.function import Function
from supervisor.log import Log

EVENT, EVENT_PLACE, SCRIPT, DONE = "EVENT", "SCAR_EVENT", "SCRIPT", "SCAR_DONE"
LARGEST = 24 * 1024  # bytes of a request; Batch takes 30 KiB, of which names and signatures are a part
_ATTEMPTS = 6
_LONGEST_NAME = 128


def submit(function: Function, event: Any, context: Context, log: Log, done: tuple[int, ...] = ()) -> bytes:
    """Hand the event over; what the caller is told. `done` are the inputs that the job need not run again."""
    batch = function.configuration.batch
    missing = [key for key in ("job_queue", "job_definition") if not getattr(batch, key)]
    if missing:
        raise ConfigurationInvalid(f"batch: {', '.join(missing)} missing; deploy the function again")
    name = job_name(function.configuration.name, context.request_id)
    job = _submitted(_request(function, name, event, context, done), log)
    log.info(f"delegated to Batch as job {job}")
    hint = f"scar-pulumi logs {function.configuration.name} --job {job}"
    return f"Job delegated to batch.\nCheck batch logs with:\n  {hint}\njob id: {job}\n".encode()


def job_name(function: str, request_id: str) -> str:
    """The name of the one job of a request, in the letters that names may have."""
    clean = re.sub(r"[^A-Za-z0-9_-]", "-", f"{function}-{request_id}").lstrip("-_")
    return clean if len(clean) <= _LONGEST_NAME else clean[-_LONGEST_NAME:].lstrip("-_")


def _request(function: Function, name: str, event: Any, context: Context, done: tuple[int, ...]) -> dict[str, Any]:
    batch, text = function.configuration.batch, json.dumps(event)
    variables = {EVENT: text, "AWS_LAMBDA_REQUEST_ID": context.request_id}
    if done:
        variables[DONE] = ",".join(map(str, done))
    document = _document(batch.job_queue, batch.job_definition, name, variables, multi_node=batch.multi_node)
    if len(json.dumps(document)) <= LARGEST:
        return document
    del variables[EVENT]
    variables[EVENT_PLACE] = _kept(function, name, text)
    return _document(batch.job_queue, batch.job_definition, name, variables, multi_node=batch.multi_node)


def _document(queue: str, definition: str, name: str, variables: dict[str, str], *, multi_node: bool) -> dict[str, Any]:
    overrides = {"environment": [{"name": key, "value": value} for key, value in variables.items()]}
    document = {"jobName": name, "jobQueue": queue, "jobDefinition": definition}
    if multi_node:
        nodes = {"nodePropertyOverrides": [{"targetNodes": "0:", "containerOverrides": overrides}]}
        return {**document, "nodeOverrides": nodes}
    return {**document, "containerOverrides": overrides}


def _kept(function: Function, name: str, text: str) -> str:
    """Where an event that is too large for a job is kept for it; each try writes the same object."""
    bucket, _, folder = function.configuration.batch.event_path.partition("/")
    if not bucket:
        raise DelegationFailed(
            f"the event has {len(text)} characters, more than a job takes ({LARGEST}), and there is no place to keep "
            "it; set the event path of the function's batch settings"
        )
    key = f"{folder}/{name}.json".lstrip("/")
    path = f"/tmp/scar-event-{os.urandom(8).hex()}"  # noqa: S108
    try:
        with open(path, "x", encoding="ascii") as file:  # noqa: PTH123
            file.write(text)
        function.storages.named("s3.default").upload(path, bucket, key)
    except SupervisorError as error:
        raise DelegationFailed(f"the event cannot be kept at {bucket}/{key}: {error}") from error
    finally:
        if os.path.exists(path):  # noqa: PTH110
            os.unlink(path)  # noqa: PTH108
    return f"{bucket}/{key}"


def _submitted(request: dict[str, Any], log: Log) -> str:
    problem: Exception | None = None
    for attempt in range(_ATTEMPTS):
        try:
            if found := _existing(request["jobQueue"], request["jobName"], log):
                log.info(f"this event already is job {found}")
                return found
            return str(aws.call("batch", "SubmitJob", request, path="/v1/submitjob", attempts=1)["jobId"])
        except aws.AwsError as error:
            if error.status < 500 and error.status != 429 and error.kind != "TooManyRequestsException":
                raise DelegationFailed(str(error)) from error
            problem = error
        except (OSError, ValueError, KeyError) as error:  # perhaps it was taken and only the answer is lost
            problem = error
        time.sleep(min(5.0, 0.25 * 2**attempt))
    raise DelegationFailed(f"Batch cannot be reached: {problem}") from problem


def _existing(queue: str, name: str, log: Log) -> str:
    filters = [{"name": "JOB_NAME", "values": [name]}]
    try:
        answer = aws.call("batch", "ListJobs", {"jobQueue": queue, "filters": filters}, path="/v1/listjobs")
    except aws.AwsError as error:
        if error.kind not in ("AccessDeniedException", "AccessDenied"):
            raise
        log.warning(f"cannot look for an earlier job of this event: {error}; let the role call batch:ListJobs")
        return ""
    return next((str(job["jobId"]) for job in answer.get("jobSummaryList", ()) if job.get("jobName") == name), "")
