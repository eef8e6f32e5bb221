"""The default executor: bubblewrap over unpacked layers; no daemon, and no root needed.

With root, the daemon mounts what the container sees and bubblewrap runs as Lambda's user, so the image's permissions
hold. Without root, bubblewrap does it all in a user namespace.
"""

import asyncio
import contextlib
import fcntl
import json
import os
import select
import shutil
import uuid
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol, TypeVar

from scar_pulumi.cloud.runner.configuration import Images
from scar_pulumi.cloud.runner.executors import (
    GROUP,
    USER,
    ExecutorUnavailable,
    LaunchError,
    Process,
    Sandbox,
    Volume,
    mounts,
)
from scar_pulumi.cloud.runner.executors.bubblewrap_process import (
    BubblewrapProcess,
    ContainerMounts,
    Program,
    find_program,
)
from scar_pulumi.cloud.runner.executors.control_groups import ControlGroup, Controller, find_controllers, remove_groups
from scar_pulumi.cloud.runner.executors.mounts import TemporaryStorage
from scar_pulumi.cloud.runner.image import StoredImage
from scar_pulumi.cloud.runner.layers import Marks
from scar_pulumi.cloud.runner.root_filesystem import RootFilesystem, RootFilesystems

# A mount takes one page of options; bubblewrap writes the whole path of every layer into it.
_OPTIONS = 3800


@dataclass(frozen=True)
class Methods:
    """How root filesystems and /tmp are made here."""

    stack: bool
    storage_in_file: bool


class Bubblewrap:
    """Runs containers with bubblewrap; `directory` holds unpacked images and what runs need."""

    name = "bubblewrap"

    def __init__(self, directory: Path, images: Images) -> None:
        self._directory = directory
        self._images = images
        self._is_root = os.geteuid() == 0
        self._marks: Marks = "trusted" if self._is_root else "user"
        self._abandoned: set[asyncio.Task[None]] = set()
        self._ready: dict[str, RootFilesystem] = {}

    async def start(self) -> None:
        """Find out by real runs what works here. Raises ExecutorUnavailable."""
        self._program = await asyncio.to_thread(find_program, not self._is_root)
        self._run = RunDirectory(self._directory / "runs")
        self._controllers = await asyncio.to_thread(self._sweep)
        templates = self._directory / "storage"
        self._storage = TemporaryStorage(templates, self._run.path, USER, GROUP) if self._is_root else None
        try:
            self._methods = await self._find_methods()
        except BaseException:
            self._run.close()
            raise
        marks = self._marks if self._methods.stack else "none"
        limit = None if self._is_root else _OPTIONS
        self._roots = RootFilesystems(self._directory, self._images, marks, limit)
        await self._roots.collect(())

    def _sweep(self) -> dict[str, Controller]:
        self._run.sweep_others()
        controllers = find_controllers()
        self._run.remember_groups({controller.parent for controller in controllers.values()})
        return controllers

    async def _find_methods(self) -> Methods:
        in_file = (True, False) if self._is_root else (False,)
        candidates = [Methods(stack, storage) for stack in (True, False) for storage in in_file]

        async def launch(methods: Methods, sandbox: Sandbox, root: RootFilesystem) -> Process:
            return await self._launch(methods, sandbox, root)

        return await probe(candidates, launch, self._run.path / "probe", self._marks)

    async def prepare(self, image: StoredImage) -> None:
        """Unpack the image's layers that are not there yet."""
        if image.digest not in self._ready:
            self._ready[image.digest] = await self._roots.acquire(image)

    async def launch(self, sandbox: Sandbox) -> Process:
        """Start a container; about 20 ms."""
        await self.prepare(sandbox.image)
        return await self._launch(self._methods, sandbox, self._ready[sandbox.image.digest])

    async def _launch(self, methods: Methods, sandbox: Sandbox, root: RootFilesystem) -> Process:
        group = ControlGroup(f"{self._run.name}-{sandbox.name}", self._controllers)
        # A /tmp in memory counts against the limit: make room for it.
        limit = sandbox.memory + (0 if methods.storage_in_file else sandbox.ephemeral_storage)

        def prepare() -> tuple[ContainerMounts, Path]:
            return self._mount(methods, sandbox, root) if self._is_root else self._lay_out(sandbox, root)

        process = BubblewrapProcess(sandbox, prepare, group, limit)
        try:
            await process.start()
        except asyncio.CancelledError:
            task = asyncio.create_task(process.abandon())
            self._abandoned.add(task)
            task.add_done_callback(self._abandoned.discard)
            raise
        return process

    def _lay_out(self, sandbox: Sandbox, root: RootFilesystem) -> tuple[ContainerMounts, Path]:
        written = sandbox.confinement.writable and root.merged is None
        laid_out = ContainerMounts(root=root.merged, layers=root.layers, written=written, volumes=sandbox.volumes)
        return laid_out, self._program.path

    def _mount(self, methods: Methods, sandbox: Sandbox, root: RootFilesystem) -> tuple[ContainerMounts, Path]:
        place = mounts.enter_private_mounts()
        written = sandbox.confinement.writable and root.merged is None
        temporary = None
        if methods.storage_in_file and self._storage is not None:
            temporary = self._storage.mount(sandbox.ephemeral_storage, place / "storage")
            if sandbox.confinement.user != USER:
                temporary.chmod(0o1777)
        elif written:
            (place / "storage").mkdir()
            mounts.mount("tmpfs", "tmpfs", place / "storage", 0, f"mode=755,size={sandbox.ephemeral_storage}m")
        if root.merged is None:
            mounts.stack(root.layers, place / "root", place / "storage" if written else None)
        else:
            mounts.bind(root.merged, place / "root")
        volumes = _bound(sandbox.volumes, place)
        laid_out = ContainerMounts(
            place / "root", temporary=None if written else temporary, written=written, volumes=volumes
        )
        return laid_out, _reachable(self._program, place)

    async def collect(self, in_use: Iterable[str]) -> None:
        """Remove unpacked layers that no image of the store has any more."""
        kept = set(in_use)
        self._ready = {digest: root for digest, root in self._ready.items() if digest in kept}
        await self._roots.collect(kept)

    async def close(self) -> None:
        """Give back locks and the run's folder."""
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        await asyncio.to_thread(self._roots.close)
        await asyncio.to_thread(self._run.close)

    def describe(self) -> dict[str, object]:
        """Say what was found to work."""
        limits = {name: f"cgroup v{found.version}" for name, found in self._controllers.items()}
        missing = "not limited: control groups cannot be written here"
        return {
            "program": f"{self._program.version} ({self._program.path})",
            "root_filesystem": "overlay of shared layers" if self._methods.stack else "merged copy of hard links",
            "root_filesystems": self._roots.count(),
            "temporary_storage": "file on disk" if self._methods.storage_in_file else "memory",
            "user": f"{USER}:{GROUP}" if self._is_root else f"{USER}:{GROUP} in a user namespace",
            "memory_limit": limits.get("memory", missing),
            "process_limit": limits.get("pids", missing),
        }


