"""Responses to callers: the program's output, a failure, an accepted call, or the page to try the function on."""

import base64
import json
from collections.abc import Iterator

from supervisor.configuration import Page
from supervisor.errors import ResponseTooLarge, ScriptTimedOut, SupervisorError
from supervisor.function import Context
from supervisor.limits import LAMBDA_ASYNC_PAYLOAD_BYTES, LAMBDA_PAYLOAD_BYTES

LARGEST_OUTPUT = 4_500_000
"""Bytes of output in a response: base64 makes four bytes of three, and the document takes its part."""
_TOO_LARGE = (
    f"the output is larger than the {LARGEST_OUTPUT:,} bytes that a call can return; "
    "write it to $TMP_OUTPUT_DIR, so that it goes to the function's outputs"
)
_TEXT = "text/plain; charset=utf-8"
# Characters that no text has; escape is allowed, as terminal colours start with it.
_NOT_TEXT = bytes(code for code in range(32) if code not in b"\t\n\r\f\b\x1b")
_MAGIC = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}
PAGE = "/opt/scar/lib/page.html"
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
_PAGE_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def success(output: bytes, context: Context, *, over_http: bool = False) -> bytes:
    """Return the response with the program's output.

    Over HTTP text stays text, because not every gateway decodes base64.
    """
    if over_http and (text := _text(output)) is not None:
        found = _document(200, text, context, encoded=False, content_type=_text_type(text))
        if len(found) <= LAMBDA_PAYLOAD_BYTES:
            return found
    if over_http and len(output) > LARGEST_OUTPUT:  # half a picture is useless
        return failure(ResponseTooLarge(_TOO_LARGE), context)
    content_type = _binary_type(output) if over_http else ""
    return _document(200, base64.b64encode(output).decode(), context, encoded=True, content_type=content_type)


def failure(error: SupervisorError, context: Context, status: int = 0) -> bytes:
    """Return the response with a failure, for a caller over HTTP."""
    status = status or (504 if isinstance(error, ScriptTimedOut) else 500)
    return _json(status, {"errorType": type(error).__name__, "errorMessage": str(error)}, context)


def accepted(request_id: str, context: Context) -> bytes:
    """Return the response for a caller that does not wait, with the id of the request in which the function runs."""
    return _json(202, {"requestId": request_id}, context._replace(request_id=request_id))


def still_running(function: str, context: Context) -> bytes:
    """Return the response for a caller whose gateway is about to time out."""
    message = (
        "the function takes longer than the gateway waits, and goes on; "
        f"`scar-pulumi logs {function} --request-id {context.request_id}` shows the rest; "
        "send X-Amz-Invocation-Type: Event to run it without waiting"
    )
    body = {"errorType": "StillRunning", "errorMessage": message, "requestId": context.request_id}
    return _json(504, body, context)


def page(name: str, settings: Page, file: str = PAGE) -> bytes:
    """Return the response with the page of the function of that name."""
    import html

    with open(file, encoding="utf-8") as opened:
        text = opened.read()
    about = {
        "name": name,
        "description": settings.description,
        "token": settings.token,
        "limits": {"call": LAMBDA_PAYLOAD_BYTES, "queued": LAMBDA_ASYNC_PAYLOAD_BYTES},
    }
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _page_policy(text),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "max-age=60",
    }
    body = text.replace("ABOUT", html.escape(json.dumps(about)), 1)
    return json.dumps({"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": False}).encode()


def _page_policy(text: str) -> str:
    """Allow the page's own style and script, and nothing else."""
    return _PAGE_POLICY.format(**{element: " ".join(_hashes(text, element)) for element in ("script", "style")})


def _hashes(text: str, element: str) -> Iterator[str]:
    import hashlib

    for part in text.split(f"<{element}>")[1:]:
        digest = hashlib.sha256(part.partition(f"</{element}>")[0].encode()).digest()
        yield f"'sha256-{base64.b64encode(digest).decode()}'"


def _json(status: int, body: dict[str, str], context: Context) -> bytes:
    return _document(status, json.dumps(body), context, encoded=False, content_type="application/json")


def _document(status: int, body: str, context: Context, *, encoded: bool, content_type: str) -> bytes:
    document = {
        "statusCode": status,
        "headers": {
            **({"Content-Type": content_type} if content_type else {}),
            "amz-lambda-request-id": context.request_id,
            "amz-log-group-name": context.log_group,
            "amz-log-stream-name": context.log_stream,
        },
        "body": body,
        "isBase64Encoded": encoded,
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _text(output: bytes) -> str | None:
    if output.translate(None, _NOT_TEXT) != output:
        return None
    try:
        return output.decode()
    except UnicodeDecodeError:
        return None


def _text_type(text: str) -> str:
    if text.lstrip()[:1] in ("{", "["):
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return _TEXT
        return "application/json"
    return "text/html; charset=utf-8" if text.lstrip()[:14].lower().startswith(("<!doctype html", "<html")) else _TEXT


def _binary_type(output: bytes) -> str:
    return next((kind for start, kind in _MAGIC.items() if output.startswith(start)), "application/octet-stream")
