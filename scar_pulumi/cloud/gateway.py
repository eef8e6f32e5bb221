"""The one ASGI application that listens: sends each request to the part of the local cloud that it is for."""

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from scar_foundation.loopback import is_loopback
from scar_pulumi.cloud.api_gateway.endpoint import HttpApis
from scar_pulumi.cloud.asgi import (
    Application,
    ClientGoneError,
    Receive,
    Response,
    Scope,
    Send,
    find_header,
    read_body,
    receive_body,
    request_of,
)
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.batch.service import BatchService
from scar_pulumi.cloud.disk_space import refuse
from scar_pulumi.cloud.ecr.api import TARGET as ECR_TARGET
from scar_pulumi.cloud.ecr.api import EcrApi
from scar_pulumi.cloud.ecr.registry import is_registry_path
from scar_pulumi.cloud.lambda_.api import LambdaApi
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink, without_sinks
from scar_pulumi.cloud.ministack.upstream import Upstream, action_of
from scar_pulumi.cloud.oscar.clusters import OscarClusters
from scar_pulumi.cloud.s3.ranged_reads import RangedReads
from scar_pulumi.cloud.s3.upload_events import UploadEvents
from scar_pulumi.cloud.signature import Caller, caller_of

_LAMBDA_PATH = re.compile(r"/20\d\d-\d\d-\d\d/functions(?:/|$)")
_LOG_GROUPS = re.compile(r"Logs_20140328\.(?:Create|Delete|Describe)LogGroups?")
# MiniStack would wipe what it knows and leave the rest of this cloud as it is.
_CLOSED = frozenset({"/_ministack/reset", "/_ministack/config"})


class Gateway:
    """Routes by path first, then by the service that a request is signed for."""

    def __init__(
        self,
        upstream: Upstream,
        *,
        registry: Application,
        ecr: EcrApi,
        functions: LambdaApi,
        batch: BatchService,
        logs: CloudLogSink,
        hook: Application,
        deliveries: UploadEvents,
        apis: HttpApis,
        directory: Path,
        parts: RangedReads,
        oscar: OscarClusters,
        status: Callable[[], dict[str, Any]],
        identity: dict[str, Any],
    ) -> None:
        self._upstream = upstream
        self._registry = registry
        self._ecr = ecr
        self._lambda = functions
        self._batch = batch
        self._logs = logs
        self._parts = parts
        self._oscar = oscar
        self._deliveries = deliveries
        self._apis = apis
        self._directory = directory
        self.requests: Counter[str] = Counter()
        """How many requests each service has got, the registry among them."""
        self._own: dict[str, Application] = {
            "/_scar/events": hook,
            "/_scar/health": _document(lambda: identity),
            "/_scar/status": _document(status),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request."""
        if scope["type"] != "http":
            await self._upstream(scope, receive, send)
            return
        address, origin = self._apis.endpoint.address(scope), find_header(scope["headers"], "origin")
        is_welcome = is_local_origin(origin) or (address is not None and self._apis.endpoint.welcomes(address, origin))
        if not is_welcome or scope["path"] in _CLOSED:
            await respond(send, Response(403, b"not from here"))
            return
        try:
            if address is not None:
                self.requests["execute-api"] += 1
                await self._apis.endpoint(address, scope, receive, send)
            else:
                await self._route(scope, receive, send)
        except ClientGoneError:
            return

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if own := self._own.get(path):
            await own(scope, receive, send)
            return
        if self._oscar.takes(scope):
            self.requests["oscar"] += 1
            await self._oscar(scope, receive, send)
            return
        if is_registry_path(path):
            self.requests["registry"] += 1
            await self._if_room(self._registry, scope, receive, send)
            return
        caller = caller_of(scope["headers"], scope.get("query_string", b"").decode("latin-1"))
        self.requests[caller.service if caller else "unsigned"] += 1
        target = find_header(scope["headers"], "x-amz-target")
        if (caller and caller.service == "lambda") or (caller is None and _LAMBDA_PATH.match(path)):
            await self._lambda(caller or Caller(service="lambda"), scope, receive, send)
        elif caller and caller.service == "batch":
            await self._batch(caller, scope, receive, send)
        elif target.startswith(ECR_TARGET):
            request = request_of(scope, await read_body(receive))
            await respond(send, await self._ecr.handle(caller or Caller(service="ecr"), request))
        elif _LOG_GROUPS.fullmatch(target):
            await self._log_groups(caller or Caller(service="logs"), scope, receive, send)
        elif caller is not None and caller.service == "apigateway":
            await self._api_gateway(caller, scope, receive, send)
        elif self._parts.takes(scope):
            await self._parts(scope, receive, send)
        elif caller is None or caller.service == "s3":
            deliver = partial(self._deliveries, caller or Caller(service="s3"))
            await self._if_room(deliver, scope, receive, send)
        else:
            await self._upstream(scope, receive, send)

    async def _if_room(self, application: Application, scope: Scope, receive: Receive, send: Send) -> None:
        if refusal := refuse(self._directory, scope):
            await respond(send, refusal)
        else:
            await application(scope, receive, send)

    async def _api_gateway(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, await read_body(receive))
        answer = self._apis.control.handle(caller, request)
        if answer is None:
            await self._upstream(scope, receive_body(request.body, receive), send)
        else:
            await respond(send, answer)

    async def _log_groups(self, caller: Caller, scope: Scope, receive: Receive, send: Send) -> None:
        request = request_of(scope, await read_body(receive))
        response = await self._upstream.request(request)
        if response.succeeded:
            action = action_of(request)
            if action == "DescribeLogGroups":
                response = response.with_body(without_sinks(response.body))
            elif action == "DeleteLogGroup":
                self._logs.forget(json.loads(request.body)["logGroupName"])
            else:
                self._logs.expect(json.loads(request.body)["logGroupName"], caller.account, caller.region)
        await respond(send, response)


def is_local_origin(origin: str) -> bool:
    """Whether a browser's page of this origin may ask: pages from elsewhere must not reach into this machine."""
    if not origin:
        return True
    host = urlsplit(origin).hostname or ""
    return is_loopback(host) or host.endswith(".localhost")


def _document(make: Callable[[], dict[str, Any]]) -> Application:
    async def serve(_scope: Scope, _receive: Receive, send: Send) -> None:
        await respond(send, Response(200, json.dumps(make()).encode(), [(b"content-type", b"application/json")]))

    return serve
