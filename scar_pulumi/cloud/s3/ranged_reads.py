"""Reads of parts of large objects, as download managers make them by the dozen.

MiniStack reads a whole object for each part that is asked for. Here an object that is read in parts is fetched from it
once and kept in an unnamed file for a moment; MiniStack still says for every request whether and what to answer.
"""

import asyncio
import re
import tempfile
from pathlib import Path
from typing import IO

from scar_pulumi.cloud.asgi import (
    Application,
    Headers,
    Message,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    call,
    find_header,
    receive_body,
    request_of,
    scope_of,
)
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.signature import caller_of

_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_LARGE = 8 * 1024 * 1024
_KEPT_SECONDS = 20.0
_NOT_ASKED = (b"range", b"x-amz-checksum-mode")

_Key = tuple[str, str, str, str]


class _ChangedError(Exception):
    """The object is another one by now."""


class RangedReads:
    """Answers what it `takes`; everything else is the application's."""

    def __init__(self, application: Application, directory: Path) -> None:
        self._application = application
        self._directory = directory
        self._files: dict[_Key, asyncio.Task[IO[bytes]]] = {}

    def takes(self, scope: Scope) -> bool:
        """Whether a request reads a part of an object that its path names."""
        return (
            scope["method"] == "GET"
            and _RANGE.fullmatch(find_header(scope["headers"], "range")) is not None
            and scope.get("query_string", b"") in (b"", b"x-id=GetObject")
            and "/" in scope["path"].strip("/")
            and (caller := caller_of(scope["headers"])) is not None
            and caller.service == "s3"
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        request = request_of(scope)
        headers = tuple(header for header in request.headers if header[0] not in _NOT_ASKED)
        head = await call(self._application, Request("HEAD", request.path, headers=headers))
        size = int(find_header(head.headers, "content-length") or 0)
        first, last = _limits(request.header("range"), size)
        if head.status != 200 or size < _LARGE or first > last:
            await self._application(scope, receive, send)
            return
        try:
            file = await self._file(request, headers, head)
        except _ChangedError:
            await self._application(scope, receive, send)
            return
        file.seek(first)
        await respond(send, _partial(head, file.read(last - first + 1), first, last, size))

    async def _file(self, request: Request, headers: Headers, head: Response) -> IO[bytes]:
        etag, modified = find_header(head.headers, "etag"), find_header(head.headers, "last-modified")
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
    headers = [(name, value) for name, value in head.headers if name.lower() != b"content-length"]
    return Response(206, body, [*headers, (b"content-range", f"bytes {first}-{last}/{size}".encode())])
