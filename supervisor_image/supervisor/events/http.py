"""HTTP requests: the proxy events of REST APIs and load balancers (version 1), and of HTTP APIs and function URLs (2).

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from supervisor.errors import EventInvalid
from supervisor.events.items import Item, Items, Reader, as_bytes, content, from_base64
from supervisor.limits import HTTP_API_TIMEOUT, REST_API_TIMEOUT

QUEUED = "queuedBy"
"""The key of an event that has waited in the function's queue: the id of the request that put it there."""
_MARGIN = 1.0  # seconds that a response may need on its way to the gateway
_RECENT = 60.0  # seconds: a gateway gives up long before, and clocks differ by less


def request_items(event: Any, reader: Reader) -> Items | None:
    """Return the items of the body, with the query's parameters as variables; None where it is another event."""
    if not _is_request(event):
        return None
    variables = dict(_variables(event))
    return tuple(Item(item.source, {**item.variables, **variables}) for item in reader.read(_body(event)))


def is_synchronous(event: Any) -> bool:
    """Return whether somebody waits for a response over HTTP.

    A gateway invokes asynchronously where X-Amz-Invocation-Type says so, and then nobody does.
    """
    return _is_request(event) and not _is_asynchronous(event) and QUEUED not in event


def asks_for_queueing(event: Any) -> bool:
    """Return whether the caller does not want to wait, and the gateway has left that to the function.

    HTTP APIs cannot invoke asynchronously; REST APIs can, and then they have done so already.
    """
    if not _is_request(event) or event.get("version") != "2.0" or QUEUED in event:
        return False
    return _is_asynchronous(event) or str(event.get("routeKey") or "").endswith("/async")


def gateway_deadline(event: Any) -> float | None:
    """Return when to respond at the latest, shortly before the gateway gives up, in seconds since the epoch.

    None where no gateway gives up before the function does, or where it has given up already, as with requests that
    were stored and are sent again.
    """
    context = event.get("requestContext")
    if not isinstance(context, dict) or "elb" in context or ".lambda-url." in str(context.get("domainName")):
        return None
    version_2 = isinstance(context.get("http"), dict)
    arrived = context.get("timeEpoch" if version_2 else "requestTimeEpoch")
    if not isinstance(arrived, int | float):
        return None
    moment = _seconds(arrived)
    timeout = HTTP_API_TIMEOUT if version_2 else REST_API_TIMEOUT
    return moment + timeout - _MARGIN if abs(time.time() - moment) < _RECENT else None


def _seconds(milliseconds: float) -> float:
    try:
        return milliseconds / 1000
    except OverflowError:
        return 0.0


def gateway_request_id(event: Any) -> str:
    """Return the gateway's id of this request, or an empty string."""
    context = event.get("requestContext") if _is_request(event) else None
    return str(context.get("requestId") or "") if isinstance(context, dict) else ""


def asks_for_page(event: Any) -> bool:
    """Return whether a browser wants the function's page: its URL with a slash at the end, or `/ui` below it.

    HTTP APIs have no routes that end in a slash, so only `/ui` can be open where all else needs a token. That route
    must never lead to a call, however its path is written and whatever the headers say.
    """
    if not _is_request(event):
        return False
    context = event.get("requestContext")
    described = context.get("http") if isinstance(context, dict) else None
    method = described.get("method") if isinstance(described, dict) else event.get("httpMethod")
    paths = (event.get("rawPath"), event.get("path"), event.get("routeKey"))
    return method in ("GET", "HEAD") and any(str(path or "").endswith(("/", "/ui")) for path in paths)


def _is_request(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    context = event.get("requestContext")
    described = context.get("http") if isinstance(context, dict) else None
    return isinstance(event.get("httpMethod"), str) or (isinstance(described, dict) and "method" in described)


def _is_asynchronous(event: Mapping[str, Any]) -> bool:
    return _header(event, "x-amz-invocation-type").lower() == "event"


def _body(event: Mapping[str, Any]) -> bytes:
    body = event.get("body")
    if body is None:
        return b""
    if not isinstance(body, str):  # gateways send text; an event written by hand may have any value
        return content(body)
    if event.get("isBase64Encoded"):
        decoded = from_base64(body)
        if decoded is None:
            raise EventInvalid("the request's body is declared as base64 and is not; send it with its own encoding")
        return decoded
    # A gateway without binary media types passes on what SCAR's client makes of a file: base64, not declared as such.
    if _header(event, "content-type").partition(";")[0].strip().lower() == "application/octet-stream":
        return content(body)
    return as_bytes(body)


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
        # Shells cannot name variables with other characters.
        yield f"CONT_VAR_{re.sub(r'[^A-Za-z0-9_]', '_', key)}", value


def _parameters(event: Mapping[str, Any]) -> dict[str, str]:
    single, several = event.get("queryStringParameters"), event.get("multiValueQueryStringParameters")
    found = {key: str(value) for key, value in single.items()} if isinstance(single, dict) else {}
    for key, values in several.items() if isinstance(several, dict) else ():
        if isinstance(values, list):
            found[key] = ",".join(map(str, values))
    return found
