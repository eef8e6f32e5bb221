"""Requests over HTTP: API Gateway's proxy events of version 1 (also of load balancers) and 2 (also of function URLs).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.errors import EventInvalid
from supervisor.events import unknown
from supervisor.events.model import Item, Items, Surroundings

QUEUED = "queuedBy"
"""The key of an event that has waited in the function's queue: the request that put it there."""

# Seconds, of the 29 that gateways of version 1 wait, and the 30 of version 2:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
_PATIENCE = {False: 28.0, True: 29.0}
_RECENT = 60.0  # seconds: a gateway has given up long before, and no clock is so much ahead


def items(event: Any, around: Surroundings) -> Items | None:
    """What the body says, with the query's parameters as variables; None when this is no HTTP request."""
    if not _is_request(event):
        return None
    variables = dict(_variables(event))
    return tuple(Item(item.source, {**item.variables, **variables}) for item in around.read(_body(event)))


def is_synchronous(event: Any) -> bool:
    """Whether somebody waits for an answer over HTTP.

    A gateway invokes asynchronously where X-Amz-Invocation-Type says so, and then nobody does.
    """
    return _is_request(event) and not _wants_no_answer(event) and QUEUED not in event


def asks_for_later(event: Any) -> bool:
    """Whether the caller wants to go on before the function runs, and the gateway has left that to the function.

    HTTP APIs cannot invoke asynchronously; those of version 1 can, and then they have done so already.
    """
    if not _is_request(event) or event.get("version") != "2.0" or QUEUED in event:
        return False
    return _wants_no_answer(event) or str(event.get("routeKey") or "").endswith("/async")


def gives_up(event: Any) -> float | None:
    """When a request's gateway stops waiting, in seconds since the epoch; None where it does not, or not so soon.

    One that has stopped already waits no more for anything: so it is with requests that are kept and sent again.
    """
    context = event.get("requestContext")
    if not isinstance(context, dict) or "elb" in context or ".lambda-url." in str(context.get("domainName")):
        return None
    described = isinstance(context.get("http"), dict)
    arrived = context.get("timeEpoch" if described else "requestTimeEpoch")
    if not isinstance(arrived, int | float):
        return None
    moment = _seconds(arrived)
    return moment + _PATIENCE[described] if abs(time.time() - moment) < _RECENT else None


def _seconds(milliseconds: float) -> float:
    try:
        return milliseconds / 1000
    except OverflowError:
        return 0.0


def _wants_no_answer(event: Mapping[str, Any]) -> bool:
    return _header(event, "x-amz-invocation-type").lower() == "event"


def gateway_request(event: Any) -> str:
    """What the gateway calls this request; the empty string where it does not say."""
    context = event.get("requestContext") if _is_request(event) else None
    return str(context.get("requestId") or "") if isinstance(context, dict) else ""


def asks_for_page(event: Any) -> bool:
    """Whether a browser wants the function's page: its address with a slash at the end, or `/ui` below it.

    HTTP APIs know no routes that end in a slash, so only the second can be open where all else wants a token. That
    route must never lead to a call, however its path is written and whatever the headers say.
    """
    if not _is_request(event):
        return False
    context = event.get("requestContext")
    described = context.get("http") if isinstance(context, dict) else None
    method = described.get("method") if isinstance(described, dict) else event.get("httpMethod")
    places = (event.get("rawPath"), event.get("path"), event.get("routeKey"))
    return method in ("GET", "HEAD") and any(str(place or "").endswith(("/", "/ui")) for place in places)


def _is_request(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    context = event.get("requestContext")
    described = context.get("http") if isinstance(context, dict) else None
    return isinstance(event.get("httpMethod"), str) or (isinstance(described, dict) and "method" in described)


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):  # gateways send text; whoever writes such an event by hand means what it says
        return unknown.content(body)
    if event.get("isBase64Encoded"):
        decoded = unknown.from_base64(body)
        if decoded is None:
            raise EventInvalid("the request's body is said to be base64 and is not")
        return decoded
    # A gateway without binary media types passes on what SCAR's client makes of a file: base64, and it does not say so.
    if _header(event, "content-type").partition(";")[0].strip().lower() == "application/octet-stream":
        return unknown.content(body)
    return unknown.as_bytes(body)


def _header(event: Mapping[str, Any], name: str) -> str:
    for key in ("headers", "multiValueHeaders"):
        headers = event.get(key)
        for found, value in headers.items() if isinstance(headers, dict) else ():
            if found.lower() == name:
                return str(value[0] if isinstance(value, list) and value else value)
    return ""


def _variables(event: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in _parameters(event).items():
        if "=" not in key and "\0" not in key:
            yield f"CONT_VAR_{key}", value
        # No shell can name a variable with other characters.
        yield f"CONT_VAR_{re.sub(r'[^A-Za-z0-9_]', '_', key)}", value


def _parameters(event: Mapping[str, Any]) -> dict[str, str]:
    single, several = event.get("queryStringParameters"), event.get("multiValueQueryStringParameters")
    found = {key: str(value) for key, value in single.items()} if isinstance(single, dict) else {}
    for key, values in several.items() if isinstance(several, dict) else ():
        if isinstance(values, list):
            found[key] = ",".join(map(str, values))
    return found
