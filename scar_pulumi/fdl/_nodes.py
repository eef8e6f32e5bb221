"""A YAML document as a tree in which every value knows where it stands."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from scar_pulumi.fdl.problems import Mark

ScalarKind = Literal["text", "integer", "number", "boolean", "null"]
_KIND_WORDS = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true/false",
    "null": "nothing",
}


@dataclass(slots=True)
class ScalarNode:
    """A single value.

    Attributes:
        text: Exactly as written, quotes and escapes resolved.
        kind: What YAML 1.2 takes it for.
        typed: False for values given as bare text, such as --set key=value, which fit any kind they can be read as.
    """

    mark: Mark
    text: str
    kind: ScalarKind = "text"
    typed: bool = True


@dataclass(slots=True)
class ListNode:
    """A list."""

    mark: Mark
    items: "list[Node]"


class Entry(NamedTuple):
    """A key's position and its value."""

    mark: Mark
    value: "Node"


@dataclass(slots=True)
class MapNode:
    """A map; keys are text, in the order of the file."""

    mark: Mark
    entries: dict[str, Entry]

    def get(self, *path: str) -> "Node | None":
        """The value below these keys, or None."""
        node: Node | None = self
        for key in path:
            entry = node.entries.get(key) if isinstance(node, MapNode) else None
            node = entry.value if entry else None
        return node


Node = ScalarNode | ListNode | MapNode


def plain(node: Node) -> Any:
    """A node as YAML 1.2 reads it: dicts, lists, text, numbers, booleans, None."""
    if isinstance(node, MapNode):
        return {name: plain(entry.value) for name, entry in node.entries.items()}
    if isinstance(node, ListNode):
        return [plain(item) for item in node.items]
    if node.kind == "boolean":
        return node.text.lower() == "true"
    if node.kind == "integer" and node.text.lstrip("+-").isdecimal():
        return int(node.text[:400])
    if node.kind == "number":
        return float(node.text.replace(".inf", "inf").replace(".nan", "nan"))
    return None if node.kind == "null" else node.text


def is_null(node: Node) -> bool:
    """Whether a value is written as nothing, `null` or `~`."""
    return isinstance(node, ScalarNode) and node.kind == "null"


def kind_word(node: Node) -> str:
    """What a node is: "a map", "text"."""
    if isinstance(node, MapNode):
        return "a map"
    return "a list" if isinstance(node, ListNode) else _KIND_WORDS[node.kind]
