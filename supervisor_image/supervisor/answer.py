"""What the caller gets back: the program's output, in bounded memory, in the envelope that SCAR's callers know."""

import base64
import json

from supervisor.context import Context
from supervisor.errors import AnswerTooLarge, ScriptTimedOut, SupervisorError

# Lambda takes answers of 6 MB, and base64 makes three bytes into four:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
LIMIT = 4_500_000
TAIL = 4096
_LARGEST = 6 * 1024 * 1024
_TOO_LARGE = (
    f"the answer is larger than {LIMIT:,} bytes, which is all that a call can return; "
    "write it to $TMP_OUTPUT_DIR, so that it goes to the function's output"
)
_TEXT = "text/plain; charset=utf-8"
# Characters that no text has; a terminal's colours (escape) are text.
_UNPRINTED = bytes(code for code in range(32) if code not in b"\t\n\r\f\b\x1b")
_BEGINNINGS = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}


class Output:
    """The beginning of what was printed, for the answer, and the end of it, for the report of a failure."""

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    def add(self, data: bytes, *, answer: bool) -> None:
        """Take output; only what belongs to the answer is kept beyond the last few kilobytes."""
        self._tail += data[-TAIL:]
        del self._tail[:-TAIL]
        if answer:
            self._total += len(data)
            self._head += data[: self._limit - len(self._head)]

    def value(self) -> bytes:
        """All that belongs to the answer, cut where it is too long for one, with a line that says so."""
        if self._total <= self._limit:
            return bytes(self._head)
        notice = f"\n[cut: {self._total} bytes were printed, an answer holds {self._limit}; see the log for all]\n"
        return bytes(self._head) + notice.encode()

    def tail(self) -> str:
        """The last kilobytes of everything that was printed."""
        return self._tail.decode("utf-8", "replace").strip()

    def forget_tail(self) -> None:
        """Start anew, so that a failure shows only its own program's output."""
        self._tail.clear()


def envelope(output: bytes, context: Context, *, over_http: bool = False) -> bytes:
    """The response document around the program's output.

    Over HTTP text is left as text: not every gateway is told to decode what is base64.
    """
    if over_http and (text := _text(output)) is not None:
        found = _document(200, text, context, encoded=False, content_type=_text_type(text))
        if len(found) <= _LARGEST:
            return found
    if over_http and len(output) > LIMIT:  # half a picture is none
        return failure(AnswerTooLarge(_TOO_LARGE), context)
    content_type = _binary_type(output) if over_http else ""
    return _document(200, base64.b64encode(output).decode(), context, encoded=True, content_type=content_type)


def failure(error: SupervisorError, context: Context, status: int = 0) -> bytes:
    """The response document for somebody who waits for an answer over HTTP."""
    status = status or (504 if isinstance(error, ScriptTimedOut) else 500)
    body = json.dumps({"errorType": type(error).__name__, "errorMessage": str(error)})
    return _document(status, body, context, encoded=False, content_type="application/json")


def accepted(request_id: str, context: Context) -> bytes:
    """The response document for somebody who waits no longer, with the request in which the function runs."""
    body = json.dumps({"requestId": request_id})
    later = context._replace(request_id=request_id)
    return _document(202, body, later, encoded=False, content_type="application/json")


def unfinished(function: str, context: Context) -> bytes:
    """The response document for somebody whose gateway waits no longer than this."""
    message = (
        "the function takes longer than its gateway waits, and goes on; "
        f"`scar-pulumi logs {function} --request-id {context.request_id}` shows the rest; "
        "send X-Amz-Invocation-Type: Event not to wait"
    )
    body = json.dumps({"errorType": "StillRunning", "errorMessage": message, "requestId": context.request_id})
    return _document(504, body, context, encoded=False, content_type="application/json")


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
    if output.translate(None, _UNPRINTED) != output:
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
    return next((kind for start, kind in _BEGINNINGS.items() if output.startswith(start)), "application/octet-stream")
