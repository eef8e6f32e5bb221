"""Just enough of S3, on loopback, for one function: its input is a file, and what it stores lands in a folder."""

import hashlib
import shutil
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

_BLOCK = 1 << 20


@dataclass
class ObjectFolder:
    """What is served: objects by `bucket/key`; whatever is put into `bucket` becomes a file below `folder`."""

    folder: Path
    bucket: str
    inputs: dict[str, Path] = field(default_factory=dict)
    stored: list[Path] = field(default_factory=list)
    endpoint: str = ""

    def place(self, name: str) -> Path | None:
        """Where an object is kept; None for one that does not belong here."""
        bucket, _, key = name.partition("/")
        target = (self.folder / key).resolve()
        inside = target.is_relative_to(self.folder.resolve()) and target != self.folder.resolve()
        return target if bucket == self.bucket and inside else None


@contextmanager
def serving(objects: ObjectFolder) -> Iterator[ObjectFolder]:
    """Serve it on a free port until the end of the block."""
    handler = type("ObjectRequests", (_Requests,), {"objects": objects})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    objects.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield objects
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Requests(BaseHTTPRequestHandler):
    objects: ClassVar[ObjectFolder]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = self.objects.inputs.get(self._name())
        if path is None:
            self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
            return
        with path.open("rb") as file:
            size = path.stat().st_size
            self._head(200, size, {"ETag": f'"{size}"', "Last-Modified": self.date_time_string()})
            if self.command == "GET":
                shutil.copyfileobj(file, self.wfile, _BLOCK)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        target, query = self.objects.place(self._name()), self._query()
        if target is None:
            self._read_into(None)
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
            return
        if "uploadId" in query:
            target = _part(target, query["uploadId"], int(query["partNumber"]))
        target.parent.mkdir(parents=True, exist_ok=True)
        tag = self._read_into(target)
        if "uploadId" not in query:
            self.objects.stored.append(target)
        self._answer(200, b"", {"ETag": f'"{tag}"'})

    def do_POST(self) -> None:
        self._read_into(None)
        target, query = self.objects.place(self._name()), self._query()
        if target is None:
            self._answer(403, b"<Error><Code>AccessDenied</Code></Error>")
        elif "uploadId" in query:
            self._join(target, query["uploadId"])
        else:
            result = f"<InitiateMultipartUploadResult><UploadId>{uuid.uuid4().hex}</UploadId>"
            self._answer(200, f"{result}</InitiateMultipartUploadResult>".encode())

    def _join(self, target: Path, upload: str) -> None:
        parts = sorted(target.parent.glob(f".{upload}-*"))
        with target.open("wb") as whole:
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole, _BLOCK)
                part.unlink()
        self.objects.stored.append(target)
        self._answer(200, b'<CompleteMultipartUploadResult><ETag>"-"</ETag></CompleteMultipartUploadResult>')

    def _read_into(self, target: Path | None) -> str:
        left, digest = int(self.headers.get("Content-Length") or 0), hashlib.sha256()
        with (target or Path("/dev/null")).open("wb") as file:
            while left and (block := self.rfile.read(min(left, _BLOCK))):
                file.write(block)
                digest.update(block)
                left -= len(block)
        return digest.hexdigest()

    def _name(self) -> str:
        return unquote(urlsplit(self.path).path).lstrip("/")

    def _query(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self._head(status, len(body), headers or {})
        self.wfile.write(body)

    def _head(self, status: int, size: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(size)}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


def _part(target: Path, upload: str, number: int) -> Path:
    return target.parent / f".{upload}-{number:05d}"
