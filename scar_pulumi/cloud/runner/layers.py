"""Unpack an image layer into a directory that overlayfs can stack, or merge layers into one directory without it.

Nothing outside the directory is touched: names are relative to it, and links are followed inside it, as after chroot.
Device nodes and set-user-ID bits are left out.
"""

# An image has ten thousand files, and plain strings take half the time of pathlib's objects.
# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH114, PTH115, PTH120, PTH123, PTH211

import gzip
import hashlib
import json
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import IO, Literal

from scar_pulumi.cloud.runner.image import StoredLayer, UnusableImageError

# How removals are marked for overlayfs: https://docs.kernel.org/filesystems/overlayfs.html#whiteouts-and-opaque-directories
Marks = Literal["trusted", "user", "none"]

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
_LINKS_FOLLOWED = 40
_BUFFER = 1024 * 1024


@dataclass
class Removals:
    """What a layer removes from the layers below it, as paths relative to the root."""

    whiteouts: list[str] = field(default_factory=list)
    opaque: list[str] = field(default_factory=list)


def unpack(layer: StoredLayer, target: Path, marks: Marks) -> Removals:
    """Verify the layer's digest and unpack it into the empty directory `target`. Raises UnusableImageError."""
    try:
        with layer.path.open("rb") as blob:
            _verify(blob, layer.digest)
            blob.seek(0)
            unpacking = _Unpacking(str(target), marks)
            with _plain(blob) as content, tarfile.open(fileobj=content, mode="r|", bufsize=_BUFFER) as archive:
                for member in archive:
                    unpacking.add(member, archive)
            return unpacking.finish()
    except (tarfile.TarError, zlib.error, EOFError, gzip.BadGzipFile) as error:
        raise UnusableImageError(
            f"layer {layer.digest}: cannot be unpacked ({error}); build the image again"
        ) from error


def _verify(blob: BufferedReader, digest: str) -> None:
    algorithm, _, expected = digest.partition(":")
    if algorithm not in {"sha256", "sha512"} or hashlib.file_digest(blob, algorithm).hexdigest() != expected:
        raise UnusableImageError(
            f"layer {digest}: the stored bytes are damaged; destroy its stacks and deploy them again"
        )


def _plain(blob: IO[bytes]) -> IO[bytes]:
    magic = blob.read(2)
    blob.seek(0)
    return gzip.GzipFile(fileobj=blob, mode="rb") if magic == b"\x1f\x8b" else blob  # type: ignore[return-value]


