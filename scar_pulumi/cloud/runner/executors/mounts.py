"""Mounts that only one thread and the processes it starts can see, and the container's /tmp among them.

Linux keeps the mount namespace and the working directory per thread. A thread that leaves the shared ones can mount
what a container needs with root's rights and start it; the mounts vanish with the last process in them.
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

from scar_pulumi.cloud.runner.configuration import MEGABYTE

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
    """Makes /tmp file systems owned by `user` and `group`; `directory` holds templates, `scratch` what is in use."""

    def __init__(self, directory: Path, scratch: Path, user: int, group: int) -> None:
        self._directory = directory
        self._scratch = scratch
        self._owner = (user, group)
        self._lock = threading.Lock()
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)

    def mount(self, megabytes: int, place: Path) -> Path:
        """Mount a new file system at `place`, which is made, and return its folder for /tmp. Raises OSError."""
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
        # Enough above the wanted size for ext4's own tables; what is left over is then reserved for root.
        os.ftruncate(descriptor, megabytes * MEGABYTE * 104 // 100 + 8 * MEGABYTE)
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
        _run("tune2fs", "-r", str(max(0, free.f_bavail - megabytes * MEGABYTE // _BLOCK)), name)


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
            except OSError:  # nothing but a hole up to the end
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
        mount("ext4", device, place, flags, "nobarrier")  # nothing in it outlives a crash
    finally:
        os.close(loop)
        device.unlink()


def _attach(descriptor: int, device: Path) -> int:
    """Attach a file to a free loop device, whose node is made at `device`: /dev may hold too few of them."""
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
