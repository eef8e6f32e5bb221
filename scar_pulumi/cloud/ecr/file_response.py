"""A file as the answer to a request, in whole or in part."""

import re
from collections.abc import Sequence
from pathlib import Path

from scar_pulumi.cloud.asgi import Request, Send

_CHUNK = 1024 * 1024


async def send_file(request: Request, path: Path, headers: Sequence[tuple[bytes, bytes]], send: Send) -> None:
    """Sends a file, or the range of it that is asked for; of a HEAD request the headers only."""
    size = path.stat().st_size
    first, last = _byte_range(request.header("range"), size)
    headers = [*headers, (b"accept-ranges", b"bytes")]
    partial = (first, last) != (0, size - 1)
    if partial:
        headers.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
    headers.append((b"content-length", b"%d" % (last - first + 1)))
    await send({"type": "http.response.start", "status": 206 if partial else 200, "headers": headers})
    left = last - first + 1 if request.method != "HEAD" else 0
    with path.open("rb") as file:
        file.seek(first)
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            left -= len(chunk)
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _byte_range(value: str, size: int) -> tuple[int, int]:
    found = re.fullmatch(r"bytes=(\d+)-(\d*)", value)
    if not found or int(found[1]) >= size:
        return 0, size - 1
    return int(found[1]), min(int(found[2] or size - 1), size - 1)
