"""Changes of functions: images are found before MiniStack makes the change, the runner and hooks follow after it."""

import json
import os
import re
from typing import Any

from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.ecr.image_store import ImageStore, Repository, parse_image_uri
from scar_pulumi.cloud.lambda_.functions import (
    FunctionReference,
    Functions,
    hide_concurrency,
    mark_age,
    parse_reference,
    pin_image,
    sink_log_group,
)
from scar_pulumi.cloud.lambda_.store import ImageFunctions
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.ministack.upstream import READ_METHODS
from scar_pulumi.cloud.runner import FunctionConfiguration, Runner
from scar_pulumi.cloud.service import ServiceError
from scar_pulumi.cloud.signature import Caller

_PATH = re.compile(r"/20\d\d-\d\d-\d\d/functions(?:/(?P<function>[^/]+)(?:/(?P<part>[^/]+))?)?/?.*")

# MiniStack's documented hook: it reads this variable whenever it delivers an event to the function.
_PROXY = "MINISTACK_LAMBDA_PROXY_"


class FunctionChanges:
    """Prepares requests that change functions, and follows up on those that succeeded."""

    def __init__(
        self,
        functions: Functions,
        images: ImageStore,
        logs: CloudLogSink,
        runner: Runner,
        *,
        names: ImageFunctions,
        hook: str,
    ) -> None:
        self._functions = functions
        self._images = images
        self._logs = logs
        self._runner = runner
        self._names = names
        self._hook = hook
        for name in names:
            os.environ[_PROXY + name] = hook

    def is_image_function(self, name: str) -> bool:
        """Return whether events for a function of this name come to the runner."""
        return name in self._names

    async def prepare(self, caller: Caller, request: Request) -> Request:
        """Return the request as MiniStack gets it; raise ServiceError when its image does not exist."""
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
        if found["part"] == "event-invoke-config" and request.method == "PUT":
            return with_document(request, mark_age(document))
        return await self._prepare_update(caller, request, document, found["function"], found["part"] or "")

    async def apply(self, caller: Caller, request: Request, response: Response) -> None:
        """Follow up on a change that MiniStack has made."""
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
            await self._unhook(reference.name)
        if part in ("", "code", "configuration"):
            await self._runner.retire(reference.name)
        if part == "code":
            await self._expect_events(reference)

    async def _expect_events(self, reference: FunctionReference) -> None:
        """Let the runner get the image ready: Lambda, too, does that before the first event."""
        configuration = await self._configuration(reference)
        if configuration is not None:
            self._runner.expect(configuration.image, configuration.architecture)

    def _prepare_create(self, request: Request, document: dict[str, Any]) -> Request:
        uri = (document.get("Code") or {}).get("ImageUri")
        if not uri:
            return request
        document["Code"]["ImageUri"] = pin_image(uri, self._digest(uri))
        return with_document(request, sink_log_group(document, document.get("FunctionName", "")))

    async def _prepare_update(
        self, caller: Caller, request: Request, document: dict[str, Any], function: str, part: str
    ) -> Request:
        if part == "code" and (uri := document.get("ImageUri")):
            return with_document(request, document | {"ImageUri": pin_image(uri, self._digest(uri))})
        if part not in ("configuration", "concurrency"):
            return request
        reference = parse_reference(function, caller)
        if reference is None or await self._configuration(reference) is None:
            return request
        if part == "concurrency":
            return with_document(request, hide_concurrency(document))
        if "LoggingConfig" in document:
            return with_document(request, sink_log_group(document, reference.name))
        return request

    async def _configuration(self, reference: FunctionReference) -> FunctionConfiguration | None:
        """Return what the runner needs of a function; None when there is none, or none of an image."""
        try:
            function = await self._functions.find(reference)
        except ServiceError:
            return None
        return function.configuration

    def _digest(self, uri: str) -> str:
        image = parse_image_uri(uri)
        if image is None:
            raise _no_such_image(uri, "is not valid")
        digest = self._images.resolve(Repository(image.account, image.region, image.name), image.reference)
        if digest is None:
            raise _no_such_image(uri, "does not exist")
        return digest

    async def _created(self, caller: Caller, document: dict[str, Any]) -> None:
        name = document["FunctionName"].rpartition(":")[2]
        self._functions.forget(name)
        if "ImageUri" not in (document.get("Code") or {}):
            await self._unhook(name)
            return
        self._logs.expect(document["LoggingConfig"]["LogGroup"], caller.account, caller.region)
        os.environ[_PROXY + name] = self._hook
        if name not in self._names:
            await self._names.add(name)
        await self._expect_events(FunctionReference(caller.account, caller.region, name))

    async def _unhook(self, name: str) -> None:
        os.environ.pop(_PROXY + name, None)
        if name in self._names:
            await self._names.remove(name)


def with_document(request: Request, document: dict[str, Any]) -> Request:
    """Return the request with another JSON body."""
    body = json.dumps(document).encode()
    dropped = (b"content-length", b"transfer-encoding", b"x-amz-content-sha256")
    kept = [(name, value) for name, value in request.headers if name not in dropped]
    headers = (*kept, (b"content-length", b"%d" % len(body)))
    return Request(request.method, request.path, request.query, headers, body)


def _no_such_image(uri: str, problem: str) -> ServiceError:
    message = f"Source image {uri} {problem}. Provide a valid source image."
    return ServiceError(400, "InvalidParameterValueException", message)
