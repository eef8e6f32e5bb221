"""What an operation on a stack did, as plain data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Changes:
    """How many resources an operation changed or, for a preview, would change."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0
    same: int = 0

    @property
    def total(self) -> int:
        """All resources that did not stay the same."""
        return self.create + self.update + self.replace + self.delete


@dataclass(frozen=True)
class Step:
    """What happened, or would happen, to one resource."""

    operation: str
    """The engine's word: create, update, replace, delete, same, read, refresh, import."""
    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """As the program gave them; secrets are masked."""
    differences: tuple[str, ...] = ()
    """Names of the inputs that changed."""


@dataclass(frozen=True)
class Result:
    """The end of a preview, up, refresh or destroy."""

    changes: Changes
    steps: tuple[Step, ...]
    outputs: Mapping[str, Any]
    """Stack outputs; secrets are masked. Empty after a destroy."""
    seconds: Mapping[str, float]
    """What took how long, in order: engine, local cloud, stack, and the operation itself."""


def count(resource_changes: Mapping[str, int]) -> Changes:
    """Changes from the engine's summary, whose keys are its step names."""
    return Changes(
        create=resource_changes.get("create", 0) + resource_changes.get("import", 0),
        update=resource_changes.get("update", 0),
        replace=resource_changes.get("replace", 0),
        delete=resource_changes.get("delete", 0),
        same=resource_changes.get("same", 0),
    )


def name_of(urn: str) -> str:
    """Name of the resource: what follows the last `::`."""
    return urn.rpartition("::")[2]
