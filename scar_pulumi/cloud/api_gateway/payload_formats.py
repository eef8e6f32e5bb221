"""A request as a function behind an HTTP API gets it: payload formats 2.0 and 1.0.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl

from scar_pulumi.cloud.api_gateway.apis import Route
from scar_pulumi.cloud.asgi import Request, find_header

# What API Gateway takes for text, as measured; everything else, forms and no type at all included, is binary.
# https://github.com/ministackorg/ministack/pull/766
_TEXT = frozenset({"application/json", "application/xml", "application/javascript"})


@dataclass(frozen=True)
class Arrival:
    """A request as it came in; `time` is seconds since the epoch."""

    request: Request
    id: str
    time: float
    protocol: str = "HTTP/1.1"
    source: str = "127.0.0.1"
    trace: str = ""


@dataclass(frozen=True)
class RoutedRequest:
    """A request that has found its route. `path` begins with the stage."""

    arrival: Arrival
    api: str
    account: str
    stage: str
    path: str
    route: Route
    variables: Mapping[str, str]
    stage_variables: Mapping[str, str] = field(default_factory=dict)
    authorizer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def request(self) -> Request:
        """What the client sent."""
        return self.arrival.request


def payload_v2(call: RoutedRequest) -> dict[str, Any]:
    """Return the event of format 2.0."""
    request = call.request
    cookies = [cookie for header in _all(request, "cookie") for cookie in header.split("; ")]
    body, encoded = body_of(request)
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": call.route.key,
        "rawPath": call.path,
        "rawQueryString": request.query,
        "cookies": cookies,
        "headers": headers_of(call),
        "queryStringParameters": _joined(parse_qsl(request.query, keep_blank_values=True)),
        "requestContext": request_context(call),
        "pathParameters": dict(call.variables),
        "stageVariables": dict(call.stage_variables),
        "body": body,
        "isBase64Encoded": encoded,
    }
    # Format 2.0 leaves out what a request does not have, except its query as text.
    return {key: value for key, value in event.items() if value not in (None, [], {})}


def request_context(call: RoutedRequest) -> dict[str, Any]:
    """Return what API Gateway adds to a request."""
    domain = find_header(call.request.headers, "host")
    http = {
        "method": call.request.method,
        "path": call.path,
        "protocol": call.arrival.protocol,
        "sourceIp": call.arrival.source,
        "userAgent": call.request.header("user-agent"),
    }
    found = {
        "accountId": call.account,
        "apiId": call.api,
        "domainName": domain,
        "domainPrefix": domain.partition(".")[0],
        "http": http,
        "requestId": call.arrival.id,
        "routeKey": call.route.key,
        "stage": call.stage,
        "time": request_time(call.arrival.time),
        "timeEpoch": int(call.arrival.time * 1000),
    }
    return {**found, "authorizer": dict(call.authorizer)} if call.authorizer else found


def request_time(seconds: float) -> str:
    """Return a time as events and access logs write it."""
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds))


def is_text(content_type: str) -> bool:
    """Return whether API Gateway hands on a body of this type as text."""
    media = content_type.partition(";")[0].strip().lower()
    return media.startswith("text/") or media in _TEXT


def body_of(request: Request) -> tuple[str | None, bool]:
    """Return the body as text, and whether that is base64; None where there is no body."""
    if not request.body:
        return None, False
    if is_text(request.header("content-type")):
        return request.body.decode("utf-8", "replace"), False
    return base64.b64encode(request.body).decode(), True


def headers_of(call: RoutedRequest) -> dict[str, str]:
    """Return the client's headers and API Gateway's, by their names in lower case, without cookies."""
    given = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in call.request.headers]
    headers = _joined((name, value) for name, value in given if name not in ("cookie", "transfer-encoding"))
    forwarded = headers.get("x-forwarded-for")
    return {
        **headers,
        "content-length": str(len(call.request.body)),
        "x-amzn-trace-id": headers.get("x-amzn-trace-id") or call.arrival.trace,
        "x-forwarded-for": f"{forwarded}, {call.arrival.source}" if forwarded else call.arrival.source,
        "x-forwarded-port": headers.get("host", "").partition(":")[2] or "80",
        "x-forwarded-proto": "http",
    }


def _all(request: Request, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key.lower() == name.encode()]


def _joined(pairs: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in pairs:
        found[name] = f"{found[name]},{value}" if name in found else value
    return found


def payload_v1(call: RoutedRequest) -> dict[str, Any]:
    """Return the event of format 1.0; what a request does not have is null."""
    cookie = call.request.header("cookie")
    headers = headers_of(call) | ({"cookie": cookie} if cookie else {})
    query = parse_qs(call.request.query, keep_blank_values=True)
    body, encoded = body_of(call.request)
    return {
        "version": "1.0",
        "resource": call.route.path or call.route.key,
        "path": call.path,
        "httpMethod": call.request.method,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in query.items()} or None,
        "multiValueQueryStringParameters": query or None,
        "requestContext": _request_context_v1(call),
        "pathParameters": dict(call.variables) or None,
        "stageVariables": dict(call.stage_variables) or None,
        "body": body,
        "isBase64Encoded": encoded,
    }


def _request_context_v1(call: RoutedRequest) -> dict[str, Any]:
    known = request_context(call)
    http = known.pop("http")
    key = known.pop("routeKey")
    return {
        **known,
        "extendedRequestId": known["requestId"],
        "httpMethod": http["method"],
        "identity": {"sourceIp": http["sourceIp"], "userAgent": http["userAgent"]},
        "path": http["path"],
        "protocol": http["protocol"],
        "requestTime": known.pop("time"),
        "requestTimeEpoch": known.pop("timeEpoch"),
        "resourceId": key,
        "resourcePath": call.route.path or key,
    }
