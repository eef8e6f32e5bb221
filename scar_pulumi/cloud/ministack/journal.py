"""The journal: configuration requests that succeeded, kept until a snapshot of MiniStack's state holds their effect.

Entries are numbered. A snapshot of number N holds the effect of every entry below N.
"""

import json
import re
from collections.abc import Iterator

from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.database import Database

_TABLE = """
CREATE TABLE IF NOT EXISTS journal (
    number INTEGER PRIMARY KEY AUTOINCREMENT, method TEXT, path TEXT, query TEXT, headers TEXT, body BLOB);
"""

# What a repeated request needs. The rest of the headers describes the connection or the client.
_HEADERS = re.compile(rb"authorization|content-type|content-encoding|content-md5|host|x-amz-.*")
_SIGNATURE = re.compile(rb"Signature=[0-9a-f]+")


class Journal:
    """The table of requests; an entry without a method only marks where a snapshot began."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLE)

    @property
    def size(self) -> int:
        """Bytes of all requests that no snapshot holds."""
        columns = ("path", "query", "headers", "body")
        lengths = " + ".join(f"length({name})" for name in columns)
        row = self._database.row(f"SELECT coalesce(sum({lengths}), 0) FROM journal")  # noqa: S608 - columns from above
        return int(row[0]) if row else 0

    def append(self, request: Request) -> int:
        """Keep one request; return its number. `flushed` says when it is on the disk. Raises StateError."""
        return self._database.write(
            "INSERT INTO journal (method, path, query, headers, body) VALUES (?, ?, ?, ?, ?)",
            request.method,
            request.path,
            request.query,
            json.dumps(_kept_headers(request)),
            _replayable_body(request),
        )

    def remove(self, number: int) -> None:
        """Forget one request, which has no effect any more."""
        self._database.write("DELETE FROM journal WHERE number = ?", number)

    async def flushed(self) -> None:
        """Return when everything appended is on the disk. Raises StateError."""
        await self._database.flushed()

    def rotate(self) -> int:
        """Return the number of a snapshot that begins now: it will hold every entry so far."""
        return self._database.write("INSERT INTO journal DEFAULT VALUES")

    def discard(self, below: int) -> None:
        """Remove the entries whose effect a snapshot of this number holds."""
        self._database.write("DELETE FROM journal WHERE number < ?", below)

    def requests(self, start: int = 0) -> Iterator[Request]:
        """Yield the requests from a number on, in order."""
        query = "SELECT method, path, query, headers, body FROM journal WHERE number >= ? AND method NOTNULL"
        for method, path, parameters, headers, body in self._database.rows(f"{query} ORDER BY number", start):
            pairs = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in json.loads(headers)]
            length = (b"content-length", b"%d" % len(body))
            yield Request(method, path, parameters, (*pairs, length), body)


def _kept_headers(request: Request) -> list[tuple[str, str]]:
    return [
        (name.decode("latin-1"), _SIGNATURE.sub(b"Signature=0", value).decode("latin-1"))
        for name, value in request.headers
        if _HEADERS.fullmatch(name)
    ]


def _replayable_body(request: Request) -> bytes:
    # Revision ids are made anew on replay, so a request that insists on one would be refused.
    if b'"RevisionId"' not in request.body:
        return request.body
    try:
        document = json.loads(request.body)
    except ValueError:
        return request.body
    if isinstance(document, dict):
        document.pop("RevisionId", None)
    return json.dumps(document).encode()
