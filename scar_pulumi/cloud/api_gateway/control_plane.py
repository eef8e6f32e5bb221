"""API Gateway's API for HTTP APIs and their domain names; everything else of it is MiniStack's.

https://docs.aws.amazon.com/apigatewayv2/latest/api-reference/api-reference.html
"""

import json
import secrets
import string
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from scar_foundation.limits import HTTP_API_AUDIENCES, HTTP_API_MEMBERS, HTTP_API_SCOPES, HTTP_API_TIMEOUT
from scar_pulumi.cloud.api_gateway.store import ApiStore, Document, Entry
from scar_pulumi.cloud.asgi import ASGIApp, Request, Response, json_response, replaying
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller


@dataclass(frozen=True)
class _Kind:
    """Documents of one kind: the name of their id, their defaults, and the property that must be unique."""

    id: str
    defaults: Document = field(default_factory=dict)
    unique: str = ""


_API: Document = {
    "routeSelectionExpression": "$request.method $request.path",
    "apiKeySelectionExpression": "$request.header.x-api-key",
    "disableExecuteApiEndpoint": False,
    "ipAddressType": "ipv4",
    "tags": {},
}
_DOMAIN: Document = {"domainNameConfigurations": [], "routingMode": "API_MAPPING_ONLY", "tags": {}}
_KINDS = {
    "apimappings": _Kind("apiMappingId", {"apiMappingKey": ""}, "apiMappingKey"),
    "authorizers": _Kind("authorizerId", {}, "name"),
    "deployments": _Kind("deploymentId", {"deploymentStatus": "DEPLOYED", "autoDeployed": False}),
    "integrations": _Kind(
        "integrationId",
        {"connectionType": "INTERNET", "payloadFormatVersion": "1.0", "timeoutInMillis": HTTP_API_TIMEOUT * 1000},
    ),
    "routes": _Kind("routeId", {"authorizationType": "NONE", "apiKeyRequired": False}, "routeKey"),
    "stages": _Kind(
        "stageName",
        {"autoDeploy": False, "defaultRouteSettings": {"detailedMetricsEnabled": False}, "routeSettings": {}}
        | {"stageVariables": {}, "tags": {}},
        "stageName",
    ),
}