def _bound(volumes: Iterable[Volume], place: Path) -> tuple[Volume, ...]:
    """Return the volumes where the container's user can reach them."""
    found = []
    for number, volume in enumerate(volumes):
        mounts.bind(volume.source, place / "volumes" / str(number))
        found.append(replace(volume, source=place / "volumes" / str(number)))
    return tuple(found)


def _reachable(program: Program, place: Path) -> Path:
    """Return where Lambda's user can run bwrap: a virtual environment may lie where only root can look."""
    for folder in program.folders:
        mounts.bind(folder, place / "bwrap" / folder.name)
    if not program.folders:
        return program.path
    return place / "bwrap" / program.path.relative_to(program.folders[0].parent)


# Nothing that could be executed is at hand for an empty root. What bwrap says after everything was set up tells enough:
# this file is in the lower layer but not executable, and the upper layer hides it.
_COMMAND = "/folder/hidden"
_HIDDEN = b"No such file or directory"
_SECONDS = 20


class _Candidate(Protocol):
    @property
    def stack(self) -> bool: ...


Candidate = TypeVar("Candidate", bound=_Candidate)
Launch = Callable[[Candidate, Sandbox, RootFilesystem], Awaitable[Process]]


async def probe(candidates: Sequence[Candidate], launch: Launch[Candidate], folder: Path, marks: Marks) -> Candidate:
    """Return the first candidate with which a container comes up. Raises ExecutorUnavailable with the failures."""
    failures = []
    for number, candidate in enumerate(candidates):
        try:
            root = _build(folder / str(number), marks if candidate.stack else "none")
            process = await launch(candidate, _sandbox(), root)
            said = await asyncio.wait_for(_last_words(process), _SECONDS)
        except (OSError, LaunchError, TimeoutError) as error:
            failures.append(str(error))
            continue
        if b"execvp" in said and _HIDDEN in said:
            return candidate
        failures.append(said.decode(errors="replace").strip())
    reasons = "; ".join(dict.fromkeys(failures))
    raise ExecutorUnavailable(f"bubblewrap: containers cannot be built here ({reasons})")


def _build(folder: Path, marks: Marks) -> RootFilesystem:
    lower, upper = folder / "lower" / "root", folder / "upper" / "root"
    for layer in (lower, upper):
        for name in ("folder", "proc", "dev", "tmp"):
            (layer / name).mkdir(parents=True)
    if marks == "none":
        return RootFilesystem((upper,), upper)
    (lower / "folder/hidden").touch(mode=0o600)
    os.setxattr(upper / "folder", f"{marks}.overlay.opaque", b"y")
    return RootFilesystem((lower, upper))


def _sandbox() -> Sandbox:
    image = StoredImage("sha256:probe", Path("/"), ())
    return Sandbox("0" * 32, "probe", image, (_COMMAND,), "/", 128, 16, {})


async def _last_words(process: Process) -> bytes:
    try:
        await process.exited
    finally:
        await process.kill()
    said = b""
    while select.select([process.output], [], [], 0)[0]:
        part = os.read(process.output, 4096)
        if not part:
            break
        said += part
    os.close(process.output)
    return said


_GROUPS = "control-groups.json"


class RunDirectory:
    """The folder of this run; its name is in the names of the run's control groups."""

    def __init__(self, runs: Path) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.path = runs / self.name
        self.path.mkdir(parents=True, mode=0o700)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remember_groups(self, parents: Iterable[Path]) -> None:
        """Write down where this run makes control groups, before it makes any."""
        (self.path / _GROUPS).write_text(json.dumps([str(parent) for parent in parents]))

    def sweep_others(self) -> None:
        """Remove what runs that are no more have left: processes in their control groups, and files."""
        for path in self.path.parent.iterdir():
            if path != self.path:
                _sweep(path)

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        else:
            _remove_groups(path)
            shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


def _remove_groups(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        for parent in json.loads((path / _GROUPS).read_text()):
            remove_groups(Path(parent).glob(f"*{path.name}-*"))
