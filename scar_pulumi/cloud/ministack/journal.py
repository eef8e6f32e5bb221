"""The journal: configuration requests that succeeded, on disk before their answers leave.

Appended lines reach the operating system at once, so that a killed daemon loses none. Segments are numbered; a snapshot
of number N holds everything from the segments below N.
"""

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.layout import write_fully

# What a repeated request needs. The rest of the headers describes the connection or the client.
_HEADERS = re.compile(rb"authorization|content-type|content-encoding|content-md5|host|x-amz-.*")
_SIGNATURE = re.compile(rb"Signature=[0-9a-f]+")


class Journal:
    """Numbered segments in one directory; the last one is written to."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._number = max([0, *self._numbers()])
        self._file = self._open()

    @property
    def size(self) -> int:
        """Bytes in the segment that is being written."""
        return int(self._file.tell())

    def append(self, request: Request) -> None:
        """Writes one request; on return the operating system has it. Raises OSError when the disk is full."""
        end = self._file.tell()
        try:
            write_fully(self._file, json.dumps(_encode(request), separators=(",", ":")).encode() + b"\n")
        except OSError:
            self._file.truncate(end)
            raise

    def rotate(self) -> int:
        """Begins a new segment and returns its number."""
        self._file.close()
        self._number += 1
        self._file = self._open()
        return self._number

    def discard(self, below: int) -> None:
        """Removes the segments that a snapshot of this number holds."""
        for number in self._numbers():
            if number < below:
                self._path(number).unlink(missing_ok=True)

    def requests(self, start: int = 0) -> Iterator[Request]:
        """The requests of the segments from `start` on, in order; a line that a kill cut short is left out."""
        for number in sorted(self._numbers()):
            if number >= start:
                yield from _read(self._path(number))

    def close(self) -> None:
        """Closes the segment."""
        self._file.close()

    def _numbers(self) -> list[int]:
        return [int(path.stem) for path in self._directory.glob("*.log") if path.stem.isdigit()]

    def _path(self, number: int) -> Path:
        return self._directory / f"{number}.log"

    def _open(self) -> Any:
        path = self._path(self._number)
        path.touch(mode=0o600)
        _mend(path)
        return path.open("ab", buffering=0)


def _mend(path: Path) -> None:
    """Cuts off what a kill left of a last line, lest the next one be appended to it."""
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        with path.open("r+b") as file:
            file.truncate(content.rfind(b"\n") + 1)


def _read(path: Path) -> Iterator[Request]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.endswith(b"\n"):
                yield _parse(line, f"{path}:{number}")


def _parse(line: bytes, where: str) -> Request:
    try:
        return _decode(json.loads(line))
    except (ValueError, KeyError, TypeError) as error:
        raise LocalCloudError(
            f"{where}: the journal is damaged; remove this line, whose change is then lost, or delete everything in "
            "the local cloud with: scar-pulumi local reset"
        ) from error


def _encode(request: Request) -> dict[str, Any]:
    headers = [
        [name.decode("latin-1"), _SIGNATURE.sub(b"Signature=0", value).decode("latin-1")]
        for name, value in request.headers
        if _HEADERS.fullmatch(name)
    ]
    return {
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers,
        **_encode_body(_replayable_body(request)),
    }


def _encode_body(body: bytes) -> dict[str, str]:
    try:
        return {"body": body.decode()}
    except UnicodeDecodeError:
        return {"body64": base64.b64encode(body).decode()}


def _replayable_body(request: Request) -> bytes:
    # Revision ids are made anew on replay, so a request that insists on one would be refused.
    if b'"RevisionId"' not in request.body:
        return request.body
    try:
        document = json.loads(request.body)
    except ValueError:
        return request.body
    if isinstance(document, dict):
        document.pop("RevisionId", None)
    return json.dumps(document).encode()


def _decode(record: dict[str, Any]) -> Request:
    body = base64.b64decode(record["body64"]) if "body64" in record else record["body"].encode()
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in record["headers"]]
    length = (b"content-length", b"%d" % len(body))
    return Request(record["method"], record["path"], record["query"], (*headers, length), body)
