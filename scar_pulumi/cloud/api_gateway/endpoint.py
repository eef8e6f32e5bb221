"""The HTTP APIs of the local cloud, as their clients see them: addresses, throttling, and each request's way.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import base64
import re
import secrets
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace

from scar_foundation.limits import HTTP_API_PAYLOAD_BYTES, HTTP_API_TIMEOUT
from scar_pulumi.cloud.api_gateway import cors
from scar_pulumi.cloud.api_gateway.access_log import AccessLog, variables
from scar_pulumi.cloud.api_gateway.apis import Apis, HttpApi, Stage, choose_route, decoded_path
from scar_pulumi.cloud.api_gateway.authorization import Authorization
from scar_pulumi.cloud.api_gateway.lambda_integration import (
    IntegrationError,
    IntegrationResponse,
    LambdaIntegration,
    json_message,
)
from scar_pulumi.cloud.api_gateway.payload_formats import Arrival, RoutedRequest, payload_v1, payload_v2
from scar_pulumi.cloud.api_gateway.store import ApiStore
from scar_pulumi.cloud.asgi import BodyTooLargeError, Request, Response, request_of
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest

_PATH = re.compile(r"/_aws/execute-api/(?P<api>[a-z0-9]+)(?P<path>/.*)?", re.DOTALL)
_HOST = re.compile(r"(?P<api>[a-z0-9]+)\.execute-api\..+")


@dataclass(frozen=True)
class Address:
    """The API that a request names, and the path within it, percent-encoded. A domain also names the stage."""

    api: str
    path: str
    stage: str = ""


def url_of(endpoint: str, api: str) -> str:
    """Return the address of an API without its stage: one that every client resolves."""
    return f"{endpoint}/_aws/execute-api/{api}"


def address_of(request: ServiceRequest, store: ApiStore) -> Address | None:
    """Return where a request goes; None when it is for none of these HTTP APIs."""
    path = request.raw_path
    if found := _PATH.fullmatch(path):
        return _known(store, found["api"], found["path"] or "/")
    host = request.header("host").rpartition(":")[0] or request.header("host")
    if found := _HOST.fullmatch(host):
        return _known(store, found["api"], path)
    for start, api, stage in sorted(store.mapped(host), reverse=True):
        below = f"/{start}" if start else ""
        if path == below or path.startswith(f"{below}/"):
            return Address(api, path.removeprefix(below) or "/", stage)
    return None


def _known(store: ApiStore, api: str, path: str) -> Address | None:
    return Address(api, path) if api in store.apis else None


class Throttle:
    """Limits how many calls a route takes: a bucket of tokens that fills at the rate and holds the burst.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-throttling.html
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def admits(self, key: Hashable, rate: float, burst: int) -> bool:
        """Return whether one more call may pass now; `rate` is calls per second."""
        now = self._clock()
        tokens, since = self._buckets.get(key, (float(burst), now))
        tokens = min(float(burst), tokens + (now - since) * rate)
        admitted = tokens >= 1
        self._buckets[key] = (tokens - admitted, now)
        return admitted


