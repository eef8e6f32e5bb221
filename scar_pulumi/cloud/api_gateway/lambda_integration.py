"""The functions behind the routes: permitted, invoked, waited for no longer than API Gateway waits, and their answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

import asyncio
import base64
import binascii
import json
import re
import uuid
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from scar_pulumi.cloud.asgi import Response
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, Functions, parse_reference
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.runner import RunnerStoppedError
from scar_pulumi.cloud.signature import Caller

_URI = re.compile(r"(?:arn:[^:]+:apigateway:[^:]+:lambda:path/[0-9-]+/functions/)?(arn:[^/]+)(?:/invocations)?")
EVENT_LIMIT = 6 * 1024 * 1024
"""Bytes of an event: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


@dataclass(frozen=True)
class IntegrationResponse:
    """The answer of a function, its request id and what went wrong, for the access log."""

    response: Response
    request_id: str = ""
    problem: str = ""


class LambdaIntegration:
    """Invokes functions as API Gateway does."""

    def __init__(self, functions: Functions, invocations: Invocations, upstream: Upstream) -> None:
        self._functions = functions
        self._invocations = invocations
        self._upstream = upstream
        self._policies: dict[str, tuple[DeployedFunction, list[Any]]] = {}

    async def call(self, uri: str, source: str, event: dict[str, Any], seconds: float) -> IntegrationResponse:
        """Hand an event to the function of an integration; `source` is the ARN of what calls it."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        if len(payload) > EVENT_LIMIT:
            return IntegrationResponse(too_large(len(payload)), problem="the event is too large")
        found = _URI.fullmatch(uri)
        reference = parse_reference(found[1], Caller()) if found else None
        function = await self._functions.find(reference) if reference else None
        if not isinstance(function, DeployedFunction) or not await self._permits(function, source):
            return IntegrationResponse(
                json_message(500, "Internal Server Error"), problem="no such function, or it does not permit this"
            )
        request_id = str(uuid.uuid4())
        task = asyncio.create_task(self._invoke(function, payload, request_id))
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            return IntegrationResponse(_late(seconds, request_id), request_id, "the function did not answer in time")
        return task.result()

    async def _invoke(self, function: DeployedFunction, payload: bytes, request_id: str) -> IntegrationResponse:
        if function.configuration is None:
            return await self._invoke_elsewhere(function, payload)
        try:
            result = await self._invocations.invoke(function, payload, request_id)
        except (ThrottledError, RunnerStoppedError) as problem:
            return IntegrationResponse(json_message(503, "Service Unavailable"), request_id, type(problem).__name__)
        if result.error or len(result.payload) > EVENT_LIMIT:
            return IntegrationResponse(json_message(500, "Internal Server Error"), request_id, "the function failed")
        return IntegrationResponse(response_from_result(result.payload), request_id)

    async def _invoke_elsewhere(self, function: DeployedFunction, payload: bytes) -> IntegrationResponse:
        """A function that MiniStack runs itself."""
        at = function.reference
        path = f"/2015-03-31/functions/{quote(at.arn, safe=':')}/invocations"
        request = rest_request("lambda", "POST", path, body=payload, account=at.account, region=at.region)
        answer = await self._upstream.request(request, lasting=False)
        failed = not answer.succeeded or any(name.lower() == b"x-amz-function-error" for name, _ in answer.headers)
        return IntegrationResponse(
            json_message(500, "Internal Server Error") if failed else response_from_result(answer.body)
        )

    async def _permits(self, function: DeployedFunction, source: str) -> bool:
        arn = function.reference.arn
        known = self._policies.get(arn)
        # A function that was changed, its policy included, is found as another object.
        if known is None or known[0] is not function:
            known = self._policies[arn] = function, await self._statements(function)
        return any(_allows(statement, source) for statement in known[1])

    async def _statements(self, function: DeployedFunction) -> list[Any]:
        at = function.reference
        path = f"/2015-03-31/functions/{quote(at.arn, safe=':')}/policy"
        request = rest_request("lambda", "GET", path, account=at.account, region=at.region)
        answer = await self._upstream.request(request, lasting=False)
        statements = json.loads(json.loads(answer.body)["Policy"])["Statement"] if answer.succeeded else []
        return list(statements)


def _allows(statement: dict[str, Any], source: str) -> bool:
    principal = statement.get("Principal")
    services = principal.get("Service") if isinstance(principal, dict) else principal
    if "apigateway.amazonaws.com" not in ([services] if isinstance(services, str) else services or ()):
        return False
    tests = (statement.get("Condition") or {}).values()
    wanted = [value for test in tests for key, value in test.items() if key.lower() == "aws:sourcearn"]
    return all(fnmatchcase(source, pattern) for pattern in wanted)


def too_large(size: int) -> Response:
    """The answer to a request that no function can be handed."""
    text = (
        f"Request Too Long: a function takes {EVENT_LIMIT:,} bytes and this comes to {size:,}, files in base64; "
        "put large files into the function's input bucket"
    )
    return json_message(413, text)


def _late(seconds: float, request_id: str) -> Response:
    text = (
        f"Gateway Timeout: no answer within {seconds:g} s; the function goes on, and its log has the rest; "
        "call asynchronously where it takes that long"
    )
    return json_message(504, text, requestId=request_id)


_JSON = (b"content-type", b"application/json")
# The connection is the gateway's, and so is the length of what goes over it.
_OWN = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


def json_message(status: int, text: str, **more: str) -> Response:
    """An answer of the gateway's own."""
    return Response(status, json.dumps({"message": text, **more}).encode(), [_JSON])


def response_from_result(result: bytes) -> Response:
    """The answer that a function's result describes; a result that describes none is itself the body."""
    try:
        document = json.loads(result or b"null")
    except ValueError:
        document = result.decode("utf-8", "replace")
    if not isinstance(document, dict) or "statusCode" not in document:
        return Response(200, result if document is not None else b"", [_JSON])
    try:
        return _described(document)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        return json_message(500, "Internal Server Error")


def _described(document: dict[str, Any]) -> Response:
    body = document.get("body")
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    content = base64.b64decode(text, validate=True) if document.get("isBase64Encoded") else text.encode()
    headers = [(name, value) for name, value in (document.get("headers") or {}).items()]
    headers += [(name, value) for name, values in (document.get("multiValueHeaders") or {}).items() for value in values]
    headers += [("set-cookie", cookie) for cookie in document.get("cookies") or ()]
    kept = [(_name(name), _value(value)) for name, value in headers if name.lower() not in _OWN]
    if not any(name == b"content-type" for name, _ in kept):
        kept.append((b"content-type", b"text/plain;charset=UTF-8"))
    status = int(document["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(status)
    return Response(status, content, kept)


def _name(name: str) -> bytes:
    return name.lower().encode("ascii")


def _value(value: Any) -> bytes:
    text = "true" if value is True else "false" if value is False else str(value)
    if "\n" in text or "\r" in text:
        raise ValueError(text)
    return text.encode("latin-1", "replace")
