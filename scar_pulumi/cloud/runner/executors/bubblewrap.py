"""The default executor: bubblewrap over unpacked layers; no daemon, and no root needed.

With root, the daemon mounts what the container sees and bubblewrap runs as Lambda's user, so the image's permissions
hold. Without root, bubblewrap does it all in a user namespace.
"""

import asyncio
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from scar_pulumi.cloud.runner._layer import Marks
from scar_pulumi.cloud.runner.configuration import Images
from scar_pulumi.cloud.runner.executors import _mounts
from scar_pulumi.cloud.runner.executors._bubblewrap_probe import probe
from scar_pulumi.cloud.runner.executors._bubblewrap_process import BubblewrapProcess
from scar_pulumi.cloud.runner.executors._bubblewrap_program import Mounts, Program, find_program
from scar_pulumi.cloud.runner.executors._cgroups import ControlGroup, Controller, find_controllers
from scar_pulumi.cloud.runner.executors._run_directory import RunDirectory
from scar_pulumi.cloud.runner.executors._temporary_storage import TemporaryStorage
from scar_pulumi.cloud.runner.executors.interface import GROUP, USER, Process, Sandbox, Volume
from scar_pulumi.cloud.runner.image import Image
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

    async def prepare(self, image: Image) -> None:
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

        def prepare() -> tuple[Mounts, Path]:
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

    def _lay_out(self, sandbox: Sandbox, root: RootFilesystem) -> tuple[Mounts, Path]:
        written = sandbox.confinement.writable and root.merged is None
        mounts = Mounts(root=root.merged, layers=root.layers, written=written, volumes=sandbox.volumes)
        return mounts, self._program.path

    def _mount(self, methods: Methods, sandbox: Sandbox, root: RootFilesystem) -> tuple[Mounts, Path]:
        place = _mounts.enter_private_mounts()
        written = sandbox.confinement.writable and root.merged is None
        temporary = None
        if methods.storage_in_file and self._storage is not None:
            temporary = self._storage.mount(sandbox.ephemeral_storage, place / "storage")
            if sandbox.confinement.user != USER:
                temporary.chmod(0o1777)
        elif written:
            (place / "storage").mkdir()
            _mounts.mount("tmpfs", "tmpfs", place / "storage", 0, f"mode=755,size={sandbox.ephemeral_storage}m")
        if root.merged is None:
            _mounts.stack(root.layers, place / "root", place / "storage" if written else None)
        else:
            _mounts.bind(root.merged, place / "root")
        volumes = _bound(sandbox.volumes, place)
        mounts = Mounts(place / "root", temporary=None if written else temporary, written=written, volumes=volumes)
        return mounts, _reachable(self._program, place)

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
        _mounts.bind(volume.source, place / "volumes" / str(number))
        found.append(replace(volume, source=place / "volumes" / str(number)))
    return tuple(found)


def _reachable(program: Program, place: Path) -> Path:
    """Return where Lambda's user can run bwrap: a virtual environment may lie where only root can look."""
    for folder in program.folders:
        _mounts.bind(folder, place / "bwrap" / folder.name)
    if not program.folders:
        return program.path
    return place / "bwrap" / program.path.relative_to(program.folders[0].parent)
