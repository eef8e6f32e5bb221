"""Refuses data for which the disk has no room: MiniStack acknowledges an object even when it could not write it."""

import shutil
from pathlib import Path
from xml.sax.saxutils import escape

from scar_pulumi.cloud.asgi import Response, Scope, find_header

_RESERVE = 16 * 1024 * 1024
"""Bytes that stay free: journal, snapshots and events must always find room."""

_WRITES = frozenset({"PUT", "POST", "PATCH"})


def shortage(directory: Path, size: int = 0) -> str:
    """What to tell the user when `size` more bytes do not fit on the disk of a directory; else the empty string."""
    free = shutil.disk_usage(directory).free
    if free >= size + _RESERVE:
        return ""
    return f"the disk of {directory} has only {free // 1024**2} MB left; free some space"


def refuse(directory: Path, scope: Scope) -> Response | None:
    """The answer to a request that brings more than fits, in the form that S3's clients read."""
    if scope["method"] not in _WRITES:
        return None
    message = shortage(directory, int(find_header(scope["headers"], "content-length") or 0))
    if not message:
        return None
    body = f"<Error><Code>InsufficientStorage</Code><Message>local cloud: {escape(message)}</Message></Error>"
    return Response(507, body.encode(), [(b"content-type", b"application/xml")])
