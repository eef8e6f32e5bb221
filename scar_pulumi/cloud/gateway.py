"""The one application that listens: finds the service of each request, and answers for those that refuse."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scar_foundation.loopback import is_loopback
from scar_pulumi.cloud.asgi import ASGIApp, ClientDisconnect, Receive, Response, Scope, Send, json_response
from scar_pulumi.cloud.database import StateError
from scar_pulumi.cloud.layout import shortage
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest

_log = logging.getLogger(__name__)
_WRITES = frozenset({"PUT", "POST", "PATCH"})
# MiniStack would forget its state and leave the rest of this cloud as it is.
_CLOSED = frozenset({"/_ministack/reset", "/_ministack/config"})


class Gateway:
    """Sends each request to the first service of an ordered table that takes it; `directory` is on the cloud's disk.

    `websockets` serves everything that is not HTTP.
    """

    def __init__(self, services: Sequence[Service], *, websockets: ASGIApp, directory: Path) -> None:
        self._services = services
        self._websockets = websockets
        self._directory = directory
        self.requests: Counter[str] = Counter()
        """How many requests each service has got."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._websockets(scope, receive, send)
            return
        request = ServiceRequest(scope, receive, send)
        service = next(service for service in self._services if service.takes(request))
        try:
            answer = await self._answer(service, request)
            await answer(scope, receive, send)
        except ClientDisconnect:
            return

    async def _answer(self, service: Service, request: ServiceRequest) -> ASGIApp:
        origin = request.header("origin")
        is_welcome = is_local_origin(origin) or service.welcomes(request, origin)
        if not is_welcome or request.path in _CLOSED:
            return Response("not from here", 403)
        self.requests[service.name or request.service or "unsigned"] += 1
        try:
            if service.stores_data:
                self._check_space(request)
            return await service(request)
        except ServiceError as error:
            return service.refusal(error)
        except StateError as error:
            _log.error("%s %s: %s", request.method, request.path, error)
            return service.refusal(ServiceError(500, "InternalError", f"local cloud: {error}"))

    def _check_space(self, request: ServiceRequest) -> None:
        if request.method not in _WRITES:
            return
        if message := shortage(self._directory, int(request.header("content-length") or 0)):
            raise ServiceError(507, "InsufficientStorage", f"local cloud: {message}")


class Documents(Service):
    """Documents about the local cloud itself, by path."""

    name = "local cloud"

    def __init__(self, documents: Mapping[str, Callable[[], dict[str, Any]]]) -> None:
        self._documents = documents

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether there is such a document."""
        return request.path in self._documents

    async def __call__(self, request: ServiceRequest) -> Response:
        """Answer one request."""
        return json_response(self._documents[request.path]())


class AwsServices(Service):
    """Everything that no other service takes: AWS's services as MiniStack has them."""

    def __init__(self, upstream: ASGIApp) -> None:
        self._upstream = upstream

    def takes(self, request: ServiceRequest) -> bool:  # noqa: ARG002 - all of them
        """Return True."""
        return True

    async def __call__(self, request: ServiceRequest) -> ASGIApp:  # noqa: ARG002 - MiniStack reads it
        """Let MiniStack answer."""
        return self._upstream


def is_local_origin(origin: str) -> bool:
    """Return whether a web page of this origin may ask: pages from elsewhere must not reach into this machine."""
    if not origin:
        return True
    host = urlsplit(origin).hostname or ""
    return is_loopback(host) or host.endswith(".localhost")
