"""Cross-origin requests, which API Gateway answers itself when the API configures them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.asgi import Request, Response

_OURS = (
    *("access-control-allow-origin", "access-control-allow-credentials", "access-control-allow-headers"),
    *("access-control-allow-methods", "access-control-expose-headers", "access-control-max-age"),
)


def is_preflight(request: Request) -> bool:
    """Return whether a browser asks what it may send."""
    asks = request.header("origin") and request.header("access-control-request-method")
    return request.method == "OPTIONS" and bool(asks)


def preflight(cors: Mapping[str, Any], request: Request) -> Response:
    """Return what the browser is told."""
    headers = _common(cors, request)
    if headers:
        headers |= _listed("access-control-allow-methods", cors.get("allowMethods"))
        headers |= _listed("access-control-allow-headers", cors.get("allowHeaders"))
        if cors.get("maxAge") is not None:
            headers["access-control-max-age"] = str(cors["maxAge"])
    return Response(status_code=204, headers=headers)


def apply(cors: Mapping[str, Any], request: Request, response: Response) -> Response:
    """Give a response the API's headers instead of the function's."""
    if not cors:
        return response
    for name in _OURS:
        del response.headers[name]
    if added := _common(cors, request):
        response.headers.update(added | _listed("access-control-expose-headers", cors.get("exposeHeaders")))
    return response


def allows(cors: Mapping[str, Any], origin: str) -> bool:
    """Return whether web pages of an origin may ask."""
    return any(_covers(str(pattern), origin) for pattern in cors.get("allowOrigins") or ())


def _common(cors: Mapping[str, Any], request: Request) -> dict[str, str]:
    origin = request.header("origin")
    if not origin or not allows(cors, origin):
        return {}
    whole = "*" in cors["allowOrigins"] and not cors.get("allowCredentials")
    headers = {"access-control-allow-origin": "*" if whole else origin}
    if cors.get("allowCredentials"):
        headers["access-control-allow-credentials"] = "true"
    return headers


def _covers(pattern: str, origin: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return pattern.lower() == origin.lower()
    long_enough = len(origin) >= len(start) + len(end)
    return long_enough and origin.startswith(start) and origin.endswith(end)


def _listed(name: str, values: Any) -> dict[str, str]:
    return {name: ",".join(values)} if values else {}
