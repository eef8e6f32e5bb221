"""Folders of one run, under /tmp: the input comes into one, outputs are taken from the other, nothing stays."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from typing import NamedTuple

from supervisor.errors import InputFailed, OutOfDisk
from supervisor.events.model import Data, Object
from supervisor.log import Log
from supervisor.storage import Storages

PARENT = "/tmp"  # noqa: S108 the one place that Lambda lets a function write to
_LONGEST_NAME = 255  # bytes: NAME_MAX of every file system in use
_FOLDER_MODE = 0o700


class Workspace(NamedTuple):
    """The folders of one run."""

    root: str
    input: str
    output: str


def make_parent() -> None:
    """Make /tmp where an image has none: Lambda brings one, what runs jobs does not."""
    if not os.path.isdir(PARENT):  # noqa: PTH112
        with contextlib.suppress(OSError):  # a root file system that is read-only: told when it is needed
            os.mkdir(PARENT)  # noqa: PTH102
            os.chmod(PARENT, 0o1777)  # noqa: PTH101, S103 as every system has it


@contextlib.contextmanager
def workspace(log: Log) -> Iterator[Workspace]:
    """Make the folders, and remove them with all that is in them, whatever happened meanwhile."""
    root = f"{PARENT}/scar-{os.urandom(8).hex()}"
    space = Workspace(root, f"{root}/input", f"{root}/output")
    try:
        for folder in space:
            os.mkdir(folder, _FOLDER_MODE)  # noqa: PTH102
    except OSError as error:
        raise InputFailed(f"{root}: cannot be made: {error.strerror}; a function needs a writable {PARENT}") from error
    try:
        yield space
    finally:
        try:
            _remove(root)
        except (OSError, RecursionError) as error:
            log.warning(f"{root}: could not be removed: {error}")


def stage(source: Object | Data, space: Workspace, storages: Storages, log: Log) -> str:
    """Bring the input into its folder; where it lies then."""
    if isinstance(source, Data):
        path = f"{space.input}/{file_name(source.file_name)}"
        _write(path, source.content)
        log.info(f"saved the event as {path}")
        return path
    path = f"{space.input}/{file_name(source.key)}"
    found = storages.locate(source)
    try:
        size = storages.named(found.provider).download(found.container, found.key, path)
    except InputFailed as error:
        if _is_full(error.__cause__):
            raise OutOfDisk(f"{error}; raise the function's ephemeral_storage") from error
        raise
    log.info(f"downloaded {found.container}/{found.key} ({size} bytes)".replace(" /", " "))
    return path


def _is_full(cause: BaseException | None) -> bool:
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


def file_name(key: str) -> str:
    """A file name for a key: its last part, made safe where no file can be called so."""
    name = key.rstrip("/").rpartition("/")[2].replace("\0", "_")
    if name in ("", ".", ".."):
        return f"_{name}"
    raw = os.fsencode(name.encode("utf-8", "replace").decode() if _lone_surrogates(name) else name)
    if len(raw) <= _LONGEST_NAME:
        return os.fsdecode(raw)
    return _shortened(raw)


def _shortened(raw: bytes) -> str:
    # The ending says what kind of file it is, and the hash keeps two long names apart.
    _, dot, ending = raw.rpartition(b".")
    suffix = dot + ending if dot and len(ending) <= 20 else b""
    mark = f"-{sha256(raw).hexdigest()[:12]}".encode()
    stem = raw[: _LONGEST_NAME - len(mark) - len(suffix)].decode("utf-8", "ignore").encode()
    return os.fsdecode(stem + mark + suffix)


def _lone_surrogates(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return True
    return False


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(content)
    except OSError as error:
        kind = OutOfDisk if _is_full(error) else InputFailed
        raise kind(f"{path}: cannot be written: {error.strerror}") from error


def _remove(path: str, parent: int | None = None) -> None:
    """Remove a folder below an open one, whose path may be longer than any path can be; never follows links."""
    os.chmod(path, _FOLDER_MODE, dir_fd=parent)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        for name in os.listdir(folder):  # noqa: PTH208 a path cannot be relative to an open folder
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                _remove(name, folder)
            else:
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(path, dir_fd=parent)
