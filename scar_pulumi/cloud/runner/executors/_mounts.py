"""Mounts that only one thread and the processes it starts can see.

Linux keeps the mount namespace and the working directory per thread. A thread that leaves the shared ones can mount
what a container needs with root's rights and start it; the mounts vanish with the last process in them.
"""

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

# https://man7.org/linux/man-pages/man2/mount.2.html
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOATIME = 0x400
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_SLAVE = 0x80000
_CLONE_NEWNS = 0x20000

# A directory that everybody may pass through: the state directory may lie where only root can look.
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/run", "/tmp")  # noqa: S108 - hidden under a mount, never written

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def enter_private_mounts() -> Path:
    """Give the calling thread its own mounts and return a fresh folder in them; the thread must serve nothing else."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    os.umask(0o022)  # the thread's own since then: Lambda's user has to pass through what is made here
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None), "/")
    place = next(Path(name) for name in _PLACES if _passable(Path(name)))
    mount("tmpfs", "tmpfs", place, 0, "mode=755,size=1m")
    return place


def mount(kind: str, source: str | Path, target: Path, flags: int, data: str = "") -> None:
    """Mount a file system. Raises OSError."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, data.encode())
    _check(_libc.mount(*arguments), str(target))


def bind(source: Path, target: Path) -> None:
    """Make `source` visible at `target`, which is made, too. Raises OSError."""
    target.mkdir(parents=True)
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, _MS_BIND | _MS_REC, None), str(target))


def unmount(target: Path) -> None:
    """Take away what was mounted last at `target`. Raises OSError."""
    _check(_libc.umount2(os.fsencode(target), 0), str(target))


def stack(layers: Sequence[Path], target: Path, changes: Path | None = None) -> None:
    """Mount layers (lowest first) over each other at `target`, which is made, too. Raises OSError.

    Without a folder for `changes` they are read-only.
    """
    target.mkdir()
    parent = Path(os.path.commonpath(layers))
    os.chdir(parent)  # of this thread only: relative names keep the options below the limit of one page
    names = ":".join(str(layer.relative_to(parent)) for layer in reversed(layers))
    flags, options = MS_NOSUID | MS_NODEV, f"lowerdir={names}"
    if changes is None:
        flags |= MS_RDONLY
    else:
        for folder in ("upper", "work", "upper/tmp"):
            (changes / folder).mkdir(mode=0o755)
        (changes / "upper/tmp").chmod(0o1777)
        options += f",upperdir={changes}/upper,workdir={changes}/work"
    mount("overlay", "overlay", target, flags, options)
    os.chdir("/")


def _passable(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and bool(path.stat().st_mode & 0o001)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)
