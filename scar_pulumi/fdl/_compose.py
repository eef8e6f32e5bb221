"""From YAML text to a positioned tree.

Works on the parser's events with a stack of its own, so depth, repeated anchors and size are limited before they cost
anything; PyYAML's composer recurses (its C twin without any limit) and keeps the last of duplicate keys.
"""

from dataclasses import dataclass, field
from typing import Any

import yaml

from scar_pulumi.fdl._nodes import Entry, ListNode, MapNode, Node, ScalarNode
from scar_pulumi.fdl._scalars import plain_kind, tagged_kind
from scar_pulumi.fdl._words import join
from scar_pulumi.fdl._yaml_errors import syntax_problem
from scar_pulumi.fdl.problems import Mark, Report

MOST_DEPTH = 64
# Values after anchors are expanded: a thousand large functions have a tenth of that.
MOST_VALUES = 250_000

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Stop(Exception):  # noqa: N818 - not an error: the problem is in the report already
    """The rest of the document cannot be read."""


@dataclass(slots=True)
class _Frame:
    """A list or map that is being filled."""

    node: ListNode | MapNode
    anchor: str | None
    started_at: int
    depth: int = 0
    key: Node | None = None
    merges: list[tuple[Mark, Node]] = field(default_factory=list)


@dataclass(slots=True)
class _Anchor:
    """A finished value that aliases may repeat, how many values it holds and how deep it is; None while unfinished."""

    node: Node | None
    size: int = 0
    depth: int = 0


def compose(text: str, file: str, report: Report) -> Node | None:
    """The document's root, or None if there is none or it cannot be read; problems go to the report."""
    composer = _Composer(file, report)
    try:
        parser = _Parser(text)
        try:
            while not isinstance(event := parser.get_event(), yaml.StreamEndEvent):
                composer.take(event)
        finally:
            parser.dispose()
    except _Stop:
        return None
    except yaml.YAMLError as error:
        syntax_problem(error, text, file, report)
        return None
    return composer.root


