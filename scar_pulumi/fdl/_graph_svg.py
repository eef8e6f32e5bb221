"""A graph as an SVG picture of its own: columns from left to right, in the order in which things happen."""

from html import escape

from scar_pulumi.fdl.graph import INSIDE, Edge, Graph, Node

_BOX = 34
_ROW = 58
_GAP = 90
_MARGIN = 20
# Wide enough for the widest letters of the font.
_LETTER = 7.6
_FILLS = {"place": "#eef4fb", "function": "#fff4e0", "endpoint": "#eaf7ea"}
_STROKES = {"place": "#3b73af", "function": "#b5741a", "endpoint": "#3c8a3c"}
_STYLE = "text{font:13px ui-monospace,monospace;fill:#222}.label{font-size:11px;fill:#666}path{fill:none;stroke:#888}"
_ARROW = (
    '<marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L10 5L0 10z" style="fill:#888"/></marker>'
)


def as_svg(graph: Graph) -> list[str]:
    """Lines of an SVG document."""
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
    return [head, f"<style>{_STYLE}</style><defs>{_ARROW}</defs>", *body, "</svg>"]


def _columns(graph: Graph) -> list[list[str]]:
    """Keys by column: each one further right than all that lead to it, except by closing a loop."""
    depth = dict.fromkeys(graph.nodes, 0)
    order = _order(graph)
    position = {key: number for number, key in enumerate(order)}
    for key in order:
        for edge in graph.after(key):
            if position[edge.target] > position[key]:
                depth[edge.target] = max(depth[edge.target], depth[key] + 1)
    columns: dict[int, list[str]] = {}
    for key in graph.nodes:
        columns.setdefault(depth[key], []).append(key)
    return [columns[column] for column in sorted(columns)]


def _order(graph: Graph) -> list[str]:
    """All keys, each before what it leads to, as far as there are no loops. Depth first, no recursion."""
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
        f'<g><title>{_text(title)}</title><rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{_BOX}" '
        f'rx="{radius}" fill="{_FILLS[node.shape]}" stroke="{_STROKES[node.shape]}"/>'
        f'<text x="{x + width / 2:.1f}" y="{y + 22:.1f}" text-anchor="middle">{_text(node.label)}</text></g>'
    )


def _edge(edge: Edge, places: dict[str, tuple[float, float, float]]) -> str:
    (x1, y1, width), (end, y2, _) = places[edge.source], places[edge.target]
    start, top, bottom = x1 + width, y1 + _BOX / 2, y2 + _BOX / 2
    middle = (start + end) / 2
    bends = (middle, top, middle, bottom)
    if end <= start:  # back to the left: around below
        low = max(y1, y2) + _ROW
        bends = (start + 50, low, end - 50, low)
    curve = "M{:.1f} {:.1f}C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}".format(start, top, *bends, end, bottom)
    dashed = ' stroke-dasharray="4 3"' if edge.label == INSIDE else ""
    arrow = f'<path d="{curve}" marker-end="url(#arrow)"{dashed}/>'
    if not edge.label:
        return arrow
    at = f'x="{middle:.1f}" y="{(top + bottom) / 2 - 5:.1f}"'
    return f'{arrow}<text class="label" {at} text-anchor="middle">{_text(edge.label)}</text>'


def _text(text: str) -> str:
    return escape(text)
