"""Asynchronous events on disk: written before they are acknowledged, removed when they are done."""

import base64
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from scar_foundation.files import UNFINISHED, write_whole
from scar_pulumi.cloud.lambda_.functions import FunctionReference


@dataclass(frozen=True)
class SpooledEvent:
    """An event that waits or runs; its payload stays on disk until needed. `created` is seconds since the epoch."""

    request_id: str
    function: FunctionReference
    created: float
    attempts: int = 0


class Spool:
    """One file per event: the head as one line of JSON, then the payload. The name holds how often it was tried."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, event: SpooledEvent, payload: bytes) -> None:
        """Stores an event; on return the operating system has it."""
        head = asdict(event)
        head.pop("attempts")
        write_whole(self._path(event), json.dumps(head).encode() + b"\n" + payload)

    def payload(self, event: SpooledEvent) -> bytes:
        """An event's payload."""
        with self._path(event).open("rb") as file:
            file.readline()
            return file.read()

    def tried(self, event: SpooledEvent) -> SpooledEvent:
        """Notes one more attempt."""
        after = replace(event, attempts=event.attempts + 1)
        self._path(event).rename(self._path(after))
        return after

    def remove(self, event: SpooledEvent) -> None:
        """Forgets an event that is done."""
        self._path(event).unlink(missing_ok=True)

    def restore(self) -> Iterator[SpooledEvent]:
        """The events that a predecessor left, oldest first; what a kill cut short is removed."""
        for path in self._directory.glob(f"{UNFINISHED}*"):
            path.unlink(missing_ok=True)
        events = [_read(path) for path in self._directory.glob("*.event")]
        yield from sorted(events, key=lambda event: event.created)

    def _path(self, event: SpooledEvent) -> Path:
        # Request ids are ours or MiniStack's, but the name of a file is no place for trust.
        name = base64.urlsafe_b64encode(event.request_id.encode()).decode()
        return self._directory / f"{name}.{event.attempts}.event"


def _read(path: Path) -> SpooledEvent:
    with path.open("rb") as file:
        head: dict[str, Any] = json.loads(file.readline())
    function = FunctionReference(**head.pop("function"))
    return SpooledEvent(**head, function=function, attempts=int(path.name.split(".")[1]))
