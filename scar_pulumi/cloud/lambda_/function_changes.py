"""What has to happen around a change of a function: its image is looked up before, runner and proxy follow after."""

import json
import os
import re
import uuid
from pathlib import Path
from typing import Any

from scar_foundation.files import write_whole
from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.ecr.image_store import ImageStore, Repository, parse_image_uri
from scar_pulumi.cloud.lambda_.functions import (
    DeployedFunction,
    FunctionReference,
    Functions,
    hide_concurrency,
    parse_reference,
    pin_image,
    sink_log_group,
)
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.ministack.upstream import READ_METHODS
from scar_pulumi.cloud.runner import Runner
from scar_pulumi.cloud.signature import Caller

_PATH = re.compile(r"/20\d\d-\d\d-\d\d/functions(?:/(?P<function>[^/]+)(?:/(?P<part>[^/]+))?)?/?.*")

# MiniStack's documented hook: it reads this variable whenever it delivers an event to the function.
_PROXY = "MINISTACK_LAMBDA_PROXY_"


class FunctionChanges:
    """Prepares requests that change functions, and applies their success."""

    def __init__(
        self, functions: Functions, images: ImageStore, logs: CloudLogSink, runner: Runner, *, names: Path, hook: str
    ) -> None:
        self._functions = functions
        self._images = images
        self._logs = logs
        self._runner = runner
        self._names_file = names
        self._hook = hook
        self._names: set[str] = set(json.loads(names.read_bytes())) if names.is_file() else set()
        for name in self._names:
            os.environ[_PROXY + name] = hook

    def is_image_function(self, name: str) -> bool:
        """Whether events for a function of this name come to the runner."""
        return name in self._names

    async def prepare(self, caller: Caller, request: Request) -> Request | Response:
        """The request as MiniStack gets it, or a refusal."""
        found = _PATH.fullmatch(request.path)
        if not found or request.method in READ_METHODS or not request.body:
            return request
        try:
            document = json.loads(request.body)
        except ValueError:
            return request
        if not isinstance(document, dict):
            return request
        if found["function"] is None:
            return self._prepare_create(request, document)
        return await self._prepare_update(caller, request, document, found["function"], found["part"] or "")

    async def apply(self, caller: Caller, request: Request, response: Response) -> None:
        """Follows a change that MiniStack has made."""
        found = _PATH.fullmatch(request.path)
        if not found or request.method in READ_METHODS or not response.succeeded:
            return
        if found["function"] is None:
            await self._created(caller, json.loads(request.body))
            return
        reference = parse_reference(found["function"], caller, request.parameter("Qualifier"))
        if reference is None:
            return
        self._functions.forget(reference.name)
        part = found["part"] or ""
        if request.method == "DELETE" and not part and not reference.qualifier:
            self._unhook(reference.name)
        if part in ("", "code", "configuration"):
            await self._runner.retire(reference.name)
        if part == "code":
            await self._expect_events(reference)

    async def _expect_events(self, reference: FunctionReference) -> None:
        """Lets the runner get the image ready: Lambda, too, does that before the first event."""
        function = await self._functions.find(reference)
        if isinstance(function, DeployedFunction) and function.configuration is not None:
            self._runner.expect(function.configuration.image, function.configuration.architecture)

    def _prepare_create(self, request: Request, document: dict[str, Any]) -> Request | Response:
        uri = (document.get("Code") or {}).get("ImageUri")
        if not uri:
            return request
        digest = self._digest(uri)
        if digest is None:
            return _no_such_image(uri)
        document["Code"]["ImageUri"] = pin_image(uri, digest)
        return with_document(request, sink_log_group(document, document.get("FunctionName", "")))

    async def _prepare_update(
        self, caller: Caller, request: Request, document: dict[str, Any], function: str, part: str
    ) -> Request | Response:
        if part == "code" and (uri := document.get("ImageUri")):
            digest = self._digest(uri)
            return (
                with_document(request, document | {"ImageUri": pin_image(uri, digest)})
                if digest
                else _no_such_image(uri)
            )
        if part not in ("configuration", "concurrency"):
            return request
        reference = parse_reference(function, caller)
        if reference is None or not await self._is_image(reference):
            return request
        if part == "concurrency":
            return with_document(request, hide_concurrency(document))
        if "LoggingConfig" in document:
            return with_document(request, sink_log_group(document, reference.name))
        return request

    async def _is_image(self, reference: FunctionReference) -> bool:
        function = await self._functions.find(reference)
        return isinstance(function, DeployedFunction) and function.configuration is not None

    def _digest(self, uri: str) -> str | None:
        image = parse_image_uri(uri)
        if image is None:
            return None
        return self._images.resolve(Repository(image.account, image.region, image.name), image.reference)

    async def _created(self, caller: Caller, document: dict[str, Any]) -> None:
        name = document["FunctionName"].rpartition(":")[2]
        self._functions.forget(name)
        if "ImageUri" not in (document.get("Code") or {}):
            self._unhook(name)
            return
        self._logs.expect(document["LoggingConfig"]["LogGroup"], caller.account, caller.region)
        os.environ[_PROXY + name] = self._hook
        if name not in self._names:
            self._names.add(name)
            self._write_names()
        await self._expect_events(FunctionReference(caller.account, caller.region, name))

    def _unhook(self, name: str) -> None:
        os.environ.pop(_PROXY + name, None)
        if name in self._names:
            self._names.discard(name)
            self._write_names()

    def _write_names(self) -> None:
        write_whole(self._names_file, json.dumps(sorted(self._names)).encode())


def with_document(request: Request, document: dict[str, Any]) -> Request:
    """The request with another JSON body."""
    body = json.dumps(document).encode()
    dropped = (b"content-length", b"transfer-encoding", b"x-amz-content-sha256")
    kept = [(name, value) for name, value in request.headers if name not in dropped]
    headers = (*kept, (b"content-length", b"%d" % len(body)))
    return Request(request.method, request.path, request.query, headers, body)


def _no_such_image(uri: str) -> Response:
    message = f"Source image {uri} does not exist. Provide a valid source image."
    if parse_image_uri(uri) is None:
        message = f"Source image {uri} is not valid. Provide a valid source image."
    document = {"Type": "User", "Message": message, "message": message}
    kind = (b"x-amzn-errortype", b"InvalidParameterValueException")
    request_id = (b"x-amzn-requestid", str(uuid.uuid4()).encode())
    return Response(400, json.dumps(document).encode(), [(b"content-type", b"application/json"), kind, request_id])
