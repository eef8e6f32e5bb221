"""How much memory a tree of processes uses, where no control group counts it."""

import contextlib
from pathlib import Path


def resident(process: int) -> int:
    """Return the bytes in memory of a process and all its descendants; 0 when it is gone."""
    total, pending = 0, [process]
    while pending:
        folder = Path(f"/proc/{pending.pop()}")
        with contextlib.suppress(OSError, ValueError):
            total += _field(folder / "status", "VmRSS:") * 1024
            for task in (folder / "task").iterdir():
                pending += map(int, (task / "children").read_text().split())
    return total


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
