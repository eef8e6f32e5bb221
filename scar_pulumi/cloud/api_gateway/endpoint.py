"""The HTTP APIs of the local cloud, as their clients see them: addresses, throttling, and each request's way.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import base64
import re
import secrets
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import partial

from scar_pulumi.cloud.api_gateway import cors
from scar_pulumi.cloud.api_gateway.access_log import AccessLog, variables
from scar_pulumi.cloud.api_gateway.apis import Apis, HttpApi, Stage, choose_route, decoded_path
from scar_pulumi.cloud.api_gateway.authorization import Authorization
from scar_pulumi.cloud.api_gateway.control_plane import ControlPlane
from scar_pulumi.cloud.api_gateway.json_web_tokens import IssuerKeys
from scar_pulumi.cloud.api_gateway.lambda_integration import IntegrationResponse, LambdaIntegration, json_message
from scar_pulumi.cloud.api_gateway.payload_formats import Arrival, RoutedRequest, payload_v1, payload_v2
from scar_pulumi.cloud.api_gateway.store import Store
from scar_pulumi.cloud.asgi import (
    BodyTooLargeError,
    Receive,
    Response,
    Scope,
    Send,
    find_header,
    raw_path,
    read_body,
    request_of,
)
from scar_pulumi.cloud.asgi import send_response as respond
from scar_pulumi.cloud.lambda_.functions import Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.layout import Layout
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.ministack.upstream import Upstream

_PATH = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9]+)(?P<path>/.*)?", re.DOTALL)
_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\..+")


@dataclass(frozen=True)
class Address:
    """The API that a request is for, and its path there, percent-encoded; with a domain the stage is known as well."""

    api: str
    path: str
    stage: str = ""


def url_of(endpoint: str, api: str) -> str:
    """The address of an API without its stage: one that every client resolves."""
    return f"{endpoint}/_aws/execute-api/{api}"


def address_of(scope: Scope, store: Store) -> Address | None:
    """Where a request goes; None when it is for no HTTP API of ours."""
    path = raw_path(scope)
    if found := _PATH.fullmatch(path):
        return _known(store, found["api"], found["path"] or "/")
    host = find_header(scope["headers"], "host").rpartition(":")[0] or find_header(scope["headers"], "host")
    if found := _HOST.fullmatch(host):
        return _known(store, found["api"], path)
    for start, api, stage in sorted(store.mapped(host), reverse=True):
        below = f"/{start}" if start else ""
        if path == below or path.startswith(f"{below}/"):
            return Address(api, path.removeprefix(below) or "/", stage)
    return None


def _known(store: Store, api: str, path: str) -> Address | None:
    return Address(api, path) if api in store.apis else None


class Throttle:
    """One bucket for each key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def admits(self, key: Hashable, rate: float, burst: int) -> bool:
        """Whether one more call may pass now; `rate` is calls per second."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + (now - since) * rate)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - admitted, now)
        return admitted


LIMIT = 10 * 1024 * 1024
"""Bytes of a request's body: https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html"""


