"""Mounts that only one thread and its child processes can see, among them the container's /tmp.

In Linux each thread may have its own mount namespace and working directory. Such a thread can mount, as root, what a
container needs, and start the container; the mounts go with the last process in the namespace.
"""

import ctypes
import errno
import fcntl
import os
import stat
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from scar_foundation.limits import MIB

# https://man7.org/linux/man-pages/man2/mount.2.html
MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOATIME = 0x400
_MS_BIND = 0x1000
_MS_REC = 0x4000
_MS_SLAVE = 0x80000
_CLONE_NEWNS = 0x20000

# Where a container's mounts go. Everybody may enter these, while the state directory may be readable by root only.
_PLACES = ("/mnt", "/media", "/srv", "/opt", "/run", "/tmp")  # noqa: S108 - a mount hides it, nothing is written

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


def enter_private_mounts() -> Path:
    """Give the calling thread mounts of its own, for good, and return an empty directory in them."""
    _check(_libc.unshare(_CLONE_NEWNS), "unshare")
    os.umask(0o022)  # of this thread only: Lambda's user has to enter what is made here
    _check(_libc.mount(None, b"/", None, _MS_REC | _MS_SLAVE, None), "/")
    place = next(Path(name) for name in _PLACES if _passable(Path(name)))
    mount("tmpfs", "tmpfs", place, 0, "mode=755,size=1m")
    return place


def mount(kind: str, source: str | Path, target: Path, flags: int, data: str = "") -> None:
    """Mount a file system. Raises OSError."""
    arguments = (os.fsencode(source), os.fsencode(target), kind.encode(), flags, data.encode())
    _check(_libc.mount(*arguments), str(target))


def bind(source: Path, target: Path) -> None:
    """Mount `source` at `target` as well, and make `target`. Raises OSError."""
    target.mkdir(parents=True)
    _check(_libc.mount(os.fsencode(source), os.fsencode(target), None, _MS_BIND | _MS_REC, None), str(target))


def unmount(target: Path) -> None:
    """Remove the topmost mount at `target`. Raises OSError."""
    _check(_libc.umount2(os.fsencode(target), 0), str(target))


def stack(layers: Sequence[Path], target: Path, changes: Path | None = None) -> None:
    """Mount layers, lowest first, over each other at `target`, and make `target`. Raises OSError.

    Without a directory for `changes` they are read-only.
    """
    target.mkdir()
    parent = Path(os.path.commonpath(layers))
    os.chdir(parent)  # of this thread only: relative names keep the options within one page
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


# https://man7.org/linux/man-pages/man4/loop.4.html
_LOOP_CONTROL = "/dev/loop-control"
_LOOP_CTL_GET_FREE = 0x4C82
_LOOP_CONFIGURE = 0x4C0A
_LO_FLAGS_AUTOCLEAR = 4
_LOOP_MAJOR = 7
_BLOCK = 4096
_ATTEMPTS = 100


class _LoopInfo(ctypes.Structure):
    _fields_ = (
        ("head", ctypes.c_uint64 * 5),
        ("kind", ctypes.c_uint32 * 3),
        ("flags", ctypes.c_uint32),
        ("names", ctypes.c_uint8 * 160),
        ("tail", ctypes.c_uint64 * 2),
    )


class _LoopConfiguration(ctypes.Structure):
    _fields_ = (
        ("descriptor", ctypes.c_uint32),
        ("block_size", ctypes.c_uint32),
        ("info", _LoopInfo),
        ("reserved", ctypes.c_uint64 * 8),
    )


