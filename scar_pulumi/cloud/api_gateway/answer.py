"""What a client gets for what a function returned.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
from typing import Any

from scar_pulumi.cloud.asgi import Response

_JSON = (b"content-type", b"application/json")
# The connection is the gateway's, and so is the length of what goes over it.
_OWN = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"})


def message(status: int, text: str, **more: str) -> Response:
    """An answer of the gateway's own."""
    return Response(status, json.dumps({"message": text, **more}).encode(), [_JSON])


def response_of(result: bytes) -> Response:
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
        return message(500, "Internal Server Error")


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
