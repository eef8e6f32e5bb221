"""The disk below /tmp, which all events of an environment share: who fills it, and how it is emptied."""

import contextlib
import os
import stat
from collections.abc import Iterator
from typing import NamedTuple

from supervisor.log import Log

TMP = "/tmp"  # noqa: S108 the one place that Lambda lets a function write to
FOLDER_MODE = 0o700
OWN = "scar-"
"""How the names of the supervisor's own files begin: they belong to one event."""
_NEARLY_FULL = 0.1  # of the disk is left
_NAMED = 3  # of the largest files and folders


class _Entry(NamedTuple):
    """A file or folder in /tmp, with everything in it."""

    size: int
    path: str


def make_tmp() -> None:
    """Make /tmp where an image has none: Lambda brings one, job runners do not."""
    if not os.path.isdir(TMP):
        with contextlib.suppress(OSError):  # on a read-only root file system: reported when /tmp is needed
            os.mkdir(TMP)
            os.chmod(TMP, 0o1777)  # noqa: S103 as every system has it


def is_nearly_full() -> bool:
    """Return whether a tenth or less of the disk, or of its files, is left."""
    try:
        found = os.statvfs(TMP)
    except OSError:
        return False
    files = found.f_files and found.f_favail <= found.f_files * _NEARLY_FULL
    return bool(files) or found.f_bavail <= found.f_blocks * _NEARLY_FULL


def usage(event_folder: str = "") -> str:
    """Return who fills the disk: the files of the event in hand, and the largest of all others."""
    entries = sorted(_entries(), reverse=True)
    others = [entry for entry in entries if entry.path != event_folder]
    named = ", ".join(f"{entry.path} ({_megabytes(entry.size)})" for entry in others[:_NAMED])
    rest = sum(entry.size for entry in others)
    own = sum(entry.size for entry in entries) - rest
    of_event = f"{_megabytes(own)} are this event's, " if event_folder else ""
    left = f"{_megabytes(rest)} were left by earlier events"
    return f"{TMP} has {_capacity()}: {of_event}{left}" + (f": {named}" if named else "")


def clear_leftovers(log: Log, *, failed: bool = False) -> bool:
    """Empty the disk if an event failed for want of room, or if it is nearly full; return whether it has room then.

    An environment cannot be given up instead: when a runtime ends, Lambda starts it again beside the same files.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html#runtimes-lifecycle-invoke-with-errors
    """
    if not failed and not is_nearly_full():
        return True
    if any(_names()):
        log.warning(f"{TMP} is emptied for the next event; {usage()}; write to $TMPDIR, a folder for this event alone")
    for name in list(_names()):
        _remove_entry(f"{TMP}/{name}", log)
    # A file that a process holds open takes room without having a name. A folder of the machine is shared with others.
    return not (is_nearly_full() and os.path.ismount(TMP))


def clear_own(log: Log) -> None:
    """Remove what an event left behind that was cut off together with the supervisor."""
    for name in [name for name in _names() if name.startswith(OWN)]:
        _remove_entry(f"{TMP}/{name}", log)


def remove(path: str, parent: int | None = None) -> None:
    """Remove a folder below an open one, whose path may be longer than any path can be; never follow links."""
    os.chmod(path, FOLDER_MODE, dir_fd=parent)
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=parent)
    try:
        for name in os.listdir(folder):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                remove(name, folder)
            else:
                os.unlink(name, dir_fd=folder)
    finally:
        os.close(folder)
    os.rmdir(path, dir_fd=parent)


def _remove_entry(path: str, log: Log) -> None:
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            remove(path)
        else:
            os.unlink(path)
    except (OSError, RecursionError) as error:
        log.warning(f"{path}: cannot be removed: {error}")


def _names() -> Iterator[str]:
    """Yield the names in /tmp, but for the folder in which file systems put what they recover."""
    with contextlib.suppress(OSError):
        yield from (name for name in os.listdir(TMP) if name != "lost+found")


def _entries() -> Iterator[_Entry]:
    for name in _names():
        yield _Entry(_size(f"{TMP}/{name}"), f"{TMP}/{name}")


def _size(path: str) -> int:
    """Return the bytes that a file or a folder takes on the disk."""
    total = 0
    with contextlib.suppress(OSError):
        total = os.lstat(path).st_blocks * 512
    for folder, _, names in os.walk(path):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(f"{folder}/{name}").st_blocks * 512
    return total


def _capacity() -> str:
    try:
        found = os.statvfs(TMP)
    except OSError:
        return "nothing"
    return _megabytes(found.f_blocks * found.f_frsize)


def _megabytes(size: int) -> str:
    return f"{size / (1 << 20):.1f} MB"
