"""What every event is read into: items, each with an input that lies in a storage or came with the event."""

import base64
import binascii
import json
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from supervisor.configuration import StoragePath


class Object(NamedTuple):
    """An input in a storage; `container` is its bucket or space, empty where the storage has none."""

    provider: str
    container: str
    key: str


class Data(NamedTuple):
    """An input that came with the event."""

    file_name: str
    content: bytes


class Item(NamedTuple):
    """One run of the user's program: its input, and the variables that the event sets."""

    source: Object | Data
    variables: Mapping[str, str]

    @property
    def name(self) -> str:
        """The input as messages name it."""
        if isinstance(self.source, Data):
            return self.source.file_name
        return f"{self.source.container}/{self.source.key}".lstrip("/")

    @property
    def is_folder(self) -> bool:
        """Whether this is the empty object by which consoles and tools show a folder."""
        return isinstance(self.source, Object) and (not self.source.key or self.source.key.endswith("/"))


Items = tuple[Item, ...]


class Reader(NamedTuple):
    """What a kind of event may need besides the event: the function's inputs, and how to read an event inside it."""

    inputs: tuple[StoragePath, ...]
    read: Callable[[Any], Items]


def data_items(event: Any, _reader: Reader) -> Items:
    """Return one item, whose input file holds the event."""
    return (data_item(content(event)),)


def data_item(data: bytes) -> Item:
    """Return the item whose input file holds these bytes."""
    return Item(Data(f"event-file-{_uuid()}", data), {})


def content(event: Any) -> bytes:
    """Return the bytes of an event's file: text that is base64 decoded, other text as it is, all else as JSON."""
    if not isinstance(event, str):
        return json.dumps(event).encode()
    if not event or _is_json(event):
        return as_bytes(event)
    decoded = from_base64(event)
    return as_bytes(event) if decoded is None else decoded


def from_base64(text: str) -> bytes | None:
    """Return what the text decodes to, or None where it is not base64."""
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def as_bytes(text: str) -> bytes:
    """Return the bytes that the text was decoded from."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # a lone surrogate, which JSON can spell and UTF-8 cannot
        return text.encode("utf-8", "replace")


def text(value: Any) -> str:
    """Return a name that an event gives, or an empty string for anything that is not text."""
    return value if isinstance(value, str) else ""


def bucket_and_key(named: Any) -> tuple[str, str] | None:
    """Return the bucket and the key of an object as S3 writes them in all its events; None where they are missing."""
    found = [named.get(part) for part in ("bucket", "object")] if isinstance(named, dict) else []
    bucket, stored = (part if isinstance(part, dict) else {} for part in found or (None, None))
    complete = text(bucket.get("name")) and isinstance(stored.get("key"), str)
    return (bucket["name"], stored["key"]) if complete else None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _uuid() -> str:
    # A random one as in RFC 9562, section 5.4; the module uuid would cost more than all the rest of the event.
    number = bytearray(os.urandom(16))
    number[6] = number[6] & 0x0F | 0x40
    number[8] = number[8] & 0x3F | 0x80
    digits = number.hex()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
