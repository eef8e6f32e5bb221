"""The HTTP APIs of the local cloud, as API Gateway's documents, on disk before a change is answered.

MiniStack gives an API another id each time that its journal is repeated, and every integration and route of it too, so
nothing that a stack knows of them would outlive a kill.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.signature import Caller

Document = dict[str, Any]

_TABLE = """
CREATE TABLE IF NOT EXISTS http_apis (
    kind TEXT, id TEXT, account TEXT, region TEXT, document TEXT, members TEXT, PRIMARY KEY (kind, id));
"""


@dataclass
class Entry:
    """An API or a domain, of an account in a region; `members` are what belongs to it, by kind and id."""

    account: str
    region: str
    document: Document
    members: dict[str, dict[str, Document]] = field(default_factory=dict)

    def belongs_to(self, caller: Caller) -> bool:
        """Return whether the caller, in the region that it asks, sees it."""
        return (self.account, self.region) == (caller.account, caller.region)

    def of(self, kind: str) -> dict[str, Document]:
        """Return the members of a kind by their ids."""
        return self.members.setdefault(kind, {})


class ApiStore:
    """All APIs by id and all domains by name. `version` changes with every change."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLE)
        self.version = 0
        self.apis = self._read("api")
        self.domains = self._read("domain")

    def save(self) -> None:
        """Store everything; `flushed` says when it is on the disk."""
        self.version += 1
        with self._database.transaction():
            self._database.write("DELETE FROM http_apis")
            self._database.write_all("INSERT INTO http_apis VALUES (?, ?, ?, ?, ?, ?)", self._rows())

    async def flushed(self) -> None:
        """Return when everything saved is on the disk."""
        await self._database.flushed()

    def _rows(self) -> Iterator[tuple[str, ...]]:
        for kind, entries in (("api", self.apis), ("domain", self.domains)):
            for key, entry in entries.items():
                documents = json.dumps(entry.document), json.dumps(entry.members)
                yield (kind, key, entry.account, entry.region, *documents)

    def _read(self, kind: str) -> dict[str, Entry]:
        query = "SELECT id, account, region, document, members FROM http_apis WHERE kind = ? ORDER BY rowid"
        return {
            key: Entry(account, region, json.loads(document), json.loads(members))
            for key, account, region, document, members in self._database.rows(query, kind)
        }

    def mapped(self, host: str) -> Iterator[tuple[str, str, str]]:
        """Return the path prefix, API and stage of every mapping of a domain."""
        entry = self.domains.get(host)
        for mapping in entry.of("apimappings").values() if entry else ():
            yield mapping.get("apiMappingKey", ""), mapping["apiId"], mapping["stage"]
