"""Which route of an HTTP API a request takes.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

DEFAULT = "$default"
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
        return "ANY" if self.key == DEFAULT else self.key.partition(" ")[0]

    @cached_property
    def path(self) -> str:
        """Its path, with its variables."""
        return self.key.partition(" ")[2]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a request's path has to look like; each variable is a group."""
        literal = _VARIABLE.split(self.path)
        pieces = [
            re.escape(text) + ("" if name is None else "(.+)" if greedy else "([^/]+)")
            for text, name, greedy in zip(literal[::3], [*literal[1::3], None], [*literal[2::3], None], strict=True)
        ]
        return re.compile("".join(pieces), re.DOTALL)

    @property
    def rank(self) -> tuple[bool, int, bool]:
        """Full matches come before greedy ones, then the more words the better, then the method by name."""
        words = [word for word in self.path.strip("/").split("/") if not _VARIABLE.fullmatch(word)]
        return "+}" not in self.path, len(words), self.method != "ANY"

    def variables(self, path: str) -> Mapping[str, str] | None:
        """The path's variables; None where the path is another, but for a slash at its end.

        https://github.com/aws-powertools/powertools-lambda-python/issues/1552
        """
        found = self.pattern.fullmatch(path) or (self.pattern.fullmatch(path[:-1]) if path.endswith("/") else None)
        names = (name for name, _ in _VARIABLE.findall(self.path))
        return dict(zip(names, found.groups(), strict=True)) if found else None


def choose(routes: Iterable[Route], method: str, path: str) -> tuple[Route, Mapping[str, str]] | None:
    """The most particular route for a request and the path's variables; None where there is none."""
    default, best = None, None
    for route in routes:
        if route.key == DEFAULT:
            default = route, dict[str, str]()
        elif route.method in ("ANY", method) and (found := route.variables(path)) is not None:
            best = max(best or (route, found), (route, found), key=lambda each: each[0].rank)
    return best or default


def decoded_path(path: str) -> str:
    """The path as HTTP APIs hand it on: escapes are decoded, except that of the percent sign itself."""
    return _ESCAPED.sub(_decoded, path)


def _decoded(found: re.Match[str]) -> str:
    parts = re.split("(?i:%25)", found[0])
    return "%25".join(bytes.fromhex(part.replace("%", "")).decode("utf-8", "replace") for part in parts)
