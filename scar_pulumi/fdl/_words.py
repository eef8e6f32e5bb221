"""How values and paths are called in messages."""

import re

from scar_pulumi.fdl._nodes import ListNode, MapNode, Node

_KIND_WORDS = {
    "text": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true/false",
    "null": "nothing",
}
_SIMPLE_NAME = re.compile(r"[\w-]{1,80}")
_LONGEST_SHOWN = 60


def kind_word(node: Node) -> str:
    """What a node is: "a map", "text"."""
    if isinstance(node, MapNode):
        return "a map"
    return "a list" if isinstance(node, ListNode) else _KIND_WORDS[node.kind]


def shorten(text: str) -> str:
    """A text that fits into a message."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def quoted(text: str) -> str:
    """A text between quotes, short, with line ends and the like escaped."""
    return repr(shorten(text))


def quoted_path(text: str) -> str:
    """The path of a file between quotes; of a long one the end, as the name stands there."""
    return repr(text if len(text) <= _LONGEST_SHOWN else f"…{text[-_LONGEST_SHOWN:]}")


def join(path: str, name: str) -> str:
    """The path of a key in a map."""
    if not _SIMPLE_NAME.fullmatch(name):
        return f'{path}["{shorten(name)}"]'
    return f"{path}.{name}" if path else name