class HttpEndpoint:
    """Serves every request to an HTTP API."""

    def __init__(
        self, store: Store, authorization: Authorization, functions: LambdaIntegration, log: AccessLog
    ) -> None:
        self._store = store
        self._apis = Apis(store)
        self._authorization = authorization
        self._functions = functions
        self._log = log
        self._throttle = Throttle()

    def address(self, scope: Scope) -> Address | None:
        """Where a request goes; None when it is for no HTTP API."""
        return address_of(scope, self._store)

    def welcomes(self, address: Address, origin: str) -> bool:
        """Whether the API lets pages of an origin ask."""
        api = self._apis.find(address.api)
        return api is not None and cors.allows(api.cors, origin)

    async def __call__(self, address: Address, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        arrival = _arrival(scope)
        response = await self._answer(address, arrival, receive)
        response.headers.append((b"apigw-requestid", arrival.id.encode()))
        if scope["method"] == "HEAD":
            length = (b"content-length", b"%d" % len(response.body))
            response = Response(response.status, b"", [*response.headers, length])
        await respond(send, response)

    async def _answer(self, address: Address, arrival: Arrival, receive: Receive) -> Response:
        api = self._apis.find(address.api)
        stage, path = _stage(api, address) if api else (None, "")
        if api is None or stage is None or (api.closed and not address.stage):
            return json_message(404, "Not Found")
        if api.cors and cors.is_preflight(arrival.request):
            return cors.preflight(api.cors, arrival.request)
        call, outcome = await self._outcome(api, stage, path, arrival, receive)
        response = cors.apply(api.cors, arrival.request, outcome.response)
        self._log.write(api, stage, arrival, variables(api, stage, arrival, call, replace(outcome, response=response)))
        return response

    async def _outcome(
        self, api: HttpApi, stage: Stage, path: str, arrival: Arrival, receive: Receive
    ) -> tuple[RoutedRequest | None, IntegrationResponse]:
        call = _call(api, stage, path, arrival)
        if call is None:
            return None, IntegrationResponse(json_message(404, "Not Found"))
        rate = stage.rates.get(call.route.key, stage.rates.get(""))
        if rate and not self._throttle.admits((api.id, stage.name, call.route.key), *rate):
            return call, IntegrationResponse(json_message(429, "Too Many Requests"))
        try:
            body = await read_body(receive, LIMIT)
        except BodyTooLargeError:
            return call, IntegrationResponse(_too_large())
        call = replace(call, arrival=replace(arrival, request=replace(arrival.request, body=body)))
        return call, await self._permitted(api, call)

    async def _permitted(self, api: HttpApi, call: RoutedRequest) -> IntegrationResponse:
        allowed = await self._authorization.check(api, call)
        if isinstance(allowed, Response):
            return IntegrationResponse(allowed)
        integration = api.integrations.get(call.route.integration)
        if integration is None or integration.get("integrationType") != "AWS_PROXY":
            return IntegrationResponse(
                json_message(500, "Internal Server Error"), problem="the route leads to no function"
            )
        make = payload_v2 if integration.get("payloadFormatVersion") == "2.0" else payload_v1
        event = make(replace(call, authorizer=allowed))
        seconds = float(integration.get("timeoutInMillis") or 30000) / 1000
        return await self._functions.call(integration["integrationUri"], _source(api, call), event, seconds)


def _arrival(scope: Scope) -> Arrival:
    now = time.time()
    return Arrival(
        request_of(scope),
        base64.b64encode(secrets.token_bytes(11)).decode(),
        now,
        f"HTTP/{scope.get('http_version', '1.1')}",
        (scope.get("client") or ("127.0.0.1", 0))[0],
        f"Root=1-{int(now):08x}-{secrets.token_hex(12)}",
    )


def _stage(api: HttpApi, address: Address) -> tuple[Stage | None, str]:
    """The stage of a request and the path below it."""
    if address.stage:
        return api.stages.get(address.stage), address.path
    first, _, rest = address.path.lstrip("/").partition("/")
    if first in api.stages and first != "$default":
        return api.stages[first], f"/{rest}"
    return api.stages.get("$default"), address.path


def _call(api: HttpApi, stage: Stage, path: str, arrival: Arrival) -> RoutedRequest | None:
    inner = decoded_path(path)
    found = choose_route(api.routes, arrival.request.method, inner)
    if found is None:
        return None
    whole = inner if stage.name == "$default" else f"/{stage.name}{inner}"
    return RoutedRequest(arrival, api.id, api.account, stage.name, whole, *found, stage.variables)


def _source(api: HttpApi, call: RoutedRequest) -> str:
    method = "*" if call.route.method == "ANY" else call.route.method
    where = call.route.path or f"/{call.route.key}"
    return f"arn:aws:execute-api:{api.region}:{api.account}:{api.id}/{call.stage}/{method}{where}"


def _too_large() -> Response:
    text = f"Request Entity Too Large: the limit is {LIMIT:,} bytes; put large files into the function's input bucket"
    return json_message(413, text)


class HttpApis:
    """The parts that belong together; `address` is the local cloud's own."""

    def __init__(
        self,
        layout: Layout,
        address: str,
        *,
        functions: Functions,
        invocations: Invocations,
        upstream: Upstream,
        logs: CloudLogSink,
    ) -> None:
        store = Store(layout.apis)
        integration = LambdaIntegration(functions, invocations, upstream)
        authorization = Authorization(IssuerKeys(layout.token_keys))
        self.control = ControlPlane(store, partial(url_of, address))
        self.endpoint = HttpEndpoint(store, authorization, integration, AccessLog(logs))
