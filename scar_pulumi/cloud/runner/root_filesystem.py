"""Images as root filesystems on disk: one directory for each layer, shared by all images that have the layer.

A layer is unpacked beside its place and renamed into it, so a killed process leaves nothing unfinished there. Each
process holds a shared lock on the layers that it uses, and only a layer without locks is removed.
"""

import asyncio
import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from scar_foundation.files import write_whole
from scar_foundation.locks import try_lock
from scar_pulumi.cloud.runner.configuration import Images
from scar_pulumi.cloud.runner.image import StoredImage, StoredLayer
from scar_pulumi.cloud.runner.layers import Marks, Removals, merge, unpack

# Characters of a digest in names of folders. A mount takes 4095 bytes of options, and an image may have 127 layers.
_NAME = 24
_PARTIAL = "partial-"


@dataclass(frozen=True)
class RootFilesystem:
    """The root of a container: layers to stack, lowest first, and one `merged` directory if they cannot be stacked."""

    layers: tuple[Path, ...]
    merged: Path | None = None


class RootFilesystems:
    """The unpacked images under `directory`.

    `marks` is how removals are marked for overlayfs; "none" merges the layers instead. Layers whose paths together are
    longer than the `limit` are merged, too.
    """

    def __init__(self, directory: Path, images: Images, marks: Marks, limit: int | None = None) -> None:
        self._images = images
        self._limit = limit
        self._marks: Marks = marks
        self._layers = directory / "layers" / marks
        self._merged = directory / "merged"
        self._records = directory / "images"
        for folder in (self._layers, self._merged, self._records):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._platform = self._layers / "platform"
        self._threads = ThreadPoolExecutor(max(2, os.cpu_count() or 1), "unpack")
        self._running: dict[Path, asyncio.Task[None]] = {}
        self._held: dict[Path, int] = {}
        self._gate = asyncio.Lock()
        self._unpacking = 0
        self._discard(self._platform)  # the machine's name servers may have changed

    async def acquire(self, image: StoredImage) -> RootFilesystem:
        """Unpack the missing layers of `image` and return its root filesystem. Raises UnusableImageError."""
        async with self._gate:
            self._unpacking += 1
        try:
            return await self._acquire(image)
        finally:
            self._unpacking -= 1

    async def _acquire(self, image: StoredImage) -> RootFilesystem:
        stacked = _topmost(image.layers)
        await asyncio.gather(*(self._once(self._place(layer), layer) for layer in stacked))
        await self._once(self._platform, None)
        layers = (*(self._place(layer) for layer in stacked), self._platform)
        record = self._records / f"{_name(image.digest)}.json"
        if not record.exists():
            write_whole(record, json.dumps(_record(image, layers)))
        if self._stackable(layers):
            return RootFilesystem(tuple(layer / "root" for layer in layers))
        merged = self._merged / _name(image.digest)
        await self._once(merged, layers)
        return RootFilesystem(tuple(layer / "root" for layer in layers), merged / "root")

    def _stackable(self, layers: tuple[Path, ...]) -> bool:
        length = sum(len(str(layer)) + len("/root:") for layer in layers)
        return self._marks != "none" and (self._limit is None or length < self._limit)

    async def collect(self, in_use: Iterable[str]) -> None:
        """Remove the layers of images that are no longer in the store, except those of the digests `in_use`."""
        async with self._gate:  # an image that is being unpacked may share layers with a removed one
            if not self._unpacking:
                await asyncio.get_running_loop().run_in_executor(self._threads, self._collect, set(in_use))

    def count(self) -> int:
        """Return how many images are unpacked."""
        return sum(1 for _ in self._records.glob("*.json"))

    def close(self) -> None:
        """Release every layer, so that other processes may remove it."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        for held in self._held.values():
            os.close(held)
        self._held.clear()

    def _place(self, layer: StoredLayer) -> Path:
        return self._layers / _name(layer.digest)

    async def _once(self, place: Path, source: StoredLayer | tuple[Path, ...] | None) -> None:
        """Make `place` in a thread unless this process has it; calls at the same time share the thread."""
        if place in self._held:
            return
        task = self._running.get(place)
        if task is None:
            task = self._running[place] = asyncio.create_task(self._in_thread(place, source))
            task.add_done_callback(lambda _: self._running.pop(place))
            task.add_done_callback(
                lambda task: task.cancelled() or task.exception()
            )  # the callers may all be cancelled
        await asyncio.shield(task)

    async def _in_thread(self, place: Path, source: StoredLayer | tuple[Path, ...] | None) -> None:
        self._held[place] = await asyncio.get_running_loop().run_in_executor(self._threads, self._make, place, source)

    def _make(self, place: Path, source: StoredLayer | tuple[Path, ...] | None) -> int:
        while True:
            held = _hold(place)
            if held is not None:
                return held
            partial, lock = _partial(place.parent)
            try:
                self._fill(partial, source)
                _rename(partial, place)
            finally:
                os.close(lock)
                shutil.rmtree(partial, ignore_errors=True)

    def _fill(self, partial: Path, source: StoredLayer | tuple[Path, ...] | None) -> None:
        if isinstance(source, tuple):
            merge(source, partial / "root")
            return
        root = partial / "root"
        root.mkdir(mode=0o755)
        removals = Removals() if source is None else unpack(source, root, self._marks)
        if source is None:
            _build_platform(root)
        (partial / "removed.json").write_text(json.dumps(asdict(removals)))

    def _collect(self, in_use: set[str]) -> None:
        wanted = {self._platform.name}
        for path in self._records.glob("*.json"):
            record = json.loads(path.read_text())
            if record["image"] in in_use or self._exists(record["image"]):
                wanted |= {_name(record["image"]), *record["layers"]}
            else:
                path.unlink()
        for folder in (self._layers, self._merged):
            for place in folder.iterdir():
                if place.name not in wanted:
                    self._discard(place)

    def _exists(self, digest: str) -> bool:
        try:
            self._images.manifest(digest)
        except KeyError:
            return False
        return True

    def _discard(self, place: Path) -> None:
        held = self._held.pop(place, None)
        if held is not None:
            os.close(held)
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            return
        try:
            if try_lock(lock):
                shutil.rmtree(_set_aside(place))
        except FileNotFoundError:
            return  # another process removes it
        finally:
            os.close(lock)


def _topmost(layers: tuple[StoredLayer, ...]) -> tuple[StoredLayer, ...]:
    """Return the layers without those that occur again higher up: overlayfs refuses a directory twice."""
    return tuple(reversed(dict.fromkeys(reversed(layers))))


def _name(digest: str) -> str:
    return digest.partition(":")[2][:_NAME]


def _record(image: StoredImage, layers: tuple[Path, ...]) -> dict[str, object]:
    return {"image": image.digest, "layers": [layer.name for layer in layers]}


def _partial(folder: Path) -> tuple[Path, int]:
    """Make a locked directory to build something in; unlocked ones are leftovers and are removed."""
    while True:
        partial = Path(tempfile.mkdtemp(prefix=_PARTIAL, dir=folder))
        try:
            lock = os.open(partial, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # removed by another process in between
        fcntl.flock(lock, fcntl.LOCK_EX)
        if partial.exists():
            return partial, lock
        os.close(lock)


def _hold(place: Path) -> int | None:
    """Lock `place` against removal; return None when it is missing or being removed."""
    try:
        held = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError:
        return None
    fcntl.flock(held, fcntl.LOCK_SH)
    if place.exists() and os.path.samestat(place.stat(), os.fstat(held)):
        return held
    os.close(held)
    return None


def _rename(partial: Path, place: Path) -> None:
    try:
        partial.rename(place)
    except OSError:
        if not place.is_dir():  # else another process was faster
            raise


def _set_aside(place: Path) -> Path:
    if place.name.startswith(_PARTIAL):
        return place
    return place.rename(place.with_name(f"{_PARTIAL}gone-{place.name}-{os.getpid()}"))


def _build_platform(root: Path) -> None:
    """Make the topmost layer of every image: directories to mount on, and the machine's name servers."""
    for name in ("proc", "dev", "tmp", "etc"):
        (root / name).mkdir(mode=0o755)
    resolver = Path("/etc/resolv.conf")
    (root / "etc/resolv.conf").write_text(resolver.read_text() if resolver.exists() else "")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
