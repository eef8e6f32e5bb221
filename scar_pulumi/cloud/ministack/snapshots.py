"""Snapshots of MiniStack's state, so that ids, dates and log events that it has made up survive a kill.

What MiniStack has saved becomes a snapshot in one rename, and the journal's older entries go only after that. So a kill
at any moment leaves either the old snapshot with its journal or the new one.
"""

import asyncio
import json
import logging
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.asgi import ASGIApp
from scar_pulumi.cloud.ministack.application import save_state
from scar_pulumi.cloud.ministack.journal import Journal

_log = logging.getLogger(__name__)

_SIDECAR = ".meta.json"
# Objects whose keys are no file names have other names in here, and only their descriptions tell the keys.
_ENCODED = ".ministack-keys"


class Snapshots:
    """Numbered copies of MiniStack's working directory, as hard links: it replaces files and never edits them."""

    def __init__(self, directory: Path, working: Path, journal: Journal) -> None:
        self._directory = directory
        self._working = working
        self._journal = journal
        self._saved: set[str] = set()
        self._saving = asyncio.Lock()
        self.seconds = 0.0
        """How long the last save kept everything else waiting."""

    def restore(self) -> int:
        """Fill the working directory from the newest snapshot, before MiniStack runs; return the snapshot's number.

        Raises LocalCloudError when the snapshot is damaged, as MiniStack would start without what it cannot read.
        """
        number = max([0, *self._numbers()])
        _verify(self._directory / str(number))
        shutil.rmtree(self._working, ignore_errors=True)
        if number:
            shutil.copytree(self._directory / str(number), self._working, copy_function=os.link)
        self._working.mkdir(mode=0o700, exist_ok=True)
        self._discard(number)
        return number

    async def save(self, application: ASGIApp) -> bool:
        """Make a snapshot of the running application; return False when it is incomplete, and the journal is kept."""
        async with self._saving:
            return await self._save(application)

    async def _save(self, application: ASGIApp) -> bool:
        started = time.monotonic()
        before = _identities(self._working)
        number = self._journal.rotate()
        await save_state(application)
        saved = {name for name, inode in _identities(self._working).items() if before.get(name) != inode}
        if missing := self._saved - saved:
            _log.error("snapshot %d: not saved: %s; the journal is kept", number, ", ".join(sorted(missing)))
            return False
        self._saved = saved
        temporary = self._directory / f"unfinished-{number}"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self._working, temporary, copy_function=os.link)
        self.seconds = time.monotonic() - started
        # It must be on the disk before the journal's entries go, whose requests have been acknowledged.
        await asyncio.to_thread(_flush, [*temporary.iterdir(), temporary])
        temporary.rename(self._directory / str(number))
        await asyncio.to_thread(_flush, [self._directory])
        self._discard(number)
        return True

    def _numbers(self) -> list[int]:
        return [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]

    def _discard(self, number: int) -> None:
        for path in self._directory.iterdir():
            if path.name != str(number):
                shutil.rmtree(path, ignore_errors=True)
        self._journal.discard(number)


class Checkpoints:
    """Decides when to `save`: soon after a change of configuration, seldom for data, and never without a pause.

    `save` returns how many seconds it took.
    """

    soon, seldom, at_most = 0.3, 20.0, 2.0
    """Seconds: quiet time after a change of configuration; delay for data; longest wait while changes keep coming."""

    def __init__(self, save: Callable[[], Awaitable[float]]) -> None:
        self._save = save
        self._changed = asyncio.Event()
        self._first = self._due = 0.0
        self._task: asyncio.Task[None] | None = None

    def touch(self, *, data: bool = False) -> None:
        """Note a change; `data` is what the journal does not keep, or what changes all the time."""
        now = time.monotonic()
        due = now + (self.seldom if data else self.soon)
        if not self._changed.is_set():
            self._first, self._due = now, due
        elif data:
            self._due = min(self._due, due)
        else:
            self._due = min(due, max(self._first + self.at_most, now))
        self._changed.set()

    def start(self) -> None:
        """Start to watch for changes."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop watching, after a save that is running."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            while (wait := self._due - time.monotonic()) > 0:
                await asyncio.sleep(min(wait, 0.1))
            self._changed.clear()
            # Saving stops everything else, so it may take a twentieth of the time.
            await asyncio.sleep(20 * await asyncio.shield(self._save()))


def _flush(paths: Iterable[Path]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _verify(snapshot: Path) -> None:
    for path in snapshot.glob("*.json"):
        try:
            json.loads(path.read_bytes())
        except ValueError as error:
            raise LocalCloudError(
                f"{path}: the state is damaged ({error}); restore this file from a copy, or delete everything in the "
                "local cloud with: scar-pulumi local reset"
            ) from error


def _identities(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in directory.glob("*.json")}


def sweep_objects(directory: Path) -> int:
    """Remove what a kill has left half-written among MiniStack's S3 objects; return how many files that were.

    MiniStack writes an object to a temporary file and renames that, then does the same with a description beside it. A
    description older than its object belongs to the object before. Without it, MiniStack reads size and ETag from the
    object.
    """
    removed = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder) / name
            if name.endswith(".tmp") or (_ENCODED not in path.parts and _is_stale(path)):
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _is_stale(path: Path) -> bool:
    if not path.name.endswith(_SIDECAR):
        return False
    data = path.with_name(path.name.removesuffix(_SIDECAR))
    return data.is_file() and data.stat().st_mtime_ns > path.stat().st_mtime_ns
