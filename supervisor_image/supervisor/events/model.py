"""What every kind of event is read into."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from supervisor.configuration import StoragePath


class Object(NamedTuple):
    """An input that lies in a storage; `container` is its bucket or space, empty where the storage has none."""

    provider: str
    container: str
    key: str


class Data(NamedTuple):
    """An input that came with the event."""

    file_name: str
    content: bytes


class Item(NamedTuple):
    """One run of the user's program: on what, and with which variables of the event."""

    source: Object | Data
    variables: Mapping[str, str]

    @property
    def name(self) -> str:
        """The input as people know it."""
        if isinstance(self.source, Data):
            return self.source.file_name
        return f"{self.source.container}/{self.source.key}".lstrip("/")

    @property
    def is_folder(self) -> bool:
        """Whether this is the empty object by which consoles and tools show a folder."""
        return isinstance(self.source, Object) and (not self.source.key or self.source.key.endswith("/"))


def text(value: Any) -> str:
    """A name that an event says; the empty string for all that is none."""
    return value if isinstance(value, str) else ""


def bucket_and_key(told: Any) -> tuple[str, str] | None:
    """The names of an object as S3 writes them in all its events; None where they are missing."""
    found = [told.get(part) for part in ("bucket", "object")] if isinstance(told, dict) else []
    bucket, stored = (part if isinstance(part, dict) else {} for part in found or (None, None))
    named = text(bucket.get("name")) and isinstance(stored.get("key"), str)
    return (bucket["name"], stored["key"]) if named else None


Items = tuple[Item, ...]


class Surroundings(NamedTuple):
    """What a kind of event may need beside the event: the function's inputs, and how to read an event inside it."""

    inputs: tuple[StoragePath, ...]
    read: Callable[[Any], Items]
