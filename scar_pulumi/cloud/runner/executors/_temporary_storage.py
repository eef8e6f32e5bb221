"""The container's /tmp: a file system of exactly the configured size in a file, so that it takes disk, not memory.

Pages of a tmpfs count against the memory of the function that writes them, which on Lambda they do not. The file is a
sparse copy of an ext4 template per size, deleted as soon as it is mounted; the loop device frees itself on unmount.
"""

import ctypes
import errno
import fcntl
import os
import stat
import subprocess
import tempfile
import threading
from pathlib import Path

from scar_pulumi.cloud.runner.configuration import MEGABYTE
from scar_pulumi.cloud.runner.executors import _mounts

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
        _mounts.unmount(place)
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
        flags = _mounts.MS_NOSUID | _mounts.MS_NODEV | _mounts.MS_NOATIME
        _mounts.mount("ext4", device, place, flags, "nobarrier")  # nothing in it outlives a crash
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
