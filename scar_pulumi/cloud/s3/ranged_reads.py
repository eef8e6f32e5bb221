"""Reads of parts of large objects, as download managers make them by the dozen.

MiniStack reads a whole object for each part that is asked for. Here an object that is read in parts is fetched from it
once and kept in an unnamed file for a moment; MiniStack still decides about every request.
"""

import asyncio
import re
import tempfile
from pathlib import Path
from typing import IO

from scar_foundation.limits import MIB
from scar_pulumi.cloud.asgi import (
    ASGIApp,
    Message,
    RawHeaders,
    Request,
    Response,
    call,
    find_header,
    receive_body,
    request_of,
    scope_of,
)
from scar_pulumi.cloud.service import Service, ServiceRequest, s3_error

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LARGE = 8 * MIB
_KEPT_SECONDS = 20.0
_NOT_ASKED = (b"range", b"x-amz-checksum-mode")

_Key = tuple[str, str, str, str]


class _ChangedError(Exception):
    """The object has been replaced."""


class RangedReads(Service):
    """Answers reads of parts of large objects; those of small ones are the application's."""

    refusal = staticmethod(s3_error)

    def __init__(self, application: ASGIApp, directory: Path) -> None:
        self._application = application
        self._directory = directory
        self._files: dict[_Key, asyncio.Task[IO[bytes]]] = {}

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request reads a part of an object that its path names."""
        return (
            request.method == "GET"
            and _RANGE.fullmatch(request.header("range")) is not None
            and request.scope.get("query_string", b"") in (b"", b"x-id=GetObject")
            and "/" in request.path.strip("/")
            and request.service == "s3"
        )

    async def __call__(self, incoming: ServiceRequest) -> ASGIApp:
        """Answer one request."""
        request = request_of(incoming.scope)
        headers = tuple(header for header in request.headers if header[0] not in _NOT_ASKED)
        head = await call(self._application, Request("HEAD", request.path, headers=headers))
        size = int(find_header(head.raw_headers, "content-length") or 0)
        first, last = _limits(request.header("range"), size)
        if head.status_code != 200 or size < _LARGE or first > last:
            return self._application
        try:
            file = await self._file(request, headers, head)
        except _ChangedError:
            return self._application
        file.seek(first)
        return _partial(head, file.read(last - first + 1), first, last, size)

    async def _file(self, request: Request, headers: RawHeaders, head: Response) -> IO[bytes]:
        etag, modified = find_header(head.raw_headers, "etag"), find_header(head.raw_headers, "last-modified")
        key = (request.path, request.header("host"), etag, modified)
        if key not in self._files:
            whole = Request("GET", request.path, headers=(*headers, (b"if-match", etag.encode())))
            self._files[key] = asyncio.create_task(self._fetch(whole))
            asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._forget, key)
        return await asyncio.shield(self._files[key])

    async def _fetch(self, request: Request) -> IO[bytes]:
        file = tempfile.TemporaryFile(dir=self._directory)  # noqa: SIM115 - kept for the requests that follow

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200:
                file.close()
                raise _ChangedError
            if message["type"] == "http.response.body":
                await asyncio.to_thread(file.write, message.get("body", b""))

        await self._application(scope_of(request), receive_body(b""), send)
        return file

    def _forget(self, key: _Key) -> None:
        task = self._files.pop(key)
        if task.done() and not task.exception():
            task.result().close()


def _limits(value: str, size: int) -> tuple[int, int]:
    found = _RANGE.fullmatch(value)
    assert found, value
    return int(found[1]), min(int(found[2] or size - 1), size - 1)


def _partial(head: Response, body: bytes, first: int, last: int, size: int) -> Response:
    response = head.with_body(body)
    response.status_code = 206
    response.headers["content-range"] = f"bytes {first}-{last}/{size}"
    return response
