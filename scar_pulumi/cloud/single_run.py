"""Run one function on one file, in its container and in this process: without a cloud, a stack, or leftovers."""

import asyncio
import base64
import binascii
import hashlib
import json
import shutil
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

from scar_components.images import FileRange, ImageError, ImagePlan, Layer, load_blob, plan_image
from scar_foundation.directories import single_run_directory
from scar_foundation.errors import InputError
from scar_foundation.files import written
from scar_foundation.locks import try_lock
from scar_pulumi.cloud.layout import DEFAULT_ACCOUNT, DEFAULT_REGION
from scar_pulumi.cloud.runner import FunctionConfiguration, InvocationResult, Runner
from scar_pulumi.fdl import Function, StoragePath

_BLOCK = 1 << 20
_INPUTS, _OUTPUTS = "inputs", "outputs"


Write = Callable[[str], None]


@dataclass(frozen=True)
class RunOutcome:
    """How the run ended: what a caller would receive, and the files that the function stored."""

    request_id: str
    answer: bytes
    error: str | None
    duration_ms: float
    max_memory_mb: int
    stored: tuple[Path, ...]


def run_function(function: Function, file: Path | None, folder: Path, log: Write, progress: Write) -> RunOutcome:
    """Run the function on a file, as if it had been put under its input path, and store its outputs in `folder`.

    `log` gets the lines of the function's log. Raises ScarError when the container cannot be started.
    """
    plan = _plan(function, progress)
    folder.mkdir(parents=True, exist_ok=True)
    key = "" if file is None else _input_key(function, file)
    objects = ObjectFolder(folder, _OUTPUTS, {} if file is None else {f"{_INPUTS}/{key}": file})
    event = b"{}" if file is None else json.dumps(_event(key)).encode()
    with _workplace() as place, serving(objects):
        request_id = str(uuid.uuid4())
        runner = Runner(_Images(plan, place / "blobs"), _Sink(log), place / "runner", _endpoint(objects.endpoint))
        result = asyncio.run(_invoke(runner, _configuration(function, plan), event, request_id))
    return _outcome(result, request_id, objects)


def _plan(function: Function, progress: Write) -> ImagePlan:
    try:
        return plan_image(
            image=function.image,
            image_file=None if function.image_file is None else str(function.image_file),
            script=None if function.init_script is None else str(function.init_script),
            architecture=function.architecture,
            progress=progress,
        )
    except ImageError as error:
        raise InputError(f"function {function.name}: {error}") from None


async def _invoke(
    runner: Runner, configuration: FunctionConfiguration, event: bytes, request_id: str
) -> InvocationResult:
    try:
        await runner.start()
        return await runner.invoke(configuration, event, request_id)
    finally:
        await runner.close()


def _configuration(function: Function, plan: ImagePlan) -> FunctionConfiguration:
    supervisor = {
        "name": function.name,
        "log_level": function.log_level,
        "timeout_threshold": function.timeout_threshold,
        "outputs": [_output(path) for path in function.output] or [{"path": _OUTPUTS}],
    }
    return FunctionConfiguration(
        name=function.name,
        arn=f"arn:aws:lambda:{DEFAULT_REGION}:{DEFAULT_ACCOUNT}:function:{function.name}",
        version="$LATEST",
        region=DEFAULT_REGION,
        account=DEFAULT_ACCOUNT,
        image=plan.digest,
        memory=function.memory,
        timeout=function.timeout,
        ephemeral_storage=function.ephemeral_storage,
        environment={
            **function.environment,
            **function.container_environment,
            "SCAR_FUNCTION": json.dumps(supervisor),
        },
        log_group=f"/aws/lambda/{function.name}",
        architecture=function.architecture,
    )


def _output(path: StoragePath) -> dict[str, Any]:
    # The same filters, but all files go into the one folder, wherever they would go in the cloud.
    return {"path": _OUTPUTS, "prefix": list(path.prefix), "suffix": list(path.suffix)}


def _endpoint(address: str) -> dict[str, str]:
    keys = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local"}
    return {"AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true", **keys}