class HttpEndpoint(Service):
    """Serves every request to an HTTP API."""

    name = "execute-api"
    refusal = staticmethod(json_message)

    def __init__(
        self, store: ApiStore, authorization: Authorization, functions: LambdaIntegration, log: AccessLog
    ) -> None:
        self._store = store
        self._apis = Apis(store)
        self._authorization = authorization
        self._functions = functions
        self._log = log
        self._throttle = Throttle()

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request names an HTTP API, by its path or its host."""
        return address_of(request, self._store) is not None

    def welcomes(self, request: ServiceRequest, origin: str) -> bool:
        """Return whether the API lets web pages of an origin ask."""
        address = address_of(request, self._store)
        api = self._apis.find(address.api) if address else None
        return api is not None and cors.allows(api.cors, origin)

    async def __call__(self, request: ServiceRequest) -> Response:
        """Answer one request."""
        arrival = _arrival(request)
        try:
            response = await self._answer(request, arrival)
        except ServiceError as error:
            response = json_message(error)
        response.headers["apigw-requestid"] = arrival.id
        if request.method == "HEAD":
            response.body = b""
        return response

    async def _answer(self, request: ServiceRequest, arrival: Arrival) -> Response:
        address = address_of(request, self._store)
        api = self._apis.find(address.api) if address else None
        if address is None or api is None or (api.closed and not address.stage):
            raise _not_found()
        stage, path = _stage(api, address)
        if api.cors and cors.is_preflight(arrival.request):
            return cors.preflight(api.cors, arrival.request)
        call = _call(api, stage, path, arrival)
        try:
            outcome = await self._outcome(api, stage, call, request)
        except ServiceError as error:
            outcome = _refused(error)
        response = cors.apply(api.cors, arrival.request, outcome.response)
        self._log.write(api, stage, arrival, variables(api, stage, arrival, call, replace(outcome, response=response)))
        return response

    async def _outcome(
        self, api: HttpApi, stage: Stage, call: RoutedRequest | None, request: ServiceRequest
    ) -> IntegrationResponse:
        if call is None:
            raise _not_found()
        rate = stage.rates.get(call.route.key, stage.rates.get(""))
        if rate and not self._throttle.admits((api.id, stage.name, call.route.key), *rate):
            raise ServiceError(429, "TooManyRequestsException", "Too Many Requests")
        call = replace(call, arrival=replace(call.arrival, request=await _read(request)))
        return await self._integrate(api, replace(call, authorizer=await self._authorization.check(api, call)))

    async def _integrate(self, api: HttpApi, call: RoutedRequest) -> IntegrationResponse:
        integration = api.integrations.get(call.route.integration)
        if integration is None or integration.get("integrationType") != "AWS_PROXY":
            raise IntegrationError(500, "Internal Server Error", problem="the route leads to no function")
        payload = payload_v2 if integration.get("payloadFormatVersion") == "2.0" else payload_v1
        seconds = float(integration.get("timeoutInMillis") or HTTP_API_TIMEOUT * 1000) / 1000
        return await self._functions.call(integration["integrationUri"], _source(api, call), payload(call), seconds)


async def _read(request: ServiceRequest) -> Request:
    try:
        return await request.read(HTTP_API_PAYLOAD_BYTES)
    except BodyTooLargeError:
        text = f"Request Entity Too Large: the limit is {HTTP_API_PAYLOAD_BYTES:,} bytes"
        text += "; put large files into the function's input bucket"
        raise ServiceError(413, "RequestEntityTooLargeException", text) from None


def _arrival(request: ServiceRequest) -> Arrival:
    now = time.time()
    return Arrival(
        request_of(request.scope),
        base64.b64encode(secrets.token_bytes(11)).decode(),
        now,
        f"HTTP/{request.scope.get('http_version', '1.1')}",
        request.client.host if request.client else "127.0.0.1",
        f"Root=1-{int(now):08x}-{secrets.token_hex(12)}",
    )


def _stage(api: HttpApi, address: Address) -> tuple[Stage, str]:
    """Return the stage of a request and the path below it; raise ServiceError when there is no such stage."""
    first, _, rest = address.path.lstrip("/").partition("/")
    name, path = address.stage or "$default", address.path
    if not address.stage and first in api.stages and first != "$default":
        name, path = first, f"/{rest}"
    if name not in api.stages:
        raise _not_found()
    return api.stages[name], path


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


def _not_found() -> ServiceError:
    return ServiceError(404, "NotFoundException", "Not Found")


def _refused(error: ServiceError) -> IntegrationResponse:
    if isinstance(error, IntegrationError):
        return IntegrationResponse(json_message(error), error.request_id, error.problem)
    return IntegrationResponse(json_message(error))
