"""Where the files of functions and services come from and go to."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StoragePath:
    """A place in a storage."""

    provider: str
    path: str
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The place as `put` and `get` take it."""
        return self.path if self.provider == "s3.default" else f"{self.provider}/{self.path}"


def read_paths(entries: Any) -> tuple[StoragePath, ...]:
    """Read the inputs or outputs of a function or service in a stack's outputs."""
    return tuple(
        StoragePath(
            entry.get("provider", "s3.default"),
            entry.get("path", ""),
            tuple(entry.get("prefix") or ()),
            tuple(entry.get("suffix") or ()),
        )
        for entry in entries or ()
    )
