"""Control groups of version 1 or 2: the limits of a container's memory and processes, where they can be set.

What works is found out by making one. Groups are below the daemon's own, so limits on the daemon hold as well.
"""

import contextlib
import errno
import os
import signal
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.limits import MIB

_PREFIX = "scar-pulumi-"


@dataclass(frozen=True)
class Controller:
    """A controller whose groups can be made: where, and in which version."""

    version: int
    parent: Path


class ControlGroup:
    """The control groups of one container: a directory for each controller, the same one for both in version 2."""

    def __init__(self, name: str, controllers: Mapping[str, Controller]) -> None:
        self._memory = _directory(controllers.get("memory"), name)
        self._version = controllers["memory"].version if "memory" in controllers else 0
        processes = _directory(controllers.get("pids"), name)
        self._processes = processes
        self.directories = tuple(dict.fromkeys(path for path in (self._memory, processes) if path is not None))

    @property
    def counts_memory(self) -> bool:
        """Whether `resident` can tell the memory in use."""
        return self._memory is not None

    def create(self, memory: int, processes: int) -> None:
        """Make the groups, with these limits of megabytes and processes."""
        for path in self.directories:
            path.mkdir(exist_ok=True)
        if self._processes is not None:
            (self._processes / "pids.max").write_text(str(processes))
        if self._memory is not None:
            self._limit_memory(self._memory, str(memory * MIB))

    def _limit_memory(self, path: Path, limit: str) -> None:
        if self._version == 2:
            (path / "memory.max").write_text(limit)
            _write_if_there(path / "memory.swap.max", "0")
        else:
            (path / "memory.limit_in_bytes").write_text(limit)
            _write_if_there(path / "memory.memsw.limit_in_bytes", limit)

    def join(self, process: int) -> None:
        """Move a process into the groups, and with it what it starts from then on."""
        for path in self.directories:
            (path / "cgroup.procs").write_text(str(process))

    def resident(self) -> int:
        """Return the bytes of memory in use, without cached files, or 0 where the kernel does not tell."""
        if self._memory is None:
            return 0
        field = "anon" if self._version == 2 else "rss"
        return _field(self._memory / "memory.stat", field)

    def out_of_memory(self) -> bool:
        """Return whether the kernel has killed a process because of the memory limit."""
        if self._memory is None:
            return False
        return _field(self._memory / ("memory.events" if self._version == 2 else "memory.oom_control"), "oom_kill") > 0

    def remove(self) -> None:
        """Kill the processes in the groups and remove the groups."""
        remove_groups(self.directories)


def find_controllers(own: str | None = None) -> dict[str, Controller]:
    """Return the controllers, of memory and of processes, that work here, after trying each."""
    lines = [line.split(":", 2) for line in (own or Path("/proc/self/cgroup").read_text()).splitlines()]
    groups = {name: path for _, names, path in lines for name in names.split(",")}
    mounts = _mounted()
    found = {}
    for name in ("memory", "pids"):
        candidates = _candidates(name, groups, mounts)
        usable = next((candidate for candidate in candidates if _works(name, candidate)), None)
        if usable is not None:
            found[name] = usable
    return found


def remove_groups(directories: Iterable[Path]) -> None:
    """Kill every process in these groups, whoever started it, and remove the groups."""
    for path in directories:
        deadline = time.monotonic() + 10
        while path.exists():
            _kill(path)
            try:
                path.rmdir()
            except OSError as error:
                if error.errno != errno.EBUSY or time.monotonic() > deadline:
                    break
                time.sleep(0.005)  # killed processes leave their group a moment later


def _kill(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for line in (path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(line), signal.SIGKILL)


def _candidates(name: str, groups: Mapping[str, str], mounts: Mapping[str, Path]) -> list[Controller]:
    if name in groups and name in mounts:
        return [Controller(1, mounts[name] / groups[name].lstrip("/"))]
    if "" not in groups or "" not in mounts:
        return []
    own = mounts[""] / groups[""].lstrip("/")
    # In version 2 a group with processes cannot limit its children, so look for the nearest one above that can.
    return [Controller(2, path) for path in (own, *own.parents) if path.is_relative_to(mounts[""])]


def _works(name: str, controller: Controller) -> bool:
    """Make a group, set a limit, remove it."""
    path = controller.parent / f"{_PREFIX}probe-{os.getpid()}"
    try:
        if controller.version == 2:
            _enable(name, controller.parent)
        path.mkdir(exist_ok=True)
        limit = "memory.max" if controller.version == 2 else "memory.limit_in_bytes"
        (path / ("pids.max" if name == "pids" else limit)).write_text("4194304")
    except OSError:
        return False
    finally:
        with contextlib.suppress(OSError):
            path.rmdir()
    return True


def _enable(name: str, parent: Path) -> None:
    control = parent / "cgroup.subtree_control"
    if name not in control.read_text().split():
        control.write_text(f"+{name}")


def _mounted() -> dict[str, Path]:
    """Return the mount of each controller; version 2 has the empty name, as in /proc/self/cgroup."""
    mounts: dict[str, Path] = {}
    for line in Path("/proc/mounts").read_text().splitlines():
        _, target, kind, options, *_ = line.split(" ")
        if kind == "cgroup2":
            mounts.setdefault("", Path(target))
        elif kind == "cgroup":
            mounts.update({option: Path(target) for option in options.split(",") if option in {"memory", "pids"}})
    return mounts


def _directory(controller: Controller | None, name: str) -> Path | None:
    return controller.parent / f"{_PREFIX}{name}" if controller else None


def _field(path: Path, name: str) -> int:
    with contextlib.suppress(OSError):
        for line in path.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0


def _write_if_there(path: Path, text: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.write_text(text)
