"""Any other event: it is itself the input, saved as a file."""

import base64
import binascii
import json
import os
from typing import Any

from supervisor.events.model import Data, Item, Items, Surroundings


def items(event: Any, _around: Surroundings) -> Items:
    """One item, whose input file holds the event."""
    return (item(content(event)),)


def item(data: bytes) -> Item:
    """The item whose input file holds these bytes."""
    return Item(Data(f"event-file-{_uuid()}", data), {})


def content(event: Any) -> bytes:
    """The bytes of the file: text that is JSON or base64 for what it is, other text as it stands, all else as JSON."""
    if not isinstance(event, str):
        return json.dumps(event).encode()
    if not event or _is_json(event):
        return as_bytes(event)
    decoded = from_base64(event)
    return as_bytes(event) if decoded is None else decoded


def from_base64(text: str) -> bytes | None:
    """What the text spells in base64; None where it does not."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def as_bytes(text: str) -> bytes:
    """The text's own bytes, whatever they were before they became text."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half a character, which JSON can spell and UTF-8 cannot
        return text.encode("utf-8", "replace")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _uuid() -> str:
    # A random one by RFC 9562, section 5.4; the module uuid would cost more than all the rest of the event.
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    digits = number.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
