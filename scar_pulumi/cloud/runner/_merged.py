"""Stacking layers without overlayfs: one directory of hard links per image, so that no data is copied."""

import json
import os
import shutil
import stat
from collections.abc import Sequence
from pathlib import Path

from scar_pulumi.cloud.runner._layer import Removals


def merge(layers: Sequence[Path], target: Path) -> None:
    """Build the union of unpacked layers (lowest first; each a folder with `root` and `removed.json`) in `target`."""
    target.mkdir()
    for layer in layers:
        _take_away(target, Removals(**json.loads((layer / "removed.json").read_text())))
        _add(layer / "root", target)


def _take_away(target: Path, removals: Removals) -> None:
    for name in removals.opaque:
        directory = target / name
        if directory.is_dir() and not directory.is_symlink():
            for entry in directory.iterdir():
                _delete(entry)
    for name in removals.whiteouts:
        _delete(target / name)


def _add(source: Path, target: Path) -> None:
    """Lay one layer over the target. Links are made, not copies: the container sees all of it read-only."""
    with os.scandir(source) as entries:
        for entry in entries:
            path = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                if path.is_symlink() or not path.is_dir():
                    _delete(path)
                    path.mkdir()
                _add(Path(entry.path), path)
            elif not stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode):  # a mark for overlayfs
                _delete(path)
                os.link(entry.path, path, follow_symlinks=False)
    _copy_description(source, target)


def _copy_description(source: Path, target: Path) -> None:
    status = source.stat()
    if os.geteuid() == 0:
        os.chown(target, status.st_uid, status.st_gid)
    shutil.copystat(source, target)


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
