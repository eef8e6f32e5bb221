"""What the local cloud itself keeps of Lambda: asynchronous events that are not done, and image functions by name."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass, replace

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.lambda_.functions import FunctionReference

_TABLES = """
CREATE TABLE IF NOT EXISTS events (
    request_id TEXT PRIMARY KEY, account TEXT, region TEXT, name TEXT, qualifier TEXT, created REAL,
    attempts INTEGER, payload BLOB) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS image_functions (name TEXT PRIMARY KEY) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class SpooledEvent:
    """An event that waits or runs, without its payload. `created` is seconds since the epoch."""

    request_id: str
    function: FunctionReference
    created: float
    attempts: int = 0


class Spool:
    """Events from when they are acknowledged until they are done."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)

    def put(self, event: SpooledEvent, payload: bytes) -> None:
        """Store an event; `flushed` says when it is on the disk."""
        row = (event.request_id, *astuple(event.function), event.created, event.attempts, payload)
        self._database.write("INSERT OR REPLACE INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", *row)

    async def flushed(self) -> None:
        """Return when everything stored is on the disk."""
        await self._database.flushed()

    def payload(self, event: SpooledEvent) -> bytes:
        """Return an event's payload."""
        row = self._database.row("SELECT payload FROM events WHERE request_id = ?", event.request_id)
        return bytes(row[0]) if row else b""

    def tried(self, event: SpooledEvent) -> SpooledEvent:
        """Note one more attempt."""
        after = replace(event, attempts=event.attempts + 1)
        self._database.write("UPDATE events SET attempts = ? WHERE request_id = ?", after.attempts, event.request_id)
        return after

    def remove(self, event: SpooledEvent) -> None:
        """Forget an event that is done."""
        self._database.write("DELETE FROM events WHERE request_id = ?", event.request_id)

    def restore(self) -> Iterator[SpooledEvent]:
        """Yield the events that a predecessor left, oldest first."""
        columns = "request_id, account, region, name, qualifier, created, attempts"
        for request_id, *function, created, attempts in self._database.rows(
            f"SELECT {columns} FROM events ORDER BY created"  # noqa: S608 - columns from above
        ):
            yield SpooledEvent(request_id, FunctionReference(*function), created, attempts)


class ImageFunctions:
    """The names of the functions made from images, which MiniStack does not tell from others when it starts."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)
        self._names = {name for (name,) in database.rows("SELECT name FROM image_functions")}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    async def add(self, name: str) -> None:
        """Keep a name; on return it is on the disk."""
        self._database.write("INSERT OR IGNORE INTO image_functions VALUES (?)", name)
        self._names.add(name)
        await self._database.flushed()

    async def remove(self, name: str) -> None:
        """Forget a name; on return the disk has forgotten it, too."""
        self._database.write("DELETE FROM image_functions WHERE name = ?", name)
        self._names.discard(name)
        await self._database.flushed()
