"""Creates that were begun and that the engine has not yet shown to know of.

An `up` that is killed between a create and its record in the engine's state leaves a resource that nobody owns. The
next `up` finds the begun create here, asks for the same name again and takes the resource over instead of making a
second one.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from scar_foundation.directories import begun_creates_directory
from scar_foundation.files import write_whole


@dataclass(frozen=True)
class Begun:
    """One create: which resource, what tells it apart, the names chosen for it, and when (seconds since the epoch)."""

    urn: str
    key: str
    names: Mapping[str, str]
    time: float


class Journal:
    """One small file per begun create. Safe to use from several threads and processes."""

    def __init__(self) -> None:
        self._directory = begun_creates_directory()

    def begin(self, urn: str, key: str, names: Mapping[str, str]) -> None:
        """Note a create before its call is made."""
        write_whole(self._path(urn), json.dumps(asdict(Begun(urn, key, dict(names), time.time()))))

    def begun(self, urn: str) -> Begun | None:
        """Return the create of this resource that may or may not have happened."""
        try:
            return Begun(**json.loads(self._path(urn).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def known(self, urn: str, key: str) -> None:
        """Drop the note: the engine has this very resource in its state."""
        begun = self.begun(urn)
        if begun and begun.key == key:
            self.forget(urn)

    def forget(self, urn: str) -> None:
        """Drop the note: the create did not happen, or the resource is gone."""
        self._path(urn).unlink(missing_ok=True)

    def _path(self, urn: str) -> Path:
        return self._directory / f"{hashlib.sha256(urn.encode()).hexdigest()[:32]}.json"