class TemporaryStorage:
    """Makes file systems of exactly the configured size for /tmp, in files, so that they take disk and no memory.

    Pages of a tmpfs would count against the memory of the function, which they do not on Lambda. Each file is a sparse
    copy of an ext4 template, deleted once it is mounted; the loop device frees itself on unmount. `directory` is for
    templates, `scratch` for copies; `user` and `group` own what is mounted.
    """

    def __init__(self, directory: Path, scratch: Path, user: int, group: int) -> None:
        self._directory = directory
        self._scratch = scratch
        self._owner = (user, group)
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def mount(self, megabytes: int, place: Path) -> Path:
        """Mount a new file system at `place`, make `place`, and return the directory for /tmp. Raises OSError."""
        with self._lock:
            template = self._template(megabytes, place)
        descriptor, name = tempfile.mkstemp(suffix=".ext4", dir=self._scratch)
        try:
            _copy_sparse(template, descriptor)
            _mount_file(descriptor, place)
        finally:
            os.close(descriptor)
            Path(name).unlink()
        return place / "tmp"

    def _template(self, megabytes: int, place: Path) -> Path:
        template = self._directory / f"{megabytes}-{self._owner[0]}-{self._owner[1]}.ext4"
        if not template.exists():
            descriptor, name = tempfile.mkstemp(suffix=".ext4", dir=self._scratch)
            try:
                self._make(descriptor, name, megabytes, place.with_name("template"))
                Path(name).replace(template)
            finally:
                os.close(descriptor)
                Path(name).unlink(missing_ok=True)
        return template

    def _make(self, descriptor: int, name: str, megabytes: int, place: Path) -> None:
        # Larger than wanted, for ext4's own tables; what remains is then reserved for root.
        os.ftruncate(descriptor, megabytes * MIB * 104 // 100 + 8 * MIB)
        _run(
            "mkfs.ext4",
            "-q",
            "-b",
            str(_BLOCK),
            "-F",
            "-O",
            "^has_journal",
            "-m",
            "0",
            "-E",
            "lazy_itable_init=1,nodiscard",
            name,
        )
        _mount_file(descriptor, place)
        (place / "lost+found").rmdir()
        (place / "tmp").mkdir(mode=0o700)
        os.chown(place / "tmp", *self._owner)
        free = os.statvfs(place)
        unmount(place)
        os.fsync(descriptor)
        _run("tune2fs", "-r", str(max(0, free.f_bavail - megabytes * MIB // _BLOCK)), name)


def _run(program: str, *arguments: str) -> None:
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    try:
        subprocess.run([program, *arguments], check=True, capture_output=True, env={"PATH": path})
    except subprocess.CalledProcessError as error:
        raise OSError(errno.EIO, f"{program}: {error.stderr.decode(errors='replace').strip()}") from error


def _copy_sparse(source: Path, target: int) -> None:
    with source.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        os.ftruncate(target, size)
        position = 0
        while position < size:
            try:
                position = os.lseek(file.fileno(), position, os.SEEK_DATA)
            except OSError:  # there is only a hole up to the end
                return
            end = os.lseek(file.fileno(), position, os.SEEK_HOLE)
            os.lseek(target, position, os.SEEK_SET)
            while position < end:
                position += os.sendfile(target, file.fileno(), position, end - position)


def _mount_file(descriptor: int, place: Path) -> None:
    place.mkdir(exist_ok=True)
    device = place.with_name("loop-device")
    loop = _attach(descriptor, device)
    try:
        flags = MS_NOSUID | MS_NODEV | MS_NOATIME
        mount("ext4", device, place, flags, "nobarrier")  # nothing in it has to survive a crash
    finally:
        os.close(loop)
        device.unlink()


def _attach(descriptor: int, device: Path) -> int:
    """Attach a file to a free loop device, and make its node at `device`, as /dev may have too few nodes."""
    control = os.open(_LOOP_CONTROL, os.O_RDWR | os.O_CLOEXEC)
    try:
        for _ in range(_ATTEMPTS):
            number = fcntl.ioctl(control, _LOOP_CTL_GET_FREE)
            device.unlink(missing_ok=True)
            os.mknod(device, stat.S_IFBLK | 0o600, os.makedev(_LOOP_MAJOR, number))
            loop = os.open(device, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(loop, _LOOP_CONFIGURE, _configuration(descriptor))
            except OSError as error:
                os.close(loop)
                if error.errno != errno.EBUSY:  # another process was faster
                    raise
            else:
                return loop
    finally:
        os.close(control)
    raise OSError(errno.EBUSY, "no free loop device", _LOOP_CONTROL)


def _configuration(descriptor: int) -> bytes:
    return bytes(_LoopConfiguration(descriptor, 0, _LoopInfo(flags=_LO_FLAGS_AUTOCLEAR)))
