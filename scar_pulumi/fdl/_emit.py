"""Writing a positioned tree as YAML, with comments before lines and behind them."""

import re
from collections.abc import Iterator

from scar_pulumi.fdl._nodes import ListNode, MapNode, Node, ScalarNode
from scar_pulumi.fdl._scalars import plain_kind
from scar_pulumi.fdl.problems import Mark

# What is text without quotes wherever it stands; everything else gets some.
_PLAIN = re.compile(r"[\w./$][\w./:@+ $%=-]*")
_PLAIN_IS_ELSE = re.compile(r":(?: |$)| #| $")
# YAML 1.1's words, which other readers of the file take for true and false.
_WORDS = frozenset(("y", "n", "yes", "no", "on", "off", "true", "false", "null"))


class Comments:
    """Comments of one's own; the plain class has none."""

    def before(self, mark: Mark, path: str) -> list[str]:  # noqa: ARG002 - for those who have some
        """Comments on lines of their own before the value at a position and path."""
        return []

    def behind(self, mark: Mark, path: str) -> str:  # noqa: ARG002 - likewise
        """A comment behind the value, or ""."""
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
    """The lines of a YAML document."""
    writer = _Writer(comments or Comments())
    writer.map(node, "", "")
    return writer.lines


def scalar(node: ScalarNode) -> str:
    """A single value as YAML on one line."""
    if node.kind != "text":
        return node.text or "null"
    text = node.text
    is_plain = _PLAIN.fullmatch(text) and not _PLAIN_IS_ELSE.search(text) and text.isascii()
    if is_plain and plain_kind(text) == "text" and text.lower() not in _WORDS and text != "<<":
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