def _input_key(function: Function, file: Path) -> str:
    folder = function.input[0].key_prefix if function.input else ""
    return f"{folder}{file.name}"


def _event(key: str) -> dict[str, Any]:
    stored = {"bucket": {"name": _INPUTS, "arn": f"arn:aws:s3:::{_INPUTS}"}, "object": {"key": quote_plus(key)}}
    return {
        "Records": [
            {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": DEFAULT_REGION, "s3": stored}
        ]
    }


def _outcome(result: InvocationResult, request_id: str, objects: "ObjectFolder") -> RunOutcome:
    document = _document(result.payload)
    error = None
    if result.error is not None:
        error = str(document.get("errorMessage") or result.payload.decode("utf-8", "replace"))
    answer = b"" if error is not None else _body(document, result.payload)
    stored = tuple(dict.fromkeys(objects.stored))
    return RunOutcome(request_id, answer, error, result.duration_ms, result.max_memory_mb, stored)


def _document(payload: bytes) -> dict[str, Any]:
    try:
        document = json.loads(payload)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _body(document: dict[str, Any], payload: bytes) -> bytes:
    body = document.get("body")
    if not isinstance(body, str):
        return payload
    try:
        return base64.b64decode(body) if document.get("isBase64Encoded") else body.encode()
    except binascii.Error:
        return body.encode()


class _Sink:
    """Passes the lines of the log on."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def put(self, _log_group: str, _log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        for _, message in events:
            self._write(message.rstrip("\n"))


class _Images:
    """The image of a plan, as the runner reads images: each blob is a file."""

    def __init__(self, plan: ImagePlan, folder: Path) -> None:
        self._plan = plan
        self._folder = folder
        self._layers = {layer.digest: layer for layer in plan.layers}
        self._config = str(json.loads(plan.manifest)["config"]["digest"])

    def manifest(self, digest: str) -> bytes:
        if digest != self._plan.digest:
            raise KeyError(digest)
        return self._plan.manifest

    def blob_path(self, digest: str) -> Path:
        layer = self._layers.get(digest)
        if layer is not None and _is_a_file(layer):
            return layer.source.path  # type: ignore[union-attr] # `_is_a_file` has checked it
        path = self._folder / digest.replace(":", "-")
        if not path.exists():
            if digest != self._config and layer is None:
                raise KeyError(digest)
            self._folder.mkdir(parents=True, exist_ok=True)
            with written(path) as file:
                file.writelines([self._plan.config] if layer is None else load_blob(layer))
        return path


def _is_a_file(layer: Layer) -> bool:
    """Return whether a layer is a whole file, not a part of an archive or in a registry."""
    source = layer.source
    return isinstance(source, FileRange) and not source.offset and source.path.stat().st_size == layer.size


@contextmanager
def _workplace() -> Iterator[Path]:
    """Give the directory for unpacked images, which is kept; a second run at the same time gets one of its own."""
    kept = single_run_directory()
    with (kept / "lock").open("w") as lock:
        if try_lock(lock):
            yield kept
            return
        with tempfile.TemporaryDirectory(prefix="scar-local-run-", ignore_cleanup_errors=True) as own:
            yield Path(own)


@dataclass
class ObjectFolder:
    """Just enough of S3 for one function: `inputs` by `bucket/key`, and a `bucket` that is stored as `folder`."""

    folder: Path
    bucket: str
    inputs: dict[str, Path] = field(default_factory=dict)
    stored: list[Path] = field(default_factory=list)
    endpoint: str = ""

    def place(self, name: str) -> Path | None:
        """Return where an object is stored, or None when it does not belong here."""
        bucket, _, key = name.partition("/")
        target = (self.folder / key).resolve()
        inside = target.is_relative_to(self.folder.resolve()) and target != self.folder.resolve()
        return target if bucket == self.bucket and inside else None


@contextmanager
def serving(objects: ObjectFolder) -> Iterator[ObjectFolder]:
    """Serve the objects on a free port of loopback until the end of the block."""
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
