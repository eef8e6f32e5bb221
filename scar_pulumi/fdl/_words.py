"""How values and paths are called in messages."""

import re

_SIMPLE_NAME = re.compile(r"[\w-]{1,80}")
_LONGEST_SHOWN = 60


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