class _Unpacking:
    """One layer on its way to the disk. Directories get their modes and times last, so that they stay writable."""

    def __init__(self, root: str, marks: Marks) -> None:
        self._root = root
        self._marks = marks
        self._is_root = os.geteuid() == 0
        self._directories: dict[str, tarfile.TarInfo] = {}
        self._parents: dict[str, str] = {}
        self._removals = Removals()

    def add(self, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        name = _relative(member.name)
        parent_name, _, base = name.rpartition("/")
        if base.startswith(_WHITEOUT):
            self._remove(parent_name, base)
        elif not base:
            self._directories[self._root] = member
        elif not member.isdev() or member.isfifo():
            self._put(f"{self._parent(parent_name)}/{base}", member, archive)

    def finish(self) -> Removals:
        """Set modes and times of the directories, deepest first, and mark the removals."""
        for path, member in sorted(self._directories.items(), reverse=True):
            self._describe(path, member)
        if self._marks != "none":
            self._mark()
        return self._removals

    def _remove(self, parent: str, base: str) -> None:
        directory = os.path.relpath(self._parent(parent), self._root)
        if base == _OPAQUE:
            self._removals.opaque.append(directory)
        elif not base.startswith(_WHITEOUT * 2):
            self._removals.whiteouts.append(os.path.normpath(f"{directory}/{base.removeprefix(_WHITEOUT)}"))

    def _put(self, path: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        if member.isdir():
            self._make_directory(path)
            self._directories[path] = member
            return
        self._clear(path)
        if member.islnk():
            os.link(self._inside(member.linkname), path, follow_symlinks=False)
            return
        if member.issym():
            os.symlink(member.linkname, path)
        elif member.isfifo():
            os.mkfifo(path)
        else:
            _write(path, archive.extractfile(member))
        self._describe(path, member)

    def _describe(self, path: str, member: tarfile.TarInfo) -> None:
        if self._is_root:
            os.chown(path, member.uid, member.gid, follow_symlinks=False)
        if not member.issym():
            # Without root the daemon must still be able to read, link and delete these files.
            kept = 0 if self._is_root else (0o700 if member.isdir() else 0o400)
            os.chmod(path, member.mode & 0o1777 | kept)
        os.utime(path, (member.mtime, member.mtime), follow_symlinks=False)

    def _inside(self, name: str) -> str:
        parent, _, base = _relative(name).rpartition("/")
        path = f"{self._parent(parent)}/{base}"
        if not os.path.lexists(path):
            raise tarfile.ExtractError(f"hard link to {name}, which is not in the layer")
        return path

    def _clear(self, path: str) -> None:
        try:
            is_directory = stat.S_ISDIR(os.lstat(path).st_mode)
        except FileNotFoundError:
            return
        self._parents.clear()
        if is_directory:
            shutil.rmtree(path)
            self._directories = {key: value for key, value in self._directories.items() if not _below(key, path)}
        else:
            os.unlink(path)

    def _make_directory(self, path: str) -> None:
        try:
            if stat.S_ISDIR(os.lstat(path).st_mode):
                return
        except FileNotFoundError:
            pass
        else:
            self._clear(path)
        os.mkdir(path, 0o755)

    def _parent(self, name: str) -> str:
        """Return the directory of `name`, with links followed inside the root; make it when it is missing."""
        known = self._parents.get(name)
        if known is None:
            known = self._parents[name] = self._walk(name)
        return known

    def _walk(self, name: str) -> str:
        pending, reached, links = name.split("/")[::-1], self._root, 0
        while pending:
            part = pending.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                reached = self._root if reached == self._root else os.path.dirname(reached)
                continue
            path = f"{reached}/{part}"
            if os.path.islink(path):
                links += 1
                if links > _LINKS_FOLLOWED:
                    raise tarfile.ExtractError(f"too many links on the way to {name}")
                link = os.readlink(path)
                reached = self._root if link.startswith("/") else reached
                pending += link.split("/")[::-1]
                continue
            self._make_directory(path)
            reached = path
        return reached

    def _mark(self) -> None:
        for name in self._removals.opaque:
            self._mark_opaque(f"{self._root}/{name}")
        for name in self._removals.whiteouts:
            path = f"{self._root}/{name}"
            if not os.path.lexists(path):
                os.mknod(path, stat.S_IFCHR, os.makedev(0, 0))
            elif os.path.isdir(path) and not os.path.islink(path):
                self._mark_opaque(path)

    def _mark_opaque(self, path: str) -> None:
        os.setxattr(path, f"{self._marks}.overlay.opaque", b"y")


def _relative(name: str) -> str:
    normal = os.path.normpath("/" + name).lstrip("/")
    if ".." in name.split("/") and os.path.normpath(name).startswith(".."):
        raise tarfile.ExtractError(f"name outside the root: {name}")
    return normal


def _below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory + "/")


def _write(path: str, content: IO[bytes] | None) -> None:
    with open(path, "xb") as file:
        if content is not None:
            shutil.copyfileobj(content, file, _BUFFER)


def merge(layers: Sequence[Path], target: Path) -> None:
    """Merge unpacked layers into `target`, by hard links, lowest first; each has a `root` and a `removed.json`."""
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
    """Lay one layer over the target with hard links, which is safe as the container sees them read-only."""
    with os.scandir(source) as entries:
        for entry in entries:
            path = target / entry.name
            if entry.is_dir(follow_symlinks=False):
                if path.is_symlink() or not path.is_dir():
                    _delete(path)
                    path.mkdir()
                _add(Path(entry.path), path)
            elif not stat.S_ISCHR(entry.stat(follow_symlinks=False).st_mode):  # overlayfs's mark of a removal
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