class _Composer:
    def __init__(self, file: str, report: Report) -> None:
        self.root: Node | None = None
        self._file = file
        self._report = report
        self._stack: list[_Frame] = []
        self._anchors: dict[str, _Anchor] = {}
        self._values = 0
        self._documents = 0

    def take(self, event: yaml.Event) -> None:
        handler = _HANDLERS.get(type(event))
        if handler is not None:
            handler(self, event)

    def document(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            hint = "put everything into one document, or into one file each"
            self._stop(self._mark(event), "a second YAML document begins here", hint)

    def scalar(self, event: Any) -> None:
        mark = self._mark(event)
        kind = plain_kind(event.value) if event.implicit[0] else "text"
        if event.tag is not None and event.tag != "!":
            kind = tagged_kind(event.tag) or self._unknown_tag(mark, event.tag)
        node = ScalarNode(mark, event.value, kind)
        self._count(mark, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(node, 1)
        if event.implicit[0] and event.value == "<<" and self._wants_key():
            self._stack[-1].key = _MERGE
        else:
            self._add(node, 0)

    def open_list(self, event: Any) -> None:
        self._open(event, ListNode(self._mark(event), []), "tag:yaml.org,2002:seq")

    def open_map(self, event: Any) -> None:
        self._open(event, MapNode(self._mark(event), {}), "tag:yaml.org,2002:map")

    def close(self, event: Any) -> None:  # noqa: ARG002 - one shape for all handlers
        frame = self._stack.pop()
        for mark, value in frame.merges:
            self._merge(frame.node, mark, value)
        if frame.anchor is not None:
            self._anchors[frame.anchor] = _Anchor(frame.node, self._values - frame.started_at, frame.depth)
        self._add(frame.node, frame.depth)

    def alias(self, event: Any) -> None:
        mark = self._mark(event)
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            self._stop(mark, f"there is no anchor '&{event.anchor}' before this alias")
        elif anchor.node is None:
            self._stop(mark, f"the alias '*{event.anchor}' stands inside of what it repeats")
        else:
            self._count(mark, anchor.size)
            self._limit_depth(mark, anchor.depth)
            self._add(anchor.node, anchor.depth)

    def _open(self, event: Any, node: ListNode | MapNode, own_tag: str) -> None:
        if event.tag is not None and event.tag not in ("!", own_tag):
            self._unknown_tag(node.mark, event.tag)
        self._stack.append(_Frame(node, event.anchor, self._values))
        self._limit_depth(node.mark, 0)
        self._count(node.mark, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = _Anchor(None)

    def _add(self, node: Node, depth: int) -> None:
        if not self._stack:
            self.root = node
            return
        frame = self._stack[-1]
        frame.depth = max(frame.depth, depth + 1)
        if isinstance(frame.node, ListNode):
            frame.node.items.append(node)
        elif frame.key is None:
            frame.key = node
        elif frame.key is _MERGE:
            frame.key = None
            frame.merges.append((node.mark, node))
        else:
            self._entry(frame.node, frame.key, node)
            frame.key = None

    def _entry(self, target: MapNode, key: Node, value: Node) -> None:
        if not isinstance(key, ScalarNode):
            self._report.error(key.mark, self._path(), "a list or a map cannot be a key", "quote the key if it is text")
        elif key.kind == "null":
            self._report.error(key.mark, self._path(), "a key is missing before ':'")
        elif key.text in target.entries:
            first = target.entries[key.text].mark
            message = f"the key '{key.text[:60]}' is given twice (first in line {first.line})"
            self._report.error(key.mark, self._path(), message, "remove one of them")
        else:
            target.entries[key.text] = Entry(key.mark, value)

    def _merge(self, target: ListNode | MapNode, mark: Mark, value: Node) -> None:
        sources = value.items if isinstance(value, ListNode) else [value]
        for source in sources:
            if not isinstance(source, MapNode) or not isinstance(target, MapNode):
                self._report.error(
                    mark, self._path(), "'<<' merges maps, and this is none", "give an alias of a map: <<: *name"
                )
                continue
            for key, entry in source.entries.items():
                target.entries.setdefault(key, entry)

    def _wants_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].node, MapNode) and self._stack[-1].key is None

    def _count(self, mark: Mark, values: int) -> None:
        self._values += values
        if self._values > MOST_VALUES:
            self._stop(mark, f"the document has more than {MOST_VALUES:,} values, anchors expanded")

    def _limit_depth(self, mark: Mark, below: int) -> None:
        if len(self._stack) + below > MOST_DEPTH:
            self._stop(mark, f"is nested deeper than {MOST_DEPTH} levels")

    def _unknown_tag(self, mark: Mark, tag: str) -> Any:
        shown = tag.replace("tag:yaml.org,2002:", "!!")
        self._report.error(mark, self._path(), f"the YAML tag '{shown[:60]}' has no meaning here", "remove it")
        return "text"

    def _stop(self, mark: Mark, message: str, hint: str | None = None) -> None:
        self._report.error(mark, self._path(), message, hint)
        raise _Stop

    def _path(self) -> str:
        path = ""
        for frame in self._stack:
            if isinstance(frame.node, ListNode):
                path = f"{path}[{len(frame.node.items)}]"
            elif isinstance(frame.key, ScalarNode) and frame.key is not _MERGE:
                path = join(path, frame.key.text)
        return path

    def _mark(self, event: Any) -> Mark:
        start = event.start_mark
        return Mark(self._file, start.line + 1, start.column + 1)


_MERGE = ScalarNode(Mark(""), "<<")
_HANDLERS: dict[type, Any] = {
    yaml.DocumentStartEvent: _Composer.document,
    yaml.ScalarEvent: _Composer.scalar,
    yaml.SequenceStartEvent: _Composer.open_list,
    yaml.MappingStartEvent: _Composer.open_map,
    yaml.SequenceEndEvent: _Composer.close,
    yaml.MappingEndEvent: _Composer.close,
    yaml.AliasEvent: _Composer.alias,
}
