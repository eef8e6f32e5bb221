"""Creates that were begun and that the engine has not yet shown to know of.

An `up` that is killed between a create and its record in the engine's state leaves a resource that nobody owns. The
next `up` finds the begun create here, asks for the same name again and takes the resource over instead of making a
second one.
"""

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

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

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def begin(self, urn: str, key: str, names: Mapping[str, str]) -> None:
        """Note a create before its call is made."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(self._path(urn), json.dumps(asdict(Begun(urn, key, dict(names), time.time()))))

    def begun(self, urn: str) -> Begun | None:
        """The create of this resource that may or may not have happened."""
        try:
            return Begun(**json.loads(self._path(urn).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def known(self, urn: str, key: str) -> None:
        """The engine has this very resource in its state: the note has served."""
        begun = self.begun(urn)
        if begun and begun.key == key:
            self.forget(urn)

    def forget(self, urn: str) -> None:
        """Drop the note: the create did not happen, or the resource is gone."""
        self._path(urn).unlink(missing_ok=True)

    def _path(self, urn: str) -> Path:
        return self._directory / f"{hashlib.sha256(urn.encode()).hexdigest()[:32]}.json"


def default_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """`provider` in the state directory of `scar_foundation.directories`, whose package would load all of Pulumi."""
    if own := environment.get("SCAR_STATE_DIR"):
        return Path(own).absolute() / "provider"
    base = environment.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "scar-pulumi" / "provider"
