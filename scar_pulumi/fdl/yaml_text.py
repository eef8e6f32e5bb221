"""YAML files: read as trees with positions, and written from them.

Reading works on the parser's events with a stack of its own, so depth, repeated anchors and size are limited before
they cost anything. PyYAML's composer recurses (its C twin without any limit) and keeps the last of duplicate keys.
"""

import codecs
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from scar_pulumi.fdl.problems import Mark, Report, join
from scar_pulumi.fdl.tree import Entry, ListNode, MapNode, Node, ScalarNode, is_null, plain_kind, tagged_kind

# A thousand functions with full environments; more is a mistake, and reading /dev/zero must end.
MOST_BYTES = 8 * 1024 * 1024

# https://yaml.org/spec/1.2.2/#51-character-set; tabs and line ends are allowed here, \x7f is not text to anyone.
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_text(path: Path, file: str, report: Report) -> str | None:
    """Read a file's text without its byte order mark; return None after a problem was reported."""
    data = _read_bytes(path, file, report)
    text = None if data is None else _decode(data, file, report)
    if text is None or not (bad := _UNPRINTABLE.search(text)):
        return text
    report.error(
        _mark_after(file, text[: bad.start()]),
        "",
        f"contains the control character U+{ord(bad[0]):04X}",
        "an FDL file is YAML text; is this a binary file?",
    )
    return None


def _read_bytes(path: Path, file: str, report: Report) -> bytes | None:
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "is a directory" if stat.S_ISDIR(mode) else "is not a regular file"
            report.error(Mark(file), "", what, "name the FDL file itself")
            return None
        with path.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
    except FileNotFoundError:
        report.error(Mark(file), "", "no such file", "check the path; it is relative to the current directory")
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        report.error(Mark(file), "", f"cannot be read: {reason}")
        return None
    if len(data) > MOST_BYTES:
        report.error(Mark(file), "", f"is larger than {MOST_BYTES // 1024 // 1024} MB", "split it into several stacks")
        return None
    return data


def _decode(data: bytes, file: str, report: Report) -> str | None:
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(encoding, errors="replace")
        report.error(
            _mark_after(file, before),
            "",
            f"byte 0x{data[error.start]:02x} is not {encoding.removesuffix('-sig').upper()} text",
            "save the file as UTF-8",
        )
        return None


def _mark_after(file: str, before: str) -> Mark:
    return Mark(file, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1)


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
    """Return the document's root, or None if there is none or it cannot be read; problems go to the report."""
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
            hint = "put everything into one document, or each into its own file"
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
            self._stop(mark, f"the alias '*{event.anchor}' stands inside the value that it repeats")
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
                    mark, self._path(), "'<<' merges maps, and this is not a map", "give an alias of a map: <<: *name"
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


def without_scalars(text: str) -> str:
    """Return YAML with every letter of its values as an x, so that what looks like a comment is one."""
    letters = list(text)
    for token in yaml.scan(text, Loader=yaml.SafeLoader):
        if isinstance(token, yaml.ScalarToken):
            start, end = token.start_mark.index, token.end_mark.index
            if token.style in ("|", ">"):  # a comment may follow the sign
                start = text.find("\n", start, end) % (end + 1)
            letters[start:end] = re.sub(r"\S", "x", text[start:end])
    return "".join(letters)


def read_tree(path: Path, report: Report) -> MapNode | None:
    """Read a file of either format; return None after a problem was reported."""
    file = str(path)
    text = read_text(path, file, report)
    if text is None:
        return None
    root = compose(text, file, report)
    if root is None and report.failed:
        return None
    if root is None or is_null(root):
        report.error(Mark(file, 1, 1), "", "the file is empty", "start it with 'functions:'")
    elif not isinstance(root, MapNode):
        report.error(root.mark, "", "the file is not a map of keys", "start it with 'functions:'")
    else:
        return root
    return None


class _Explanation(NamedTuple):
    pattern: str
    message: str
    hint: str | None = None
    # Whether to point at the start of what is unfinished; the parser notices it later, often at the end of the file.
    at_start: bool = False


# libyaml and PyYAML word some of them differently; the first match counts.
_EXPLANATIONS = (
    _Explanation(
        "mapping values are not allowed",
        "a ':' is not expected here",
        "is the line above indented differently, or does a value that contains ': ' need quotes?",
    ),
    _Explanation(
        "could not find expected ':'|simple key.*':'",
        "a ':' is missing after this key",
        "write 'key: value'; does a text of several lines need '|'?",
    ),
    _Explanation(
        "did not find expected key|expected <block end>",
        "this line is indented like none above it",
        "check the indentation",
    ),
    _Explanation(
        "did not find expected '-' indicator", "this line is indented like none above it", "check the indentation"
    ),
    _Explanation(
        r"did not find expected ',' or '\]'|expected ',' or '\]'",
        "a ',' or ']' is missing",
        "write lists in brackets like [a, b]",
        at_start=True,
    ),
    _Explanation(
        r"did not find expected ',' or '\}'|expected ',' or '\}'",
        "a ',' or '}' is missing",
        "write maps in braces like {a: 1, b: 2}",
        at_start=True,
    ),
    _Explanation("unexpected end of stream", "a quoted text is not closed", "add the closing quote", at_start=True),
    _Explanation("unknown escape character|escape", "this '\\' starts no known escape", "use single quotes, or '\\\\'"),
    _Explanation(
        "cannot start any token",
        "this character cannot start a value",
        "quote the value: '@', '`', '%' and others are reserved in YAML",
    ),
    _Explanation("tag", "this YAML tag cannot be read", "quote the value if it starts with '!'"),
    _Explanation("anchor|alias", "this anchor or alias cannot be read", "quote the value if it starts with '&' or '*'"),
)