class ControlPlane(Service):
    """Serves what is signed for `apigateway`; `endpoint` gives the address of an API by its id."""

    name = "apigateway"

    def __init__(self, upstream: Upstream, store: ApiStore, endpoint: Callable[[str], str]) -> None:
        self._upstream = upstream
        self._store = store
        self._endpoint = endpoint

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for API Gateway."""
        return request.service == "apigateway"

    async def __call__(self, incoming: ServiceRequest) -> ASGIApp:
        """Answer one request, or let MiniStack answer it; a change is on the disk when its answer leaves."""
        request = await incoming.read()
        answer = self._answer(incoming.caller or Caller(), request)
        if answer is not None and request.method != "GET":
            await self._store.flushed()
        return answer or replaying(self._upstream, request.body)

    def _answer(self, caller: Caller, request: Request) -> Response | None:
        """Return None where the request is not about an HTTP API."""
        steps = [unquote(step) for step in request.path.strip("/").split("/")]
        if steps[0] != "v2":
            return None
        query = parse_qs(request.query)
        match steps[1:]:
            case ["apis"]:
                return self._apis(caller, request)
            case ["domainnames"]:
                return self._domains(caller, request)
            case ["tags", *arn]:
                return self._tags(caller, request, "/".join(arn), query)
            case [("apis" | "domainnames") as family, key, *rest]:
                return self._parts(caller, request, family, key, rest)
        return None

    def _apis(self, caller: Caller, request: Request) -> Response | None:
        if request.method == "GET":
            found = [entry.document for entry in self._store.apis.values() if entry.belongs_to(caller)]
            return _document(200, {"items": [self._addressed(document) for document in found]})
        document = _body(request)
        if document.get("protocolType") != "HTTP":
            return None
        key = new_id()
        given = {**_API, **document, "apiId": key, "createdDate": _now()}
        return self._created(self._store.apis, key, Entry(caller.account, caller.region, given))

    def _addressed(self, document: Document) -> Document:
        """Add the address of an API, which changes with the port of the local cloud."""
        key = document.get("apiId")
        is_api = key in self._store.apis and self._store.apis[key].document is document
        return {**document, "apiEndpoint": self._endpoint(str(key))} if is_api else document

    def _domains(self, caller: Caller, request: Request) -> Response:
        if request.method == "GET":
            found = [entry.document for entry in self._store.domains.values() if entry.belongs_to(caller)]
            return _document(200, {"items": found})
        document = _body(request)
        name = str(document["domainName"])
        if name in self._store.domains:
            raise ServiceError(409, "ConflictException", "The domain name you provided already exists.")
        target = f"d-{new_id()}.execute-api.{caller.region}.amazonaws.com"
        document = {**_DOMAIN, **document, "domainNameArn": domain_arn(caller.region, name)}
        for configuration in document["domainNameConfigurations"]:
            configuration |= {"apiGatewayDomainName": target, "hostedZoneId": "Z1UJRXOUMOOFQ8"}
            configuration |= {"domainNameStatus": "AVAILABLE"}
        return self._created(self._store.domains, name, Entry(caller.account, caller.region, document))

    def _created(self, entries: dict[str, Entry], key: str, entry: Entry) -> Response:
        entries[key] = entry
        self._store.save()
        return _document(201, self._addressed(entry.document))

    def _parts(self, caller: Caller, request: Request, family: str, key: str, rest: list[str]) -> Response | None:
        entries = self._store.apis if family == "apis" else self._store.domains
        entry = entries.get(key)
        if entry is None or not entry.belongs_to(caller):
            return None  # one that MiniStack holds, such as a web socket's, or none at all
        if not rest:
            return self._one(request, entries, key)
        if rest == ["cors"] and request.method == "DELETE":
            entry.document.pop("corsConfiguration", None)
            return self._saved(204)
        kind, *member = rest
        return self._of_kind(request, entry, kind, "/".join(member)) if kind in _KINDS else None

    def _of_kind(self, request: Request, entry: Entry, kind: str, member: str) -> Response:
        if not member:
            return self._members(request, entry, kind)
        if member not in entry.of(kind):
            raise ServiceError(404, "NotFoundException", f"Unable to find {kind[:-1]} with id {member}")
        return self._one(request, entry.of(kind), member)

    def _members(self, request: Request, entry: Entry, kind: str) -> Response:
        rule, members = _KINDS[kind], entry.of(kind)
        if request.method == "GET":
            return _document(200, {"items": list(members.values())})
        document = {**rule.defaults, **_body(request)}
        _check_quotas(document)
        if len(members) >= HTTP_API_MEMBERS.get(kind, len(members) + 1):
            message = f"Maximum number of {kind} for an API is {HTTP_API_MEMBERS[kind]}"
            raise ServiceError(429, "TooManyRequestsException", message)
        name = document.get(rule.unique)
        if rule.unique and any(other.get(rule.unique) == name for other in members.values()):
            message = f"{kind[:-1].title()} with {rule.unique} {name} already exists"
            raise ServiceError(409, "ConflictException", message)
        key = str(document.get(rule.id) or new_id())
        dated = {"createdDate": _now()} if kind == "stages" else {}
        members[key] = {**document, rule.id: key, **dated}
        self._store.save()
        return _document(201, members[key])

    def _one(self, request: Request, holders: dict[str, Any], key: str) -> Response:
        held = holders[key]
        document: Document = held.document if isinstance(held, Entry) else held
        if request.method == "GET":
            return _document(200, self._addressed(document))
        if request.method == "DELETE":
            del holders[key]
            return self._saved(204)
        changes = _body(request)
        _check_quotas(changes)
        document |= changes
        return self._saved(200, self._addressed(document))

    def _tags(self, caller: Caller, request: Request, arn: str, query: dict[str, list[str]]) -> Response | None:
        document = self._tagged(caller, arn)
        if document is None:
            return None
        tags = document.setdefault("tags", {})
        if request.method == "GET":
            return _document(200, {"tags": tags})
        if request.method == "DELETE":
            for key in query.get("tagKeys", ()):
                tags.pop(key, None)
            return self._saved(204)
        tags |= _body(request)["tags"]
        return self._saved(201, {})

    def _tagged(self, caller: Caller, arn: str) -> Document | None:
        for key, entry in self._store.apis.items():
            whole = api_arn(caller.region, key)
            if entry.belongs_to(caller) and arn.startswith(whole):
                return entry.document if arn == whole else entry.of("stages").get(arn.rpartition("/")[2])
        domain = self._store.domains.get(arn.rpartition("/")[2])
        return domain.document if domain and arn.endswith(f"/domainnames/{arn.rpartition('/')[2]}") else None

    def _saved(self, status: int, document: Document | None = None) -> Response:
        self._store.save()
        return _document(status, document)


def _check_quotas(document: Document) -> None:
    """Raise ServiceError for an authorizer or a route that has too much."""
    audiences = (document.get("jwtConfiguration") or {}).get("audience") or ()
    scopes = document.get("authorizationScopes") or ()
    for name, found, most in (("audience", audiences, HTTP_API_AUDIENCES), ("scopes", scopes, HTTP_API_SCOPES)):
        if len(found) > most:
            raise ServiceError(400, "BadRequestException", f"{name}: {len(found)} are too many; the most is {most}")


def _body(request: Request) -> Document:
    document = json.loads(request.body or b"{}")
    return document if isinstance(document, dict) else {}


def _document(status: int, document: Any) -> Response:
    return Response(status_code=status) if document is None else json_response(document, status)


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


_LETTERS = string.ascii_lowercase + string.digits


def new_id() -> str:
    """Return a new id, in the letters that API Gateway uses."""
    return "".join(secrets.choice(_LETTERS) for _ in range(10))


def api_arn(region: str, api: str) -> str:
    """Return the ARN of an API."""
    return f"arn:aws:apigateway:{region}::/apis/{api}"


def domain_arn(region: str, name: str) -> str:
    """Return the ARN of a domain."""
    return f"arn:aws:apigateway:{region}::/domainnames/{name}"
