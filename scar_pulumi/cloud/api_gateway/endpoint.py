"""The HTTP APIs of the local cloud, as their clients see them.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api.html
"""

import base64
import secrets
import time
from dataclasses import replace

from scar_pulumi.cloud.api_gateway import cors
from scar_pulumi.cloud.api_gateway.access_log import AccessLog, variables
from scar_pulumi.cloud.api_gateway.addresses import Address, address_of
from scar_pulumi.cloud.api_gateway.answer import message
from scar_pulumi.cloud.api_gateway.authorization import Authorization
from scar_pulumi.cloud.api_gateway.configuration import Api, Apis, Stage
from scar_pulumi.cloud.api_gateway.event import Arrival, Call, payload
from scar_pulumi.cloud.api_gateway.first_event import first_payload
from scar_pulumi.cloud.api_gateway.integration import LambdaIntegration, Outcome
from scar_pulumi.cloud.api_gateway.routing import choose, decoded_path
from scar_pulumi.cloud.api_gateway.store import Store
from scar_pulumi.cloud.api_gateway.throttling import Throttle
from scar_pulumi.cloud.asgi import BodyTooLargeError, Receive, Response, Scope, Send, read_body, request_of
from scar_pulumi.cloud.asgi import send_response as respond

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
            return message(404, "Not Found")
        if api.cors and cors.is_preflight(arrival.request):
            return cors.preflight(api.cors, arrival.request)
        call, outcome = await self._outcome(api, stage, path, arrival, receive)
        response = cors.apply(api.cors, arrival.request, outcome.response)
        self._log.write(api, stage, arrival, variables(api, stage, arrival, call, replace(outcome, response=response)))
        return response

    async def _outcome(
        self, api: Api, stage: Stage, path: str, arrival: Arrival, receive: Receive
    ) -> tuple[Call | None, Outcome]:
        call = _call(api, stage, path, arrival)
        if call is None:
            return None, Outcome(message(404, "Not Found"))
        rate = stage.rates.get(call.route.key, stage.rates.get(""))
        if rate and not self._throttle.admits((api.id, stage.name, call.route.key), *rate):
            return call, Outcome(message(429, "Too Many Requests"))
        try:
            body = await read_body(receive, LIMIT)
        except BodyTooLargeError:
            return call, Outcome(_too_large())
        call = replace(call, arrival=replace(arrival, request=replace(arrival.request, body=body)))
        return call, await self._permitted(api, call)

    async def _permitted(self, api: Api, call: Call) -> Outcome:
        allowed = await self._authorization.check(api, call)
        if isinstance(allowed, Response):
            return Outcome(allowed)
        integration = api.integrations.get(call.route.integration)
        if integration is None or integration.get("integrationType") != "AWS_PROXY":
            return Outcome(message(500, "Internal Server Error"), problem="the route leads to no function")
        make = payload if integration.get("payloadFormatVersion") == "2.0" else first_payload
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


def _stage(api: Api, address: Address) -> tuple[Stage | None, str]:
    """The stage of a request and the path below it."""
    if address.stage:
        return api.stages.get(address.stage), address.path
    first, _, rest = address.path.lstrip("/").partition("/")
    if first in api.stages and first != "$default":
        return api.stages[first], f"/{rest}"
    return api.stages.get("$default"), address.path


def _call(api: Api, stage: Stage, path: str, arrival: Arrival) -> Call | None:
    inner = decoded_path(path)
    found = choose(api.routes, arrival.request.method, inner)
    if found is None:
        return None
    whole = inner if stage.name == "$default" else f"/{stage.name}{inner}"
    return Call(arrival, api.id, api.account, stage.name, whole, *found, stage.variables)


def _source(api: Api, call: Call) -> str:
    method = "*" if call.route.method == "ANY" else call.route.method
    where = call.route.path or f"/{call.route.key}"
    return f"arn:aws:execute-api:{api.region}:{api.account}:{api.id}/{call.stage}/{method}{where}"


def _too_large() -> Response:
    text = f"Request Entity Too Large: the limit is {LIMIT:,} bytes; put large files into the function's input bucket"
    return message(413, text)