def syntax_problem(error: yaml.YAMLError, text: str, file: str, report: Report) -> None:
    """Report what the parser raised at the line and column it means."""
    said = str(getattr(error, "problem", None) or getattr(error, "context", None) or error)
    words = next((words for words in _EXPLANATIONS if re.search(words.pattern, said)), _Explanation("", said))
    marks = [getattr(error, "problem_mark", None), getattr(error, "context_mark", None)]
    mark = next((mark for mark in (reversed(marks) if words.at_start else marks) if mark is not None), None)
    where = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    if _tab_at(text, where):
        report.error(where, "", "is not valid YAML: a tab stands in the indentation", "indent with spaces")
        return
    report.error(where, "", f"is not valid YAML: {words.message}", words.hint)


def _tab_at(text: str, where: Mark) -> bool:
    lines = text.split("\n")
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    return "\t" in indentation and where.column <= len(indentation) + 1


# Text that needs no quotes anywhere; all other text gets them.
_PLAIN = re.compile(r"[\w./$][\w./:@+ $%=-]*")
_PLAIN_IS_ELSE = re.compile(r":(?: |$)| #| $")
# YAML 1.1's words, which other readers of the file take for true and false.
_WORDS_OF_YAML_1_1 = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


class Comments:
    """Comments to write beside values; this class has none."""

    def before(self, mark: Mark, path: str) -> list[str]:  # noqa: ARG002 - for those who have some
        """Return comments for the lines before the value at a position and path."""
        return []

    def behind(self, mark: Mark, path: str) -> str:  # noqa: ARG002 - likewise
        """Return a comment behind the value, or ""."""
        return ""


class _Writer:
    def __init__(self, comments: Comments) -> None:
        self.lines: list[str] = []
        self._comments = comments

    def map(self, node: MapNode, indent: str, path: str, first: str | None = None) -> None:
        for name, (mark, value) in node.entries.items():
            below = f"{path}.{name}" if path else name
            self._entry(mark, f"{first or indent}{scalar(ScalarNode(mark, name))}:", value, indent, below)
            first = None

    def list(self, node: ListNode, indent: str, path: str) -> None:
        for index, item in enumerate(node.items):
            below = f"{path}[{index}]"
            if isinstance(item, MapNode) and item.entries:
                self._before(item.mark, indent, below)
                self.map(item, f"{indent}  ", below, f"{indent}- ")
            else:
                self._entry(item.mark, f"{indent}-", item, indent, below)

    def _entry(self, mark: Mark, start: str, value: Node, indent: str, path: str) -> None:
        self._before(mark, indent, path)
        if isinstance(value, MapNode) and value.entries:
            self._line(start, mark, path)
            self.map(value, f"{indent}  ", path)
        elif isinstance(value, ListNode) and value.items:
            self._line(start, mark, path)
            self.list(value, indent, path)
        else:
            shown = "[]" if isinstance(value, ListNode) else "{}" if isinstance(value, MapNode) else scalar(value)
            self._line(f"{start} {shown}".rstrip(), value.mark, path)

    def _before(self, mark: Mark, indent: str, path: str) -> None:
        self.lines += [f"{indent}{comment}" for comment in self._comments.before(mark, path)]

    def _line(self, text: str, mark: Mark, path: str) -> None:
        comment = self._comments.behind(mark, path)
        self.lines.append(f"{text}  {comment}" if comment else text)


def emit(node: MapNode, comments: Comments | None = None) -> list[str]:
    """Return the lines of a YAML document."""
    writer = _Writer(comments or Comments())
    writer.map(node, "", "")
    return writer.lines


def scalar(node: ScalarNode) -> str:
    """Return a single value as YAML on one line."""
    if node.kind != "text":
        return node.text or "null"
    text = node.text
    is_plain = _PLAIN.fullmatch(text) and not _PLAIN_IS_ELSE.search(text) and text.isascii()
    if is_plain and plain_kind(text) == "text" and text.lower() not in _WORDS_OF_YAML_1_1 and text != "<<":
        return text
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(_escaped(text)) + '"'


def _escaped(text: str) -> Iterator[str]:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
    for character in text:
        if character in short:
            yield short[character]
        elif character.isprintable():
            yield character
        else:
            code = ord(character)
            yield f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
