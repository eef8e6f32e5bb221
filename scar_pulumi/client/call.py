"""What a function is called with: the user's words on the command line, as data."""

import json
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from scar_foundation.errors import InputError

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
_NONE = object()


@dataclass(frozen=True)
class Body:
    """The content of a call; JSON is the event itself, anything else becomes the function's input file."""

    content: bytes
    content_type: str

    @property
    def is_json(self) -> bool:
        """Whether the function gets it as it stands."""
        return self.content_type == JSON

    @property
    def is_text(self) -> bool:
        """Whether a gateway hands it on without making base64 of it."""
        return self.is_json or self.content_type.startswith("text/")


@dataclass(frozen=True)
class Call:
    """A call; `later` is one that nobody waits for. Parameters may have several values."""

    body: Body | None = None
    parameters: tuple[tuple[str, str], ...] = ()
    later: bool = False


def text_body(text: str) -> Body:
    """Make a body of text: JSON is recognised."""
    return Body(text.encode(), TEXT if _parsed(text) is _NONE else JSON)


def json_body(text: str) -> Body:
    """Make a body of JSON.

    Raises:
        InputError: It is none.
    """
    try:
        json.loads(text)
    except ValueError as error:
        raise InputError(f"--json-data: is not JSON ({error}); --data takes any text") from None
    return Body(text.encode(), JSON)


def mixed_body(content: bytes, name: str = "") -> Body:
    """Make a body of a file's content: a JSON object or list is the event, anything else the input file."""
    return Body(content, JSON) if isinstance(_parsed(content), dict | list) else binary_body(content, name)


def binary_body(content: bytes, name: str = "") -> Body:
    """Make a body of a file's content, byte for byte: what a gateway would take for text is not named so."""
    guessed = mimetypes.guess_type(name)[0] or BINARY
    textual = guessed.startswith("text/") or guessed.endswith(("json", "xml", "javascript"))
    return Body(content, BINARY if textual else guessed)


def read_file(file: Path) -> bytes:
    """Read what a body is made of.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None


def read_parameters(given: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Read query parameters: JSON objects, as SCAR takes them, or `name=value`, several of them joined by `&`.

    Raises:
        InputError: One is neither.
    """
    return tuple(pair for text in given for pair in _parameters(text))


def _parameters(text: str) -> Iterable[tuple[str, str]]:
    if isinstance(document := _parsed(text), dict):
        for name, value in document.items():
            yield from ((name, _value(one)) for one in (value if isinstance(value, list) else [value]))
        return
    if "=" not in text:
        raise InputError(
            f"""--parameters: {text}: is neither a JSON object nor name=value; write '{{"size": "160"}}'"""
        )
    yield from parse_qsl(text, keep_blank_values=True)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _parsed(text: str | bytes) -> Any:
    """The document, or `_NONE` where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return _NONE
