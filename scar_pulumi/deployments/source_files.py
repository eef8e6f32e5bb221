"""From which FDL file a stack was deployed last: noted by `up`, forgotten by `destroy`."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

from scar_foundation.directories import deployed_directory
from scar_foundation.files import write_whole
from scar_pulumi.cloud import is_local_stack


def note(project: str, stack: str, fdl: Path) -> None:
    """Take note of a deployment."""
    file = _file(project, stack)
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(file, json.dumps({"fdl": str(fdl)}))


def file_of(project: str, stack: str) -> Path | None:
    """Return the file that a stack was deployed from last; None when nobody knows."""
    return _read(_file(project, stack))


def files_of(stack: str) -> Iterator[Path]:
    """Return the files of all stacks of a name, in the order of their projects."""
    for file in sorted(deployed_directory().glob(f"*/{quote(stack, safe='')}.json")):
        if fdl := _read(file):
            yield fdl


def forget(project: str, stack: str) -> None:
    """Take note that nothing of a stack is left."""
    _file(project, stack).unlink(missing_ok=True)


def forget_local() -> None:
    """Take note that nothing is left of any local stack."""
    for file in deployed_directory().glob("*/*.json"):
        if is_local_stack(unquote(file.stem)):
            file.unlink(missing_ok=True)


def _file(project: str, stack: str) -> Path:
    return deployed_directory() / quote(project, safe="") / f"{quote(stack, safe='')}.json"


def _read(file: Path) -> Path | None:
    try:
        return Path(json.loads(file.read_text(encoding="utf-8"))["fdl"])
    except (OSError, ValueError, LookupError, TypeError):  # never written, or not by us: it is only a hint
        return None
