"""An API as its requests meet it, read from its documents once per change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scar_pulumi.cloud.api_gateway.routing import Route
from scar_pulumi.cloud.api_gateway.store import Document, Entry, Store


@dataclass(frozen=True)
class Stage:
    """A stage of an API; `rates` are calls per second and their burst, by route key, "" for all others."""

    name: str
    variables: Mapping[str, str]
    rates: Mapping[str, tuple[float, int]]
    log_group: str = ""
    log_format: str = ""


@dataclass(frozen=True)
class Api:
    """Everything that answering a request needs to know."""

    id: str
    account: str
    region: str
    routes: tuple[Route, ...]
    stages: Mapping[str, Stage]
    integrations: Mapping[str, Document]
    authorizers: Mapping[str, Document]
    cors: Document
    closed: bool = False


class Apis:
    """Finds APIs by their ids."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._known: dict[str, Api] = {}

    def find(self, key: str) -> Api | None:
        """The API with an id, or None."""
        if self._version != self._store.version:
            self._known = {}
            self._version = self._store.version
        if key not in self._known and (entry := self._store.apis.get(key)):
            self._known[key] = _api(key, entry)
        return self._known.get(key)


def _api(key: str, entry: Entry) -> Api:
    return Api(
        key,
        entry.account,
        entry.region,
        tuple(_route(document) for document in entry.of("routes").values()),
        {name: _stage(name, document) for name, document in entry.of("stages").items()},
        dict(entry.of("integrations")),
        dict(entry.of("authorizers")),
        entry.document.get("corsConfiguration") or {},
        bool(entry.document.get("disableExecuteApiEndpoint")),
    )


def _route(document: Document) -> Route:
    return Route(
        document["routeKey"],
        str(document.get("target", "")).removeprefix("integrations/"),
        document.get("authorizationType") or "NONE",
        document.get("authorizerId") or "",
        tuple(document.get("authorizationScopes") or ()),
    )


def _stage(name: str, document: Document) -> Stage:
    logs = document.get("accessLogSettings") or {}
    settings = {"": document.get("defaultRouteSettings") or {}, **(document.get("routeSettings") or {})}
    return Stage(
        name,
        document.get("stageVariables") or {},
        {route: rate for route, its in settings.items() if (rate := _rate(its))},
        str(logs.get("destinationArn", "")).partition(":log-group:")[2].removesuffix(":*"),
        logs.get("format", ""),
    )


def _rate(settings: Mapping[str, Any]) -> tuple[float, int] | None:
    rate, burst = settings.get("throttlingRateLimit"), settings.get("throttlingBurstLimit")
    given = [value for value in (rate, burst) if value is not None]
    return (float(given[0]), int(given[-1])) if given else None
