"""Names of functions, which are unique in an account and region: whose each one already is on the local cloud."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_foundation.directories import backend_directory
from scar_pulumi.deployments.resources import functions_made
from scar_pulumi.deployments.source_files import file_of


@dataclass(frozen=True)
class NameHolder:
    """The stack that has a function of a name, and the FDL file that it was deployed from, where that is known."""

    project: str
    stack: str
    file: Path | None

    def __str__(self) -> str:
        origin = f", deployed from {self.file}" if self.file else ""
        return f"stack {self.stack} of project {self.project}{origin}"


def holders(regions: Mapping[str, str], project: str, stack: str) -> Iterator[tuple[str, NameHolder]]:
    """Yield the functions that another local stack has, given the region of each name; an empty region is any.

    Stacks of AWS are not examined: the account's functions do not say whose they are.
    """
    for other_project, other_stack, deployment in _local_stacks():
        if (other_project, other_stack) == (project, stack):
            continue
        for name, region in functions_made(deployment):
            if name in regions and regions[name] in ("", region):
                yield name, NameHolder(other_project, other_stack, file_of(other_project, other_stack))


def _local_stacks() -> Iterator[tuple[str, str, dict[str, Any]]]:
    from scar_pulumi.engine.backend import FileBackend  # noqa: PLC0415 - help needs no engine

    root = backend_directory()
    for file in sorted((root / ".pulumi" / "stacks").glob("*/*.json")):
        yield file.parent.name, file.stem, FileBackend(root, file.parent.name, file.stem).deployment()
