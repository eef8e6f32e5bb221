"""The resolved document: every value in effect, with secrets masked, and where each of them comes from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.fdl.document import Document
from scar_pulumi.fdl.kinds import Anything, Items, Kind, Section, Table
from scar_pulumi.fdl.loading import resolve
from scar_pulumi.fdl.problems import Mark, Problem, join
from scar_pulumi.fdl.references import has_reference
from scar_pulumi.fdl.tables import DOCUMENT
from scar_pulumi.fdl.tree import Entry, ListNode, MapNode, Node, ScalarNode, typed_node
from scar_pulumi.fdl.yaml_text import Comments, emit

MASK = "********"
_DEFAULT = "default"


@dataclass(frozen=True)
class Shown:
    """A resolved document.

    Attributes:
        lines: YAML with the origin of each value as a comment.
        document: The same as data.
        origins: "video.yaml:14:7", "--set lambda.memory=1024" or "default" for the path of each single value.
        warnings: What was noted while checking.
    """

    lines: tuple[str, ...]
    document: Any
    origins: Mapping[str, str]
    warnings: tuple[Problem, ...]


def show(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Shown:
    """Read and check a file; return its values and where they come from.

    Raises:
        FdlError: The file cannot be read or has mistakes.
    """
    resolved = resolve(path, overrides)
    masked = _masked(DOCUMENT, resolved.values, secret=False)
    origins = dict(_origins(resolved, masked, ""))
    tree = _tree(masked)
    lines = emit(tree, _Origins(origins)) if isinstance(tree, MapNode) else []
    return Shown(tuple(_aligned(lines)), masked, origins, resolved.report.problems())


class _Origins(Comments):
    """The origin behind each single value."""

    def __init__(self, origins: Mapping[str, str]) -> None:
        self._origins = origins

    def behind(self, mark: Mark, path: str) -> str:  # noqa: ARG002 - the tree has no positions of its own
        """Return the origin of the value at a path."""
        return f"# {self._origins[path]}" if path in self._origins else ""


def _masked(kind: Kind | None, value: Any, *, secret: bool) -> Any:
    """Return a value with texts masked that may be secret, except for references, which reveal nothing."""
    secret = secret or isinstance(kind, Anything)
    if isinstance(value, dict):
        below = {name: _below(kind, name, secret=secret) for name in value}
        return {name: _masked(below[name][0], one, secret=below[name][1]) for name, one in value.items()}
    if isinstance(value, list):
        inside = kind.of if isinstance(kind, Items) else None
        return [_masked(inside, one, secret=secret) for one in value]
    return MASK if secret and isinstance(value, str) and value and not has_reference(value) else value


def _below(kind: Kind | None, name: str, *, secret: bool) -> tuple[Kind | None, bool]:
    if isinstance(kind, Section):
        key = kind.keys.get(name)
        # A key that is passed on may hold anything.
        return (key.kind, secret or key.secret) if key is not None else (None, True)
    return kind.of if isinstance(kind, Table) else None, secret


def _origins(resolved: Document, value: Any, path: str) -> list[tuple[str, str]]:
    if isinstance(value, dict) and value:
        return [pair for name, one in value.items() for pair in _origins(resolved, one, join(path, name))]
    if isinstance(value, list) and value:
        return [pair for index, one in enumerate(value) for pair in _origins(resolved, one, f"{path}[{index}]")]
    return [(path, _origin(resolved, path))]


def _origin(resolved: Document, path: str) -> str:
    mark = resolved.places.get(path)
    if mark is None:
        return _DEFAULT
    return f"{mark.file}:{mark.line}:{mark.column}" if mark.line else mark.file


def _tree(value: Any) -> Node:
    mark = Mark("")
    if isinstance(value, dict):
        return MapNode(mark, {name: Entry(mark, _tree(one)) for name, one in value.items()})
    if isinstance(value, list):
        return ListNode(mark, [_tree(one) for one in value])
    return ScalarNode(mark, value) if isinstance(value, str) else typed_node(value, mark)


def _aligned(lines: list[str]) -> list[str]:
    """Return lines with their comments in one column, unless that is too far to the right."""
    parts = [line.rpartition("  # ") for line in lines]
    width = min(max((len(text) for text, mark, _ in parts if mark), default=0), 60)
    return [f"{text:<{width}}  # {origin}" if mark else origin for text, mark, origin in parts]
