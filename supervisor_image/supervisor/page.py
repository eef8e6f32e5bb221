"""The page to try the function in a browser: one file, whose style and script are all that may run in it."""

import base64
import hashlib
import html
import json
from collections.abc import Iterator
from pathlib import Path

from supervisor.configuration import Page

CARRIED = "/opt/scar/lib/page.html"
# https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
_POLICY = (
    "default-src 'none'; script-src {script}; style-src {style}; img-src blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def answer(name: str, page: Page, file: str = CARRIED) -> bytes:
    """The response document with the page of the function of that name."""
    text = Path(file).read_text("utf-8")
    about = {"name": name, "description": page.description, "token": page.token}
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": _policy(text),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "max-age=60",
    }
    body = text.replace("ABOUT", html.escape(json.dumps(about)), 1)
    return json.dumps({"statusCode": 200, "headers": headers, "body": body, "isBase64Encoded": False}).encode()


def _policy(text: str) -> str:
    return _POLICY.format(**{element: " ".join(_hashes(text, element)) for element in ("script", "style")})


def _hashes(text: str, element: str) -> Iterator[str]:
    for part in text.split(f"<{element}>")[1:]:
        digest = hashlib.sha256(part.partition(f"</{element}>")[0].encode()).digest()
        yield f"'sha256-{base64.b64encode(digest).decode()}'"
