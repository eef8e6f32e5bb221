"""Refuses data for which the disk has no room: MiniStack acknowledges an object even when it could not write it."""

from pathlib import Path
from xml.sax.saxutils import escape

from scar_pulumi.cloud.asgi import Response, Scope, find_header
from scar_pulumi.cloud.layout import shortage

_WRITES = frozenset({"PUT", "POST", "PATCH"})


def refuse(directory: Path, scope: Scope) -> Response | None:
    """The answer to a request that brings more than fits, in the form that S3's clients read."""
    if scope["method"] not in _WRITES:
        return None
    message = shortage(directory, int(find_header(scope["headers"], "content-length") or 0))
    if not message:
        return None
    body = f"<Error><Code>InsufficientStorage</Code><Message>local cloud: {escape(message)}</Message></Error>"
    return Response(507, body.encode(), [(b"content-type", b"application/xml")])
