"""The default executor: bubblewrap over unpacked layers, without a daemon and without root.

With root, the local cloud mounts what the container sees and bubblewrap runs as Lambda's user, so the permissions in
the image hold. Without root, bubblewrap does everything in a user namespace.
"""

import asyncio
import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from scar_foundation.locks import try_lock
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

# Longest options for a mount, which takes one page of them; bubblewrap writes the path of every layer there.
_OPTIONS = 3800
# A trial container is empty, so nothing in it can be executed. The error of bwrap shows that it was set up: this file
# is in the lower layer, not executable, and the upper layer hides it.
_TRIAL_COMMAND = "/folder/hidden"
_HIDDEN = b"No such file or directory"
_TRIAL_SECONDS = 20
_GROUPS = "control-groups.json"


@dataclass(frozen=True)
class Methods:
    """How root filesystems and /tmp are made on this machine."""

    stack: bool
    storage_in_file: bool


class Bubblewrap:
    """Runs containers with bubblewrap. `directory` is for unpacked images and for what containers need."""

    name = "bubblewrap"

    def __init__(self, directory: Path, images: Images) -> None:
        self._directory = directory
        self._images = images
        self._is_root = os.geteuid() == 0
        self._marks: Marks = "trusted" if self._is_root else "user"
        self._abandoned: set[asyncio.Task[None]] = set()
        self._ready: dict[str, RootFilesystem] = {}

    async def start(self) -> None:
        """Find out with trial containers what works here. Raises ExecutorUnavailable."""
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
        """Return the first methods with which a container starts. Raises ExecutorUnavailable with all failures."""
        failures: list[str] = []
        for stack, in_file in product((True, False), (True, False) if self._is_root else (False,)):
            methods, place = Methods(stack, in_file), self._run.path / f"trial-{len(failures)}"
            try:
                said = await asyncio.wait_for(self._try(methods, place), _TRIAL_SECONDS)
            except (OSError, LaunchError, TimeoutError) as error:
                failures.append(str(error))
                continue
            if b"execvp" in said and _HIDDEN in said:
                return methods
            failures.append(said.decode(errors="replace").strip())
        raise ExecutorUnavailable(f"bubblewrap: it cannot start a container ({'; '.join(dict.fromkeys(failures))})")

    async def _try(self, methods: Methods, place: Path) -> bytes:
        root = _trial_root(place, self._marks if methods.stack else "none")
        image = StoredImage("sha256:trial", Path("/"), ())
        sandbox = Sandbox("0" * 32, "trial", image, (_TRIAL_COMMAND,), "/", 128, 16, {})
        return await _last_words(await self._launch(methods, sandbox, root))

    async def prepare(self, image: StoredImage) -> None:
        """Unpack the layers of the image that are missing."""
        if image.digest not in self._ready:
            self._ready[image.digest] = await self._roots.acquire(image)

    async def launch(self, sandbox: Sandbox) -> Process:
        """Start a container, which takes about 20 ms."""
        await self.prepare(sandbox.image)
        return await self._launch(self._methods, sandbox, self._ready[sandbox.image.digest])

    async def _launch(self, methods: Methods, sandbox: Sandbox, root: RootFilesystem) -> Process:
        group = ControlGroup(f"{self._run.name}-{sandbox.name}", self._controllers)
        # A /tmp in memory counts against the limit, so the limit has room for it.
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
        """Remove unpacked layers that are in no image of the store any more."""
        kept = set(in_use)
        self._ready = {digest: root for digest, root in self._ready.items() if digest in kept}
        await self._roots.collect(kept)

    async def close(self) -> None:
        """Release the layers and remove the run's directory."""
        await asyncio.gather(*self._abandoned, return_exceptions=True)
        await asyncio.to_thread(self._roots.close)
        await asyncio.to_thread(self._run.close)

    def describe(self) -> dict[str, object]:
        """Return what works here."""
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
    """Mount volumes where the container's user can reach them, and return them."""
    found = []
    for number, volume in enumerate(volumes):
        mounts.bind(volume.source, place / "volumes" / str(number))
        found.append(replace(volume, source=place / "volumes" / str(number)))
    return tuple(found)


def _reachable(program: Program, place: Path) -> Path:
    """Return where Lambda's user can run bwrap, as a virtual environment may be readable by root only."""
    for folder in program.folders:
        mounts.bind(folder, place / "bwrap" / folder.name)
    if not program.folders:
        return program.path
    return place / "bwrap" / program.path.relative_to(program.folders[0].parent)


def _trial_root(place: Path, marks: Marks) -> RootFilesystem:
    lower, upper = place / "lower" / "root", place / "upper" / "root"
    for layer in (lower, upper):
        for name in ("folder", "proc", "dev", "tmp"):
            (layer / name).mkdir(parents=True)
    if marks == "none":
        return RootFilesystem((upper,), upper)
    (lower / "folder/hidden").touch(mode=0o600)
    os.setxattr(upper / "folder", f"{marks}.overlay.opaque", b"y")
    return RootFilesystem((lower, upper))


async def _last_words(process: Process) -> bytes:
    try:
        await process.exited
    finally:
        await process.kill()
    said = b""
    with contextlib.suppress(BlockingIOError):
        while part := os.read(process.output, 4096):
            said += part
    os.close(process.output)
    return said


class RunDirectory:
    """The directory of one run of the executor, locked while it runs; its name is in those of its control groups.

    What a killed run leaves is found, and removed, by the next.
    """

    def __init__(self, runs: Path) -> None:
        self.name = uuid.uuid4().hex[:12]
        self.path = runs / self.name
        self.path.mkdir(parents=True, mode=0o700)
        self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try_lock(self._lock)

    def remember_groups(self, parents: Iterable[Path]) -> None:
        """Note where this run makes control groups, before it makes any."""
        (self.path / _GROUPS).write_text(json.dumps([str(parent) for parent in parents]))

    def sweep_others(self) -> None:
        """Remove what killed runs have left: processes in their control groups, and files."""
        for path in self.path.parent.iterdir():
            if path != self.path:
                _sweep(path)

    def close(self) -> None:
        """Remove the directory."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self._lock)


def _sweep(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            if try_lock(lock):
                _remove_groups(path)
                shutil.rmtree(path, ignore_errors=True)
        finally:
            os.close(lock)


def _remove_groups(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError, ValueError):
        for parent in json.loads((path / _GROUPS).read_text()):
            remove_groups(Path(parent).glob(f"*{path.name}-*"))
