"""What the HTTP APIs of the local cloud are made of: API Gateway's documents, on disk before a change is answered.

MiniStack gives an API another id each time that its journal is repeated, and every integration and route of it too, so
nothing that a stack knows of them would outlive a kill.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar_foundation.files import write_whole
from scar_pulumi.cloud.signature import Caller

Document = dict[str, Any]


@dataclass
class Entry:
    """An API or a domain, of an account in a region; `members` are what belongs to it, by kind and id."""

    account: str
    region: str
    document: Document
    members: dict[str, dict[str, Document]] = field(default_factory=dict)

    def belongs_to(self, caller: Caller) -> bool:
        """Whether the caller, in the region that it asks in, sees it."""
        return (self.account, self.region) == (caller.account, caller.region)

    def of(self, kind: str) -> dict[str, Document]:
        """The members of a kind by their ids."""
        return self.members.setdefault(kind, {})


class Store:
    """All APIs by id and all domains by name. `version` changes with every change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.version = 0
        found = json.loads(path.read_bytes()) if path.is_file() else {}
        self.apis = {key: Entry(**value) for key, value in found.get("apis", {}).items()}
        self.domains = {key: Entry(**value) for key, value in found.get("domains", {}).items()}

    def save(self) -> None:
        """Put it on disk."""
        self.version += 1
        kept = {"apis": _plain(self.apis), "domains": _plain(self.domains)}
        write_whole(self._path, json.dumps(kept).encode())

    def mapped(self, host: str) -> Iterator[tuple[str, str, str]]:
        """The path's start, API and stage of every mapping of a domain."""
        entry = self.domains.get(host)
        for mapping in entry.of("apimappings").values() if entry else ():
            yield mapping.get("apiMappingKey", ""), mapping["apiId"], mapping["stage"]


def _plain(entries: dict[str, Entry]) -> Document:
    return {key: vars(entry) for key, entry in entries.items()}
