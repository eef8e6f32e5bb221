"""A YAML document as a tree in which every value knows where it stands, read by YAML 1.2's core schema.

YAML 1.1, which PyYAML resolves by, makes `no`, `12:30` and `2024-01-01` something other than text, and 0512 is 330.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from scar_pulumi.fdl.problems import Mark

ScalarKind = Literal["text", "integer", "number", "boolean", "null"]
_KIND_WORDS = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true/false",
    "null": "empty",
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
        """Return the value below these keys, or None."""
        node: Node | None = self
        for key in path:
            entry = node.entries.get(key) if isinstance(node, MapNode) else None
            node = entry.value if entry else None
        return node


Node = ScalarNode | ListNode | MapNode


def plain(node: Node) -> Any:
    """Return a node as YAML 1.2 reads it: dicts, lists, text, numbers, booleans, None."""
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
    """Return whether a value is written as nothing, `null` or `~`."""
    return isinstance(node, ScalarNode) and node.kind == "null"


def kind_word(node: Node) -> str:
    """Return what a node is: "a map", "text"."""
    if isinstance(node, MapNode):
        return "a map"
    return "a list" if isinstance(node, ListNode) else _KIND_WORDS[node.kind]


_TAG = "tag:yaml.org,2002:"
_KIND_OF_TAG: dict[str, ScalarKind] = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "null": "null",
    "timestamp": "text",
}
_KIND_OF_WORD: dict[str, ScalarKind] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "null"),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "boolean"),
    **dict.fromkeys((".inf", ".Inf", ".INF", "-.inf", "+.inf", ".nan", ".NaN", ".NAN"), "number"),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FIRST_OF_NUMBER = frozenset("0123456789+-.")


def plain_kind(text: str) -> ScalarKind:
    """Return the kind of an unquoted scalar without a tag."""
    if (kind := _KIND_OF_WORD.get(text)) is not None:
        return kind
    if text[0] not in _FIRST_OF_NUMBER:
        return "text"
    if _INTEGER.fullmatch(text):
        return "integer"
    return "number" if _NUMBER.fullmatch(text) else "text"


def tagged_kind(tag: str) -> ScalarKind | None:
    """Return the kind that an explicit tag asks for; None for a tag that has no meaning in FDL."""
    return _KIND_OF_TAG.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None


def merge(below: Node, above: Node) -> Node:
    """Return a tree with everything of both; where both have a value, `above` wins. Neither is changed."""
    if not isinstance(below, MapNode) or not isinstance(above, MapNode):
        return above
    entries = dict(below.entries)
    for name, entry in above.entries.items():
        lower = entries.get(name)
        entries[name] = Entry(entry.mark, merge(lower.value, entry.value)) if lower else entry
    return MapNode(above.mark, entries)


def merge_at(root: Node, path: tuple[str, ...], above: Node) -> Node:
    """Return the tree with `above` laid over the value at `path`; maps are made where there are none."""
    if not path:
        return merge(root, above)
    if not isinstance(root, MapNode):
        return merge_at(MapNode(above.mark, {}), path, above)
    name, entry = path[0], root.entries.get(path[0])
    below = entry.value if entry else MapNode(above.mark, {})
    mark = entry.mark if entry and len(path) > 1 else above.mark
    return MapNode(root.mark, {**root.entries, name: Entry(mark, merge_at(below, path[1:], above))})


def typed_node(value: Any, mark: Mark) -> Node:
    """Return a Python value as a tree; every part of it stands at the same place."""
    if isinstance(value, Mapping):
        return MapNode(mark, {str(name): Entry(mark, typed_node(one, mark)) for name, one in value.items()})
    if isinstance(value, list | tuple):
        return ListNode(mark, [typed_node(one, mark) for one in value])
    if value is None:
        return ScalarNode(mark, "", "null")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return ScalarNode(mark, text, "text" if isinstance(value, str) else plain_kind(text))
