"""The functions behind the routes: permitted, invoked, waited for no longer than API Gateway waits, and their answers.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-lambda.html
"""

import asyncio
import base64
import binascii
import contextlib
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from scar_foundation.limits import LAMBDA_PAYLOAD_BYTES
from scar_pulumi.cloud.asgi import Response, json_response
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, Functions, parse_reference
from scar_pulumi.cloud.lambda_.invocations import Invocations, ThrottledError
from scar_pulumi.cloud.ministack.upstream import Upstream, rest_request
from scar_pulumi.cloud.runner import RunnerStoppedError
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.signature import Caller

_URI = re.compile(r"(?:arn:[^:]+:apigateway:[^:]+:lambda:path/[0-9-]+/functions/)?(arn:[^/]+)(?:/invocations)?")


@dataclass(frozen=True)
class IntegrationResponse:
    """The answer of a function, its request id and what went wrong, for the access log."""

    response: Response
    request_id: str = ""
    problem: str = ""


class IntegrationError(ServiceError):
    """A function could not answer a request; `problem` says why, to the access log and not to the client."""

    def __init__(
        self, status: int, message: str, *, problem: str, request_id: str = "", details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status, "IntegrationError", message, details=details)
        self.problem = problem
        self.request_id = request_id


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
        if len(payload) > LAMBDA_PAYLOAD_BYTES:
            raise _too_large(len(payload))
        function = await self._function(uri, source)
        request_id = str(uuid.uuid4())
        task = asyncio.create_task(self._invoke(function, payload, request_id))
        done, _ = await asyncio.wait({task}, timeout=seconds)
        if not done:
            task.add_done_callback(lambda task: task.cancelled() or task.exception())
            raise _late(seconds, request_id)
        return task.result()

    async def _function(self, uri: str, source: str) -> DeployedFunction:
        found = _URI.fullmatch(uri)
        reference = parse_reference(found[1], Caller()) if found else None
        with contextlib.suppress(ServiceError):
            function = await self._functions.find(reference) if reference else None
            if function and await self._permits(function, source):
                return function
        raise _failed("no such function, or it does not permit this")

    async def _invoke(self, function: DeployedFunction, payload: bytes, request_id: str) -> IntegrationResponse:
        if function.configuration is None:
            return await self._invoke_in_ministack(function, payload)
        try:
            result = await self._invocations.invoke(function, payload, request_id)
        except (ThrottledError, RunnerStoppedError) as error:
            problem = type(error).__name__
            raise IntegrationError(503, "Service Unavailable", problem=problem, request_id=request_id) from error
        if result.error or len(result.payload) > LAMBDA_PAYLOAD_BYTES:
            raise _failed("the function failed", request_id)
        return IntegrationResponse(response_from_result(result.payload, request_id), request_id)

    async def _invoke_in_ministack(self, function: DeployedFunction, payload: bytes) -> IntegrationResponse:
        """Invoke a function that is not made from an image."""
        at = function.reference
        path = f"/2015-03-31/functions/{quote(at.arn, safe=':')}/invocations"
        request = rest_request("lambda", "POST", path, body=payload, account=at.account, region=at.region)
        answer = await self._upstream.request(request, lasting=False)
        if not answer.succeeded or "x-amz-function-error" in answer.headers:
            raise _failed("")
        return IntegrationResponse(response_from_result(answer.body))

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


def _failed(problem: str, request_id: str = "") -> IntegrationError:
    return IntegrationError(500, "Internal Server Error", problem=problem, request_id=request_id)


def _too_large(size: int) -> IntegrationError:
    text = (
        f"Request Too Long: a function takes {LAMBDA_PAYLOAD_BYTES:,} bytes and this comes to {size:,}, files in "
        "base64; put large files into the function's input bucket"
    )
    return IntegrationError(413, text, problem="the event is too large")


def _late(seconds: float, request_id: str) -> IntegrationError:
    text = (
        f"Gateway Timeout: no answer within {seconds:g} s; the function goes on, and its log has the rest; "
        "call asynchronously where it takes that long"
    )
    problem = "the function did not answer in time"
    return IntegrationError(504, text, problem=problem, request_id=request_id, details={"requestId": request_id})


# The connection is the gateway's, and so is the length of what goes over it.
_OWN = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


def json_message(error: ServiceError) -> Response:
    """Return an error as API Gateway words it."""
    return json_response({"message": error.message, **error.details}, error.status, error.headers)


def response_from_result(result: bytes, request_id: str = "") -> Response:
    """Return the answer that a function's result describes; a result that describes none is itself the body."""
    try:
        document = json.loads(result or b"null")
    except ValueError:
        document = result.decode("utf-8", "replace")
    if not isinstance(document, dict) or "statusCode" not in document:
        return Response(result if document is not None else b"", media_type="application/json")
    try:
        return _described(document)
    except (TypeError, ValueError, AttributeError, binascii.Error):
        raise _failed("the function's answer cannot be read", request_id) from None


def _described(document: dict[str, Any]) -> Response:
    status = int(document["statusCode"])
    if not 100 <= status <= 599:
        raise ValueError(status)
    response = Response(_content(document), status)
    for name, value in _headers(document):
        if name.lower() not in _OWN:
            response.headers.append(_checked_name(name), _checked_value(value))
    response.headers.setdefault("content-type", "text/plain;charset=UTF-8")
    return response


def _content(document: dict[str, Any]) -> bytes:
    body = document.get("body")
    text = "" if body is None else body if isinstance(body, str) else json.dumps(body)
    return base64.b64decode(text, validate=True) if document.get("isBase64Encoded") else text.encode()


def _headers(document: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from (document.get("headers") or {}).items()
    for name, values in (document.get("multiValueHeaders") or {}).items():
        yield from ((name, value) for value in values)
    yield from (("set-cookie", cookie) for cookie in document.get("cookies") or ())


def _checked_name(name: str) -> str:
    return name.lower().encode("ascii").decode()


def _checked_value(value: Any) -> str:
    text = "true" if value is True else "false" if value is False else str(value)
    if "\n" in text or "\r" in text:
        raise ValueError(text)
    return text.encode("latin-1", "replace").decode("latin-1")
