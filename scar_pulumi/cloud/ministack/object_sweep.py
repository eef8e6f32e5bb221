"""Clears away what a kill left half-written among MiniStack's S3 objects, before it reads them.

It writes an object's bytes to a temporary file, renames that, then does the same with a description beside it.
A description older than its bytes is of the object before: without it, MiniStack reads size and ETag from the bytes.
"""

import os
from pathlib import Path

_SIDECAR = ".meta.json"
# Keys that cannot be file names lie here under other names, and only their descriptions know the keys.
_ENCODED = ".ministack-keys"


def sweep_objects(directory: Path) -> int:
    """Removes temporary files and stale descriptions; returns how many."""
    removed = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            if name.endswith(".tmp") or (_ENCODED not in path.parts and _is_stale(path)):
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _is_stale(path: Path) -> bool:
    if not path.name.endswith(_SIDECAR):
        return False
    data = path.with_name(path.name.removesuffix(_SIDECAR))
    return data.is_file() and data.stat().st_mtime_ns > path.stat().st_mtime_ns
