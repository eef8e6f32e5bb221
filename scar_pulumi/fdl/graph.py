"""What triggers what in a file: places in storage, functions and services, as text, Mermaid or SVG."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from scar_pulumi.fdl.model import Fdl, Function, OscarService, StoragePath

Shape = Literal["place", "function", "endpoint"]
INSIDE = "inside of"


@dataclass(frozen=True)
class Node:
    """A place, a function or service, or an HTTP endpoint.

    Attributes:
        key: What makes it the same as another.
        label: How it is called.
        shape: What it is.
        group: "AWS", or the cluster it runs on; None for places.
    """

    key: str
    label: str
    shape: Shape
    group: str | None = None


@dataclass(frozen=True)
class Edge:
    """Files or events that go from one node to another."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Graph:
    """Nodes by key, and the edges between them, both in the order of the file."""

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]

    def after(self, key: str) -> list[Edge]:
        """The edges that leave a node."""
        return self._after.get(key, [])

    @cached_property
    def _after(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found


def graph_of(fdl: Fdl) -> Graph:
    """The graph of a file."""
    builder = _Builder(frozenset((*(service.cluster for service in fdl.oscar), *fdl.clusters)))
    for function in fdl.functions:
        builder.function(function)
    for service in fdl.oscar:
        builder.service(service)
    builder.containment()
    return Graph(builder.nodes, tuple(dict.fromkeys(builder.edges)))


class _Builder:
    def __init__(self, clusters: frozenset[str]) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self._clusters = clusters
        self._watched: dict[str, None] = {}
        self._written: dict[str, None] = {}

    def function(self, function: Function) -> None:
        mode = "" if function.execution_mode == "lambda" else f" ({function.execution_mode})"
        key = self._add(Node(f"function {function.name}", f"{function.name}{mode}", "function", "AWS"))
        if (api := function.api_gateway) is not None:
            source = self._add(Node(f"endpoint {api.name}", f"{api.http_method} {api.name}", "endpoint"))
            self.edges.append(Edge(source, key))
        self._links(key, function.input, function.output, None)

    def service(self, service: OscarService) -> None:
        node = Node(f"service {service.cluster} {service.name}", service.name, "function", service.cluster)
        self._links(self._add(node), service.input, service.output, service.cluster)

    def containment(self) -> None:
        """Files in a folder are files in what contains it, too."""
        for written in self._written:
            parts = written.split("/")
            for depth in range(1, len(parts)):
                above = "/".join(parts[:depth])
                if above in self._watched:
                    self.edges.append(Edge(written, above, INSIDE))

    def _links(
        self, key: str, inputs: Iterable[StoragePath], outputs: Iterable[StoragePath], cluster: str | None
    ) -> None:
        for place in inputs:
            source = self._place(place, cluster)
            self._watched[source] = None
            self.edges.append(Edge(source, key, _filter(place)))
        for place in outputs:
            target = self._place(place, cluster)
            self._written[target] = None
            self.edges.append(Edge(key, target, _filter(place)))

    def _place(self, place: StoragePath, cluster: str | None) -> str:
        store = self._store(place, cluster)
        return self._add(Node(f"{store}:{place}", f"{store}: {place}", "place"))

    def _store(self, place: StoragePath, cluster: str | None) -> str:
        if place.provider == "s3":
            return "s3"
        if place.provider == "minio":
            own = cluster if cluster and place.provider_id == "default" else None
            return f"minio@{own or place.provider_id}" if own or place.provider_id in self._clusters else _named(place)
        return _named(place)

    def _add(self, node: Node) -> str:
        self.nodes.setdefault(node.key, node)
        return node.key


def _named(place: StoragePath) -> str:
    return f"{place.provider}.{place.provider_id}"


def _filter(place: StoragePath) -> str:
    starts, ends = place.prefix or ("",), place.suffix or ("",)
    shown = [f"{start}*{end}" for start in starts for end in ends if start or end]
    return ", ".join(shown[:3]) + ("…" if len(shown) > 3 else "")


def as_text(graph: Graph) -> list[str]:
    """Lines of trees that begin at what nothing leads to; what was shown before is only named again."""
    lines: list[str] = []
    shown: set[str] = set()
    targets = {edge.target for edge in graph.edges}
    # Roots first; in a loop nothing is a root, so whatever is left over begins a tree of its own.
    for key in sorted(graph.nodes, key=lambda key: key in targets):
        if key not in shown:
            _tree(graph, key, shown, lines)
    return lines


def _tree(graph: Graph, root: str, shown: set[str], lines: list[str]) -> None:
    # A stack of one's own: a chain may be longer than Python's.
    waiting: list[tuple[Edge | None, str, str, str]] = [(None, root, "", "")]
    while waiting:
        edge, key, start, indent = waiting.pop()
        node = graph.nodes[key]
        label = f"[{node.label}]" if node.shape == "function" else node.label
        where = f" on {node.group}" if node.group not in (None, "AWS") else ""
        note = f"  ({edge.label})" if edge and edge.label else ""
        again = key in shown
        after = graph.after(key)
        lines.append(f"{start}{label}{where}{note}{'  ↑' if again and after else ''}")
        shown.add(key)
        if again:
            continue
        for index, one in reversed(list(enumerate(after))):
            last = index == len(after) - 1
            branch, line = ("└─ ", "   ") if last else ("├─ ", "│  ")
            waiting.append((one, one.target, indent + branch, indent + line))


def as_mermaid(graph: Graph) -> list[str]:
    """Lines of a Mermaid flowchart."""
    ids = {key: f"n{number}" for number, key in enumerate(graph.nodes)}
    shapes = {"place": ("[(", ")]"), "function": ("[", "]"), "endpoint": ("([", "])")}
    lines = ["flowchart LR"]
    groups = list(dict.fromkeys(node.group for node in graph.nodes.values()))
    for number, group in enumerate(groups):
        indent = "  " if group is None else "    "
        if group is not None:
            lines.append(f"  subgraph g{number}[{_quoted(group)}]")
        for key, node in graph.nodes.items():
            if node.group == group:
                opening, closing = shapes[node.shape]
                lines.append(f"{indent}{ids[key]}{opening}{_quoted(node.label)}{closing}")
        if group is not None:
            lines.append("  end")
    for edge in graph.edges:
        label = f"|{_quoted(edge.label)}|" if edge.label else ""
        arrow = "-.->" if edge.label == INSIDE else "-->"
        lines.append(f"  {ids[edge.source]} {arrow}{label} {ids[edge.target]}")
    return lines


def _quoted(text: str) -> str:
    # https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters
    return '"' + "".join(c if c.isalnum() or c in " ./_-@:*,()…" else f"#{ord(c)};" for c in text) + '"'
