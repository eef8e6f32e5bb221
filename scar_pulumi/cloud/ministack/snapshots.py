"""Snapshots of the emulator's state: what keeps generated ids, dates and log events over a kill.

MiniStack saves its state when it is asked to shut down by an ASGI lifespan message; saving is all that message does to
services that run in this process, so it can be sent to a live application. What was saved becomes a snapshot in one
rename, and only then the journal's older entries go: a kill at any moment leaves either the old pair or the new one.
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
from scar_pulumi.cloud.asgi import ASGIApp, Message
from scar_pulumi.cloud.ministack.journal import Journal

_log = logging.getLogger(__name__)


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
        """Fills the working directory from the newest snapshot and returns its number; MiniStack must not run yet.

        Raises LocalCloudError when the snapshot is damaged: MiniStack would begin without what it cannot read.
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
        """Make a snapshot of the running application; False when not everything was saved, and the journal stays."""
        async with self._saving:
            return await self._save(application)

    async def _save(self, application: ASGIApp) -> bool:
        started = time.monotonic()
        before = _identities(self._working)
        number = self._journal.rotate()
        await send_shutdown(application)
        saved = {name for name, inode in _identities(self._working).items() if before.get(name) != inode}
        if missing := self._saved - saved:
            _log.error("snapshot %d: not saved: %s; the journal is kept", number, ", ".join(sorted(missing)))
            return False
        self._saved = saved
        temporary = self._directory / f"unfinished-{number}"
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(self._working, temporary, copy_function=os.link)
        self.seconds = time.monotonic() - started
        # On the disk before the journal's entries go, which those who asked were promised to find again.
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
    """Decides when to `save`: soon after configuration changed, seldom for data, never back to back.

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
        """Notes a change; `data` for what only a snapshot, not the journal, keeps, or what comes in masses."""
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
        """Begins watching."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stops watching; a save that runs is finished."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            while (wait := self._due - time.monotonic()) > 0:
                await asyncio.sleep(min(wait, 0.1))
            self._changed.clear()
            # A large state takes long to save, and saving stops everything else.
            await asyncio.sleep(20 * await asyncio.shield(self._save()))


async def send_shutdown(application: ASGIApp) -> None:
    """Sends the one lifespan message that makes MiniStack save its state."""

    async def receive() -> Message:
        return {"type": "lifespan.shutdown"}

    async def send(message: Message) -> None:
        if message["type"] == "lifespan.shutdown.failed":
            _log.error("MiniStack could not save its state: %s", message.get("message", ""))

    await application({"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}}, receive, send)


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
                f"{path}: the state is damaged ({error}); put a copy of this file back, or delete everything in the "
                "local cloud with: scar-pulumi local reset"
            ) from error


def _identities(directory: Path) -> dict[str, int]:
    return {path.name: path.stat().st_ino for path in directory.glob("*.json")}


_SIDECAR = ".meta.json"
# Keys that cannot be file names lie here under other names, and only their descriptions know the keys.
_ENCODED = ".ministack-keys"


def sweep_objects(directory: Path) -> int:
    """Removes temporary files and stale descriptions; returns how many."""
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
