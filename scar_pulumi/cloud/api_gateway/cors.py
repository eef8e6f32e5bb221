"""Cross-origin requests, which a gateway answers by itself where its API says how.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html
"""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.asgi import Request, Response

_OURS = frozenset(
    {
        *(b"access-control-allow-origin", b"access-control-allow-credentials", b"access-control-allow-headers"),
        *(b"access-control-allow-methods", b"access-control-expose-headers", b"access-control-max-age"),
    }
)


def is_preflight(request: Request) -> bool:
    """Whether a browser asks what it may send."""
    asks = request.header("origin") and request.header("access-control-request-method")
    return request.method == "OPTIONS" and bool(asks)


def preflight(cors: Mapping[str, Any], request: Request) -> Response:
    """What the browser is told."""
    headers = _common(cors, request)
    if headers:
        headers += _listed(b"access-control-allow-methods", cors.get("allowMethods"))
        headers += _listed(b"access-control-allow-headers", cors.get("allowHeaders"))
        if cors.get("maxAge") is not None:
            headers.append((b"access-control-max-age", str(cors["maxAge"]).encode()))
    return Response(204, b"", headers)


def apply(cors: Mapping[str, Any], request: Request, response: Response) -> Response:
    """The answer with the API's headers; those of the function are dropped."""
    if not cors:
        return response
    kept = [(name, value) for name, value in response.headers if name not in _OURS]
    added = _common(cors, request)
    if added:
        added += _listed(b"access-control-expose-headers", cors.get("exposeHeaders"))
    return Response(response.status, response.body, [*kept, *added])


def allows(cors: Mapping[str, Any], origin: str) -> bool:
    """Whether pages of an origin may ask."""
    return any(_covers(str(pattern), origin) for pattern in cors.get("allowOrigins") or ())


def _common(cors: Mapping[str, Any], request: Request) -> list[tuple[bytes, bytes]]:
    origin = request.header("origin")
    if not origin or not allows(cors, origin):
        return []
    whole = "*" in cors["allowOrigins"] and not cors.get("allowCredentials")
    headers = [(b"access-control-allow-origin", b"*" if whole else origin.encode("latin-1"))]
    if cors.get("allowCredentials"):
        headers.append((b"access-control-allow-credentials", b"true"))
    return headers


def _covers(pattern: str, origin: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return pattern.lower() == origin.lower()
    long_enough = len(origin) >= len(start) + len(end)
    return long_enough and origin.startswith(start) and origin.endswith(end)


def _listed(name: bytes, values: Any) -> list[tuple[bytes, bytes]]:
    return [(name, ",".join(values).encode())] if values else []
