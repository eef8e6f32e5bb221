"""Which FDL file each stack was last deployed from: recorded by `up`, removed by `destroy`."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from scar_foundation.directories import deployed_directory
from scar_foundation.files import write_whole
from scar_pulumi.cloud import is_local_stack


def record(project: str, stack: str, fdl: Path) -> None:
    """Record the file of a deployment."""
    file = _file(project, stack)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, json.dumps({"fdl": str(fdl)}))


def file_of(project: str, stack: str) -> Path | None:
    """Return the file that a stack was last deployed from; None when it is unknown."""
    return _read(_file(project, stack))


def files_of(stack: str) -> Iterator[Path]:
    """Return the files of all stacks of a name, sorted by project."""
    for file in sorted(deployed_directory().glob(f"*/{quote(stack, safe='')}.json")):
        if fdl := _read(file):
            yield fdl


def recorded_projects(stack: str) -> list[str]:
    """Return the projects of which a stack of this name was deployed from this machine, sorted."""
    return sorted(unquote(file.parent.name) for file in deployed_directory().glob(f"*/{quote(stack, safe='')}.json"))


def stacks_from(fdl: Path) -> Iterator[tuple[str, str]]:
    """Return the project and the name of each stack that was last deployed from a file, which may be gone."""
    for file in sorted(deployed_directory().glob("*/*.json")):
        if _read(file) == fdl.absolute():
            yield unquote(file.parent.name), unquote(file.stem)


def other_file(project: str, stack: str, fdl: Path) -> Path | None:
    """Return the file that a stack was last deployed from, if it is known and is not `fdl`."""
    previous = file_of(project, stack)
    return None if previous == fdl.resolve() else previous


def forget(project: str, stack: str) -> None:
    """Remove the record of a stack of which nothing is left."""
    _file(project, stack).unlink(missing_ok=True)


def forget_local() -> None:
    """Remove the records of all local stacks."""
    for file in deployed_directory().glob("*/*.json"):
        if is_local_stack(unquote(file.stem)):
            file.unlink(missing_ok=True)


def _file(project: str, stack: str) -> Path:
    return deployed_directory() / quote(project, safe="") / f"{quote(stack, safe='')}.json"


def _read(file: Path) -> Path | None:
    try:
        return Path(json.loads(file.read_text(encoding="utf-8"))["fdl"])
    except (OSError, ValueError, LookupError, TypeError):  # never written, or damaged: it is only a hint
        return None
