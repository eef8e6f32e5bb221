"""What the user gives to `invoke`, as the event that a function gets."""

import base64
import json
from pathlib import Path

from scar_pulumi.errors import InputError


def event_from_text(text: str) -> bytes:
    """Make an event of text: JSON as it stands, anything else as the content of the function's input file."""
    try:
        json.loads(text)
    except ValueError:
        return _content(text.encode())
    return text.encode()


def event_from_bytes(content: bytes) -> bytes:
    """Make an event of a file: a JSON object or list as it stands, anything else as the content of the input file."""
    try:
        if isinstance(json.loads(content), dict | list):
            return content
    except ValueError:  # not JSON, or not text at all
        pass
    return _content(content)


def event_from_file(file: Path) -> bytes:
    """Make an event of a file, as `event_from_bytes` does.

    Raises:
        InputError: The file cannot be read.
    """
    try:
        return event_from_bytes(file.read_bytes())
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from None


def _content(content: bytes) -> bytes:
    """Wrap bytes as a JSON string of base64, which the supervisor unpacks into the input file."""
    return json.dumps(base64.b64encode(content).decode()).encode()
