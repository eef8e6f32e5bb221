"""One container under bubblewrap, in a thread that lives as long as it does.

The thread matters twice: its private mounts are the container's, and the kernel ends the container with the thread that
started it (PR_SET_PDEATHSIG), therefore with the daemon, however that dies.
https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from scar_pulumi.cloud.runner.configuration import MEGABYTE
from scar_pulumi.cloud.runner.executors._bubblewrap_pipes import Pipes, wait_for_any
from scar_pulumi.cloud.runner.executors._bubblewrap_program import Mounts, arguments, packed
from scar_pulumi.cloud.runner.executors._cgroups import ControlGroup
from scar_pulumi.cloud.runner.executors._process_memory import resident
from scar_pulumi.cloud.runner.executors.interface import Confinement, LaunchError, Sandbox

# bwrap has no options for limits; they go from the shell to what it becomes. Beside it stays a guard that reads from
# the daemon's leash: the kernel's signal comes too early while bwrap has not yet bound its child to itself.
_SHELL = """
ulimit -n $1; shift; ulimit -c 0
exec 3<&0 </dev/null
(read line <&3; kill -s KILL -- -$$) >/dev/null 2>&1 &
exec "$@" 3<&-
"""
_GUARDED = ("/bin/sh", "-c", _SHELL, "sh")


_Prepare = Callable[[], tuple[Mounts, Path]]


class BubblewrapProcess:
    """A container; `prepare` makes its mounts and says where bwrap is, in the container's thread."""

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
        self._first = 0  # process number of the first process inside
        self._init = -1  # its descriptor
        self._peak = 0
        self._out_of_memory = False
        self.output, self._input = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.output, False)

    async def start(self) -> None:
        """Start it. Raises LaunchError."""
        threading.Thread(target=self._live, name=f"container-{self._sandbox.name[:8]}", daemon=True).start()
        await asyncio.shield(self._started)

    async def abandon(self) -> None:
        """End a container whose start nobody waits for any more."""
        with contextlib.suppress(LaunchError):
            await self._started
            await self.kill()
            os.close(self.output)

    def memory(self) -> int:
        """Return the most megabytes seen in use; each call looks again."""
        used = self._group.resident() if self._group.counts_memory else resident(self._first)
        self._peak = max(self._peak, -(-used // MEGABYTE))
        return self._peak

    def out_of_memory(self) -> bool:
        """Tell whether the kernel killed a process of it for want of memory."""
        return self._out_of_memory or self._group.out_of_memory()

    def terminate(self) -> bool:
        """Send SIGTERM to the command: the first child of the container's first process, which is bwrap's."""
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
        """Kill the container's first process, with which the kernel ends all others, and wait until they are gone."""
        if self._init >= 0 and not self._gone.done():
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        await asyncio.shield(self._gone)

    def _live(self) -> None:
        try:
            process, child = self._spawn()
        except Exception as error:  # noqa: BLE001 - belongs to whoever waits for the start
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
        os.close(child)  # here and not in the thread, so that `kill` never meets a closed descriptor
        self._gone.set_result(None)

    def _fail(self, error: Exception) -> None:
        said = b""
        with contextlib.suppress(BlockingIOError):
            said = os.read(self.output, 4096)
        os.close(self.output)
        self._gone.set_result(None)
        self.exited.cancel()
        reason = f"{error} {said.decode(errors='replace')}".strip()
        failure = LaunchError(f"{self._sandbox.function}: the container cannot be started: {reason}")
        self._started.set_exception(failure)

    def _tell(self, call: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
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

    def _execute(self, program: Path, mounts: Mounts, pipes: Pipes) -> subprocess.Popen[bytes]:
        options = packed(arguments(self._sandbox, mounts, pipes.map_read, pipes.information_write))
        confinement = self._sandbox.confinement
        is_root = os.geteuid() == 0
        if is_root:
            os.fchown(
                self._input, confinement.user, confinement.group
            )  # or the function could not open /dev/stdout again
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
        """Limit the container, map its users, and only then let it go on."""
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
    """As root: all users as they are, so that the image's owners hold. Else: ourselves as the function's user."""
    folder = Path(f"/proc/{process}")
    if os.geteuid() == 0:
        users = groups = "0 0 4294967295"
    else:
        users, groups = f"{confinement.user} {os.geteuid()} 1", f"{confinement.group} {os.getegid()} 1"
        (folder / "setgroups").write_text("deny")
    (folder / "uid_map").write_text(users)
    (folder / "gid_map").write_text(groups)
