"""Values given beside the file, as `--set lambda.memory=1024` or in a stack's configuration.

`lambda.memory` (and `iam.…`, `cloudwatch.…`) means every function, `functions.<name>.lambda.memory` one of them,
`oscar.memory` every service on a cluster, `storage_providers.…` and `clusters.…` the credentials. They are checked like
the file, and problems name the override as their place.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal, NamedTuple

from scar_pulumi.fdl._compose import compose
from scar_pulumi.fdl._kinds import Items, Kind, Section, Table
from scar_pulumi.fdl._merge import typed_node
from scar_pulumi.fdl._nodes import Entry, ListNode, MapNode, Node, ScalarNode
from scar_pulumi.fdl._scalars import plain_kind
from scar_pulumi.fdl._suggest import closest
from scar_pulumi.fdl._words import quoted
from scar_pulumi.fdl.problems import Mark, Report
from scar_pulumi.fdl.tables import AWS_FUNCTION, DOCUMENT, SERVICE

_OF_DOCUMENT = ("storage_providers", "clusters")


class Override(NamedTuple):
    """One value and where it goes.

    Attributes:
        function: Name of the function it is for; None for all.
        path: Keys below the function, the service, or the document's root.
        of: Which of these.
    """

    function: str | None
    path: tuple[str, ...]
    node: Node
    of: Literal["function", "service", "document"]


def read_overrides(
    overrides: Mapping[str, Any], source: str, report: Report, services: Collection[str] = ()
) -> list[Override]:
    """The overrides as positioned trees; what cannot be understood goes to the report.

    `services` are names of services on OSCAR clusters, whose settings are others than a function's.
    """
    read = (_read(key, value, source, report, services) for key, value in _flat(overrides))
    return [override for override in read if override is not None]


def _flat(overrides: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in overrides.items():
        # {"lambda": {"memory": 512}} says the same as "lambda.memory", and each value gets a place of its own.
        if isinstance(value, Mapping) and value:
            yield from ((f"{key}.{below}", one) for below, one in _flat(value))
        else:
            yield str(key), value


def _read(key: str, value: Any, source: str, report: Report, services: Collection[str]) -> Override | None:
    mark = Mark(f"{source} {key}={_shown(key, value)}")
    function, parts = _split(key)
    of: Literal["function", "service", "document"] = "function"
    if function is None and parts[0] in _OF_DOCUMENT:
        of = "document"
    elif function in services or (function is None and parts[0] == "oscar" and len(parts) > 1):
        of, parts = "service", parts if function else parts[1:]
    root = {"function": AWS_FUNCTION, "service": SERVICE, "document": DOCUMENT}[of]
    if parts[0] not in root.keys or not all(parts):
        match = closest(parts[0], (*root.keys, "functions", *_OF_DOCUMENT))
        usual = "write it like lambda.memory or functions.<name>.lambda.memory"
        report.error(mark, "", f"{quoted(key)} names no setting", _meant(match) if match != parts[0] else usual)
        return None
    path, kind = _target(root, parts)
    collection = isinstance(kind, Items | Table | Section)
    node = _parsed(value, mark, report) if isinstance(value, str) and collection else _node(value, mark)
    return Override(function, path, node, of) if node is not None else None


def _meant(match: str | None) -> str | None:
    return f"did you mean '{match}'?" if match else None


def _split(key: str) -> tuple[str | None, tuple[str, ...]]:
    parts = tuple(key.split("."))
    if parts[0] == "functions" and len(parts) > 2:
        return parts[1], parts[2:]
    return None, parts


def _target(kind: Kind | None, parts: tuple[str, ...]) -> tuple[tuple[str, ...], Kind | None]:
    """The keys of a dotted path and what belongs there, None if unknown.

    In a map of single values the rest is one key, because tags may have dots.
    """
    if not parts or kind is None:
        return parts, kind
    if isinstance(kind, Table) and not isinstance(kind.of, Section):
        return (".".join(parts),), kind.of
    below = kind.of if isinstance(kind, Table) else None
    if isinstance(kind, Section) and parts[0] in kind.keys:
        below = kind.keys[parts[0]].kind
    rest, target = _target(below, parts[1:])
    return (parts[0], *rest), target


def _shown(key: str, value: Any) -> str:
    """The value as typed, unless it may be a secret: positions are printed."""
    words = key.split(".")
    if {*_OF_DOCUMENT, "environment", "auth_password", "headers"} & set(words):
        return "…"
    return str(value) if len(str(value)) <= 40 else f"{str(value)[:40]}…"


def _parsed(text: str, mark: Mark, report: Report) -> Node | None:
    """Text where a list or map belongs: YAML in brackets or braces."""
    if text[:1] not in ("[", "{"):
        return _node(text, mark)
    own = Report()
    node = compose(text, mark.file, own)
    for problem in own.problems():
        report.error(mark, "", problem.message, problem.hint)
    return None if node is None or own.failed else _placed(node, mark)


def _node(value: Any, mark: Mark) -> Node:
    if isinstance(value, str):
        return ScalarNode(mark, value, plain_kind(value) if value else "text", typed=False)
    return typed_node(value, mark)


def _placed(node: Node, mark: Mark) -> Node:
    if isinstance(node, ScalarNode):
        return ScalarNode(mark, node.text, node.kind, typed=False)
    if isinstance(node, ListNode):
        return ListNode(mark, [_placed(item, mark) for item in node.items])
    return MapNode(mark, {name: Entry(mark, _placed(entry.value, mark)) for name, entry in node.entries.items()})
