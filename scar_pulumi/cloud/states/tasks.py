"""Runs what Task states call: Lambda functions and Batch jobs of this cloud.

https://docs.aws.amazon.com/step-functions/latest/dg/connect-lambda.html
https://docs.aws.amazon.com/step-functions/latest/dg/connect-batch.html
"""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from scar_pulumi.cloud.asgi import ASGIApp, Response, call
from scar_pulumi.cloud.lambda_.functions import Functions, parse_reference
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.ministack.upstream import rest_request
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.service_models import respelled, service_model
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states.data_flow import as_text
from scar_pulumi.cloud.states.failures import RUNTIME, TASK_FAILED, StateFailureError
from scar_pulumi.cloud.states.resources import LAMBDA_INVOKE, SUBMIT_JOB_SYNC, is_function

_UNKNOWN = "Lambda.Unknown"
_POLLS = (0.1, 1.0)
"""Seconds between looks at a job: at first, and at most."""
_ENDED = ("SUCCEEDED", "FAILED")

SaveJob = Callable[[str], None]


class Tasks:
    """Runs tasks; `application` is the local cloud's own interface."""

    def __init__(self, functions: Functions, invocations: Invocations, application: ASGIApp) -> None:
        self._functions = functions
        self._invocations = invocations
        self._application = application

    async def perform(self, caller: Caller, resource: str, parameters: Any, job: str | None, save_job: SaveJob) -> Any:
        """Return the result of a task.

        `job` is the Batch job that the task waited for before the cloud was started anew; `save_job` keeps it.
        Raises StateFailureError, and RunnerStoppedError when the cloud stops first.
        """
        if is_function(resource):
            return await self._payload(caller, {"FunctionName": resource, "Payload": parameters})
        if resource == LAMBDA_INVOKE:
            return await self._invoke(caller, parameters)
        identifier = job or await self._submit(caller, parameters, save_job)
        if resource == SUBMIT_JOB_SYNC:
            return await self._wait(caller, identifier)
        described = await self._describe(caller, identifier)
        return {key: described[key] for key in ("JobArn", "JobId", "JobName")}

    async def end_job(self, caller: Caller, job: str, reason: str) -> None:
        """Terminate a job whose execution was stopped."""
        await self._batch(caller, "terminatejob", {"jobId": job, "reason": reason})

    async def _invoke(self, caller: Caller, parameters: Mapping[str, Any]) -> dict[str, Any]:
        kind = parameters.get("InvocationType", "RequestResponse")
        payload = await self._payload(caller, parameters)
        request_id = str(uuid.uuid4())
        metadata = {"HttpStatusCode": 200, "HttpHeaders": {"X-Amz-Executed-Version": ["$LATEST"]}}
        answer = {"SdkHttpMetadata": metadata, "SdkResponseMetadata": {"RequestId": request_id}}
        if kind != "RequestResponse":
            return {**answer, "Payload": {}, "StatusCode": 202}
        return {"ExecutedVersion": "$LATEST", "Payload": payload, **answer, "StatusCode": 200}

    async def _payload(self, caller: Caller, parameters: Mapping[str, Any]) -> Any:
        name, qualifier = str(parameters["FunctionName"]), str(parameters.get("Qualifier") or "")
        body = as_text(parameters.get("Payload", {})).encode()
        reference = parse_reference(name, caller, qualifier)
        if reference is None:
            raise StateFailureError("Lambda.ValidationException", f"{name!r} is not the name or ARN of a function")
        kind = parameters.get("InvocationType", "RequestResponse")
        try:
            function = await self._functions.find(reference)
            if kind == "RequestResponse" and function.configuration is not None:
                # Among what nobody waits for at a connection: it may wait for room on this machine.
                context = _decoded(parameters.get("ClientContext"))
                done = await self._invocations.invoke(
                    function, body, str(uuid.uuid4()), client_context=context, background=True
                )
                return _result(done.payload, is_error=done.error is not None)
        except ServiceError as error:
            raise StateFailureError(f"Lambda.{error.code}", error.message) from None
        path = f"/2015-03-31/functions/{quote(reference.arn, safe=':')}/invocations"
        query = {"Qualifier": reference.qualifier} if reference.qualifier else {}
        request = rest_request("lambda", "POST", path, query=query, body=body, **_place(caller))
        answer = await self._ask(
            replace(request, headers=(*request.headers, (b"x-amz-invocation-type", kind.encode())))
        )
        if not answer.succeeded:
            raise _refused("Lambda", answer)
        return _result(answer.body, is_error="x-amz-function-error" in answer.headers)

    async def _submit(self, caller: Caller, parameters: Mapping[str, Any], save_job: SaveJob) -> str:
        shape = service_model("batch").operation_model("SubmitJob").input_shape
        submitted = await self._batch(caller, "submitjob", respelled(dict(parameters), shape, lambda name: name))
        identifier = str(submitted["jobId"])
        save_job(identifier)
        return identifier

    async def _wait(self, caller: Caller, job: str) -> dict[str, Any]:
        pause, most = _POLLS
        while True:
            described = await self._describe(caller, job)
            if described["Status"] in _ENDED:
                break
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, most)
        if described["Status"] == "FAILED":
            raise StateFailureError(TASK_FAILED, as_text(described))
        return described

    async def _describe(self, caller: Caller, job: str) -> dict[str, Any]:
        answer = await self._batch(caller, "describejobs", {"jobs": [job]})
        if not answer["jobs"]:
            raise StateFailureError(RUNTIME, f"Batch does not know job {job} any more")
        shape = service_model("batch").operation_model("DescribeJobs").output_shape.members["jobs"].member
        described: dict[str, Any] = respelled(answer["jobs"][0], shape, lambda name: name[0].upper() + name[1:])
        return described

    async def _batch(self, caller: Caller, operation: str, document: Mapping[str, Any]) -> dict[str, Any]:
        body = json.dumps(document).encode()
        answer = await self._ask(rest_request("batch", "POST", f"/v1/{operation}", body=body, **_place(caller)))
        if not answer.succeeded:
            raise _refused("Batch", answer)
        found: dict[str, Any] = json.loads(answer.body)
        return found

    async def _ask(self, request: Any) -> Response:
        return await call(self._application, request)


def _place(caller: Caller) -> dict[str, Any]:
    return {"account": caller.account, "region": caller.region}


def _decoded(context: Any) -> str | None:
    if not isinstance(context, str):
        return None
    base64.b64decode(context)
    return context


def _result(payload: bytes, *, is_error: bool) -> Any:
    text = payload.decode(errors="replace")
    try:
        document = json.loads(payload or b"{}")
    except ValueError:
        raise StateFailureError(RUNTIME, f"The function's answer is not JSON: {text[:200]}") from None
    if not is_error:
        return document
    kind = document.get("errorType") if isinstance(document, dict) else None
    if not kind:
        missing = "The cause could not be determined because Lambda did not return an error type."
        raise StateFailureError(_UNKNOWN, f"{missing} Returned payload: {text}")
    raise StateFailureError(str(kind), text)


def _refused(service: str, answer: Response) -> StateFailureError:
    code = answer.headers.get("x-amzn-errortype", "ServiceException")
    try:
        message = json.loads(answer.body).get("message", "")
    except ValueError:
        message = answer.body.decode(errors="replace")
    return StateFailureError(f"{service}.{code.partition(':')[0]}", str(message))
