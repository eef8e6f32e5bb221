"""What triggers what in a file: places in storage, functions and services, as text, Mermaid or SVG."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import Literal

from scar_pulumi.fdl.model import Fdl, Function, MapReduce, OscarService, StoragePath

Shape = Literal["place", "function", "endpoint"]
INSIDE = "inside of"


@dataclass(frozen=True)
class Node:
    """A place, a function or service, or an HTTP endpoint.

    Attributes:
        key: What makes it the same as another.
        label: Its name in the graph.
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
        """Return the edges that leave a node."""
        return self._after.get(key, [])

    @cached_property
    def _after(self) -> dict[str, list[Edge]]:
        found: dict[str, list[Edge]] = {}
        for edge in self.edges:
            found.setdefault(edge.source, []).append(edge)
        return found


def graph_of(fdl: Fdl) -> Graph:
    """Return the graph of a file."""
    builder = _Builder(frozenset((*(service.cluster for service in fdl.oscar), *fdl.clusters)))
    for function in fdl.functions:
        builder.function(function)
    for mapreduce in fdl.mapreduces:
        builder.mapreduce(mapreduce)
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

    def mapreduce(self, mapreduce: MapReduce) -> None:
        engine = "mapreduce" if mapreduce.engine == "lambda" else f"mapreduce, {mapreduce.engine}"
        key = self._add(Node(f"function {mapreduce.name}", f"{mapreduce.name} ({engine})", "function", "AWS"))
        self._links(key, mapreduce.input, mapreduce.output, None)

    def service(self, service: OscarService) -> None:
        node = Node(f"service {service.cluster} {service.name}", service.name, "function", service.cluster)
        self._links(self._add(node), service.input, service.output, service.cluster)

    def containment(self) -> None:
        """Add edges from folders to what contains them: their files are in it as well."""
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
    """Return lines of trees that begin at nodes which nothing leads to; a node shown before is only named."""
    lines: list[str] = []
    shown: set[str] = set()
    targets = {edge.target for edge in graph.edges}
    # Roots first; a loop has no root, so a node that is left over begins a tree of its own.
    for key in sorted(graph.nodes, key=lambda key: key in targets):
        if key not in shown:
            _tree(graph, key, shown, lines)
    return lines


def _tree(graph: Graph, root: str, shown: set[str], lines: list[str]) -> None:
    # A stack instead of recursion: a chain may be longer than Python's limit.
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
    """Return lines of a Mermaid flowchart."""
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


_BOX = 34
_ROW = 58
_GAP = 90
_MARGIN = 20
# Wide enough for the widest letters of the font.
_LETTER = 7.6
_FILLS = {"place": "#eef4fb", "function": "#fff4e0", "endpoint": "#eaf7ea"}
_STROKES = {"place": "#3b73af", "function": "#b5741a", "endpoint": "#3c8a3c"}
_CSS = "text{font:13px ui-monospace,monospace;fill:#222}.label{font-size:11px;fill:#666}path{fill:none;stroke:#888}"
_ARROW = (
    '<marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L10 5L0 10z" style="fill:#888"/></marker>'
)


def as_svg(graph: Graph) -> list[str]:
    """Return lines of an SVG document."""
    columns = _columns(graph)
    places: dict[str, tuple[float, float, float]] = {}
    x = float(_MARGIN)
    for keys in columns:
        width = max(_width(graph.nodes[key]) for key in keys)
        for row, key in enumerate(keys):
            places[key] = (x, _MARGIN + row * _ROW, width)
        x += width + _GAP
    rows = max((len(keys) for keys in columns), default=1)
    width, height = max(x - _GAP, _MARGIN) + _MARGIN, 2 * _MARGIN + rows * _ROW - (_ROW - _BOX)
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    body = [_edge(edge, places) for edge in graph.edges] + [_box(graph.nodes[key], *at) for key, at in places.items()]
    return [head, f"<style>{_CSS}</style><defs>{_ARROW}</defs>", *body, "</svg>"]


def _columns(graph: Graph) -> list[list[str]]:
    """Return keys by column: each to the right of all that lead to it, except where a loop closes."""
    depth = dict.fromkeys(graph.nodes, 0)
    order = _topological_order(graph)
    position = {key: number for number, key in enumerate(order)}
    for key in order:
        for edge in graph.after(key):
            if position[edge.target] > position[key]:
                depth[edge.target] = max(depth[edge.target], depth[key] + 1)
    columns: dict[int, list[str]] = {}
    for key in graph.nodes:
        columns.setdefault(depth[key], []).append(key)
    return [columns[column] for column in sorted(columns)]


def _topological_order(graph: Graph) -> list[str]:
    """Return all keys, each before those that it leads to, except in loops. Depth first, without recursion."""
    finished: dict[str, None] = {}
    entered: set[str] = set()
    for root in graph.nodes:
        waiting = [root]
        while waiting:
            key = waiting[-1]
            below = [] if key in entered else [edge.target for edge in graph.after(key) if edge.target not in entered]
            entered.add(key)
            if below:
                waiting += below
            else:
                finished.setdefault(waiting.pop())
    return list(reversed(finished))


def _width(node: Node) -> float:
    return len(node.label) * _LETTER + 24


def _box(node: Node, x: float, y: float, width: float) -> str:
    radius = 4 if node.shape == "function" else _BOX / 2
    title = f"{node.label} on {node.group}" if node.group else node.label
    return (
        f'<g><title>{_xml(title)}</title><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BOX}" '
        f'rx="{radius}" fill="{_FILLS[node.shape]}" stroke="{_STROKES[node.shape]}"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + 22:.1f}" text-anchor="middle">{_xml(node.label)}</text></g>'
    )


def _edge(edge: Edge, places: dict[str, tuple[float, float, float]]) -> str:
    (x1, y1, width), (end, y2, _) = places[edge.source], places[edge.target]
    start, top, bottom = x1 + width, y1 + _BOX / 2, y2 + _BOX / 2
    middle = (start + end) / 2
    bends = (middle, top, middle, bottom)
    if end <= start:  # backwards: a curve below the boxes
        low = max(y1, y2) + _ROW
        bends = (start + 50, low, end - 50, low)
    curve = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(start, top, *bends, end, bottom)
    dashed = ' stroke-dasharray="4 3"' if edge.label == INSIDE else ""
    arrow = f'<path d="{curve}" marker-end="url(#arrow)"{dashed}/>'
    if not edge.label:
        return arrow
    at = f'x="{middle:.1f}" y="{(top + bottom) / 2 - 5:.1f}"'
    return f'{arrow}<text class="label" {at} text-anchor="middle">{_xml(edge.label)}</text>'


def _xml(text: str) -> str:
    return escape(text)
