"""HTTP APIs as their requests meet them: stages, routes, and which route a request takes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from scar_pulumi.cloud.api_gateway.store import ApiStore, Document, Entry

DEFAULT_ROUTE = "$default"
_VARIABLE = re.compile(r"\{([^}+]+)(\+?)\}")
_ESCAPED = re.compile(r"(?:%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True)
class Route:
    """One route: its key, where it leads, and who may take it."""

    key: str
    integration: str
    authorization: str = "NONE"
    authorizer: str = ""
    scopes: tuple[str, ...] = ()

    @cached_property
    def method(self) -> str:
        """The method that it answers; "ANY" also for the default route."""
        return "ANY" if self.key == DEFAULT_ROUTE else self.key.partition(" ")[0]

    @cached_property
    def path(self) -> str:
        """Its path, with its variables."""
        return self.key.partition(" ")[2]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of a request's path; each variable is a group."""
        literal = _VARIABLE.split(self.path)
        pieces = [
            re.escape(text) + ("" if name is None else "(.+)" if greedy else "([^/]+)")
            for text, name, greedy in zip(literal[::3], [*literal[1::3], None], [*literal[2::3], None], strict=True)
        ]
        return re.compile("".join(pieces), re.DOTALL)

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """What makes a route specific: no greedy variable, then more words, then a method of its own."""
        words = [word for word in self.path.strip("/").split("/") if not _VARIABLE.fullmatch(word)]
        return "+}" not in self.path, len(words), self.method != "ANY"

    def variables(self, path: str) -> Mapping[str, str] | None:
        """Return the path's variables; None where the path is not the route's. A slash at its end does not matter.

        https://github.com/aws-powertools/powertools-lambda-python/issues/1552
        """
        found = self.pattern.fullmatch(path) or (self.pattern.fullmatch(path[:-1]) if path.endswith("/") else None)
        names = (name for name, _ in _VARIABLE.findall(self.path))
        return dict(zip(names, found.groups(), strict=True)) if found else None


def choose_route(routes: Iterable[Route], method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """Return the most specific route for a request and the path's variables; None where there is none."""
    default, best = None, None
    for route in routes:
        if route.key == DEFAULT_ROUTE:
            default = route, dict[str, str]()
        elif route.method in ("ANY", method) and (found := route.variables(path)) is not None:
            best = max(best or (route, found), (route, found), key=lambda each: each[0].rank)
    return best or default


def decoded_path(path: str) -> str:
    """Return the path as HTTP APIs hand it on: escapes are decoded, except that of the percent sign itself."""
    return _ESCAPED.sub(_decoded, path)


def _decoded(found: re.Match[str]) -> str:
    parts = re.split("(?i:%25)", found[0])
    return "%25".join(bytes.fromhex(part.replace("%", "")).decode("utf-8", "replace") for part in parts)


@dataclass(frozen=True)
class Stage:
    """A stage of an API; `rates` are calls per second and their burst, by route key, "" for all others."""

    name: str
    variables: Mapping[str, str]
    rates: Mapping[str, tuple[float, int]]
    log_group: str = ""
    log_format: str = ""


@dataclass(frozen=True)
class HttpApi:
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

    def __init__(self, store: ApiStore) -> None:
        self._store = store
        self._version = -1
        self._known: dict[str, HttpApi] = {}

    def find(self, key: str) -> HttpApi | None:
        """Return the API with an id, or None."""
        if self._version != self._store.version:
            self._known = {}
            self._version = self._store.version
        if key not in self._known and (entry := self._store.apis.get(key)):
            self._known[key] = _api(key, entry)
        return self._known.get(key)


def _api(key: str, entry: Entry) -> HttpApi:
    return HttpApi(
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
