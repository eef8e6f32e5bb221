"""Laying one positioned tree over another: maps join, everything else, lists included, is replaced."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.fdl._nodes import Entry, ListNode, MapNode, Node, ScalarNode
from scar_pulumi.fdl._scalars import plain_kind
from scar_pulumi.fdl.problems import Mark


def merge(below: Node, above: Node) -> Node:
    """A tree with everything of both; where both say something, `above` counts. Neither is changed."""
    if not isinstance(below, MapNode) or not isinstance(above, MapNode):
        return above
    entries = dict(below.entries)
    for name, entry in above.entries.items():
        lower = entries.get(name)
        entries[name] = Entry(entry.mark, merge(lower.value, entry.value)) if lower else entry
    return MapNode(above.mark, entries)


def merge_at(root: Node, path: tuple[str, ...], above: Node) -> Node:
    """The tree with `above` laid over what is at `path`, maps made where there are none; positions of the rest stay."""
    if not path:
        return merge(root, above)
    if not isinstance(root, MapNode):
        return merge_at(MapNode(above.mark, {}), path, above)
    name, entry = path[0], root.entries.get(path[0])
    below = entry.value if entry else MapNode(above.mark, {})
    mark = entry.mark if entry and len(path) > 1 else above.mark
    return MapNode(root.mark, {**root.entries, name: Entry(mark, merge_at(below, path[1:], above))})


def typed_node(value: Any, mark: Mark) -> Node:
    """A Python value as a tree; every part of it stands at the same place."""
    if isinstance(value, Mapping):
        return MapNode(mark, {str(name): Entry(mark, typed_node(one, mark)) for name, one in value.items()})
    if isinstance(value, list | tuple):
        return ListNode(mark, [typed_node(one, mark) for one in value])
    if value is None:
        return ScalarNode(mark, "", "null")
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return ScalarNode(mark, text, "text" if isinstance(value, str) else plain_kind(text))
