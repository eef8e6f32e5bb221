"""The local cloud's own state: one SQLite file, which one thread flushes to the disk for all who wait.

A change is committed when it is made, and then survives the end of this process. Whoever acknowledges it to somebody
waits for `flushed` first, and then it survives the end of the machine. That is what `synchronous = FULL` does within
each commit, which would stop every request on the event loop for as long as the disk takes: docs/adr/0014.
"""

import asyncio
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.layout import STATE_VERSION

_CHECKPOINT_CHANGES = 500
"""Changed rows after which the log's pages go to the main file, in the flushing thread."""
_LARGEST_LOG = 20_000
"""Pages of 4 KiB; a log that long is emptied at once, on the event loop."""

flush_file = getattr(os, "fdatasync", os.fsync)  # macOS has no fdatasync


class StateError(LocalCloudError):
    """The local cloud's state cannot be read or written; nothing is left of the change that was being made."""


class Database:
    """One connection, to be used on the event loop's thread. Typed stores have the tables and all SQL."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch(mode=0o600)
        self._connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        try:
            self._prepare()
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise LocalCloudError(
                f"{path}: the state is damaged ({error}); put a copy of this file back, or delete everything in the "
                "local cloud with: scar-pulumi local reset"
            ) from error
        self._log = os.open(f"{path}-wal", os.O_RDONLY)
        self._flusher = ThreadPoolExecutor(1, "state")
        self._flush: asyncio.Task[None] | None = None
        self._flush_failure: OSError | None = None
        self._flushed = self._checkpointed = 0

    def define(self, tables: str) -> None:
        """Create the tables of a store where they are missing."""
        with self._reported():
            self._connection.executescript(tables)

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return what a query finds. Raises StateError."""
        with self._reported():
            return self._connection.execute(query, values).fetchall()

    def row(self, query: str, *values: object) -> tuple[Any, ...] | None:
        """Return the first row that a query finds. Raises StateError."""
        with self._reported():
            found: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
            return found

    def write(self, statement: str, *values: object) -> int:
        """Make one change and return the number of its last new row. Raises StateError."""
        with self._reported():
            return self._connection.execute(statement, values).lastrowid or 0

    def write_all(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Make one change for each row, within a transaction. Raises StateError."""
        with self._reported():
            self._connection.executemany(statement, rows)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make what is done within it one change; not to be nested, and not to be awaited in. Raises StateError."""
        self.write("BEGIN IMMEDIATE")
        try:
            yield
            self.write("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    async def flushed(self) -> None:
        """Return when every change made so far is on the disk; all who wait share one flush. Raises StateError."""
        changes = self._connection.total_changes
        while self._flushed < changes:
            if self._flush is None or self._flush.done():
                self._flush = asyncio.create_task(self._flush_log())
            await asyncio.shield(self._flush)

    async def close(self) -> None:
        """Close the file, after a last flush."""
        try:
            await self.flushed()
        finally:
            await asyncio.to_thread(self._flusher.shutdown)
            os.close(self._log)
            self._connection.close()

    def _prepare(self) -> None:
        # Before the write-ahead log is there, so that the version is in the file's own header.
        if self._connection.execute("PRAGMA user_version").fetchone() == (0,):
            self._connection.execute(f"PRAGMA user_version = {STATE_VERSION}")
        pragmas = ("journal_mode = WAL", "synchronous = NORMAL", f"wal_autocheckpoint = {_LARGEST_LOG}")
        for pragma in pragmas:
            self._connection.execute(f"PRAGMA {pragma}").fetchall()
        (verdict,) = self._connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict.splitlines()[-1])

    @contextmanager
    def _reported(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
            raise
        except sqlite3.DatabaseError as error:
            raise StateError(f"{self._path}: {error}; make room on its disk, and see that the disk is sound") from error

    async def _flush_log(self) -> None:
        """Flush the write-ahead log: https://www.sqlite.org/pragma.html#pragma_synchronous

        After a failure the system may take for written what is not, so no later flush can be believed.
        """
        if self._flush_failure is None:
            changes = self._connection.total_changes
            try:
                await asyncio.get_running_loop().run_in_executor(self._flusher, flush_file, self._log)
            except OSError as error:
                self._flush_failure = error
            else:
                self._flushed = changes
        if self._flush_failure:
            raise StateError(f"{self._path}: {self._flush_failure}; see that its disk is sound, then start anew")
        if self._flushed - self._checkpointed > _CHECKPOINT_CHANGES:
            self._checkpointed = self._flushed
            self._flusher.submit(_checkpoint, self._path)


def _checkpoint(path: Path) -> None:
    """Copy the log's pages to the main file without making anybody wait. https://www.sqlite.org/wal.html#ckpt"""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        connection.close()
