"""Root filesystems as images have them: nothing, one static binary, glibc, and one whose own Python is broken."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

_COMMON = ("cat", "chmod", "echo", "env", "false", "id", "ln", "ls", "mkdir", "mkfifo", "nohup", "pwd", "seq", "setsid")
_APPLETS = (*_COMMON, "ash", "kill", "sh", "sleep", "true", "wc")
_PROGRAMS = (*_COMMON, "bash", "sh", "sleep", "true")


def empty(folder: Path) -> Path:
    """Make a root with mount points, and nothing else."""
    for name in ("dev", "proc", "tmp", "opt"):
        (folder / name).mkdir(parents=True)
    return folder


def busybox(folder: Path, downloads: Path, program: Path | None = None) -> Path:
    """Make a root with one static binary under many names, as small musl images have it."""
    empty(folder)
    (folder / "bin").mkdir()
    shutil.copy(program or _static_busybox(downloads), folder / "bin/busybox")
    for applet in _APPLETS:
        (folder / "bin" / applet).symlink_to("busybox")
    _user_database(folder)
    return folder


def glibc(folder: Path, programs: Iterable[str] = _PROGRAMS) -> Path:
    """Make a root with programs of this machine and the libraries that they are linked with."""
    empty(folder)
    for name in programs:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found, f"{name} is missing on this machine"
        for file in [Path(found), *linked(Path(found))]:
            _copy(file, folder)
    for place in ("bin", "usr/bin"):
        (folder / place).mkdir(parents=True, exist_ok=True)
    for name in programs:
        for place in ("bin", "usr/bin"):
            other = "usr/bin" if place == "bin" else "bin"
            if not (folder / place / name).exists():
                (folder / place / name).symlink_to(f"/{other}/{name}")
    _user_database(folder)
    return folder


def broken_python(folder: Path, base: Path, downloads: Path) -> Path:
    """Make a glibc root whose python3 never works, and whose search paths lead to rubbish."""
    shutil.copytree(base, folder, symlinks=True)
    shutil.copy(_static_busybox(downloads), folder / "bin/busybox")
    python = folder / "usr/bin/python3"
    python.write_text("#!/bin/sh\necho this python is broken; exit 66\n")
    python.chmod(0o755)
    for name in ("libc.so.6", "libpython3.11.so.1.0", "libm.so.6"):
        rubbish = folder / "rubbish" / name
        rubbish.parent.mkdir(exist_ok=True)
        rubbish.write_bytes(b"\x7fELF not a library")
    for name in ("os.py", "json.py", "socket.py", "encodings.py", "supervisor.py"):
        (folder / "rubbish" / name).write_text("raise SystemExit('the module of the image was imported')\n")
    return folder


def open_to_all(folder: Path) -> None:
    """As layers are unpacked: readable whatever the umask was."""
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o444))


def linked(program: Path) -> Iterable[Path]:
    """Return the libraries and the loader that a program or library is linked with."""
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    words = [word for line in listed.splitlines() for word in line.split() if word.startswith("/")]
    return [Path(word) for word in words]


def _static_busybox(downloads: Path) -> Path:
    kept = downloads / "busybox-static" / "bin" / "busybox"
    for candidate in (Path("/usr/bin/busybox"), Path("/bin/busybox"), kept):
        if candidate.is_file() and not linked(candidate):
            return candidate
    partial = downloads / f".busybox-static-{os.getpid()}"
    partial.mkdir(parents=True)
    subprocess.run(["apt-get", "download", "-qq", "busybox-static"], cwd=partial, check=True)
    subprocess.run(["dpkg-deb", "-x", next(partial.glob("*.deb")), partial], check=True)
    if not kept.exists():
        partial.rename(kept.parents[1])
    return kept if kept.exists() else next(partial.rglob("bin/busybox"))


def _copy(file: Path, folder: Path) -> None:
    target = folder / str(file).lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        shutil.copy(file.resolve(), target)


def _user_database(folder: Path) -> None:
    (folder / "etc").mkdir(exist_ok=True)
    (folder / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
