"""What the Batch service knows, on disk: every change is with the operating system before it is answered.

SQLite's write-ahead log needs no flush to survive this process being killed: https://www.sqlite.org/wal.html
"""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.signature import Caller

_TABLES = """
CREATE TABLE IF NOT EXISTS resources (
    arn TEXT PRIMARY KEY, kind TEXT, place TEXT, name TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS resources_by_name ON resources (kind, place, name);
CREATE TABLE IF NOT EXISTS jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, kind TEXT, queue TEXT, name TEXT, status TEXT,
    created INTEGER, stopped INTEGER, parent TEXT, number INTEGER, spec TEXT, state TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_queue ON jobs (queue, status, sequence);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status);
CREATE INDEX IF NOT EXISTS jobs_by_parent ON jobs (parent, status, number);
CREATE TABLE IF NOT EXISTS waits (job TEXT, awaited TEXT, PRIMARY KEY (job, awaited)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waits_by_awaited ON waits (awaited);
"""
_COLUMNS = "id, kind, queue, name, status, created, stopped, parent, number, spec, state, sequence"


@dataclass
class BatchJob:
    """A job; `kind` is job, array, child, multinode or node. Times are milliseconds since the epoch.

    `spec` is what was submitted, resolved (that of a child or node is its parent's); `state` is what became of it.
    """

    id: str
    kind: str
    queue: str
    name: str
    status: str
    created: int
    stopped: int | None = None
    parent: str | None = None
    number: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    state: dict[str, Any] = field(default_factory=dict)
    sequence: int = 0


def milliseconds() -> int:
    """Return the time as Batch writes it."""
    return time.time_ns() // 1_000_000


class BatchStore:
    """Resources and jobs in one file. To be used from one thread."""

    def __init__(self, path: Path) -> None:
        path.touch(mode=0o600)
        self._database = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        try:
            for pragma in ("journal_mode = WAL", "synchronous = OFF"):
                self._database.execute(f"PRAGMA {pragma}").fetchall()
            self._database.executescript(_TABLES)
        except sqlite3.DatabaseError as error:
            raise LocalCloudError(
                f"{path}: the state is damaged ({error}); put a copy of this file back, or delete everything in the "
                "local cloud with: scar-pulumi local reset"
            ) from error

    def close(self) -> None:
        """Closes the file."""
        self._database.close()

    def transaction(self) -> AbstractContextManager[object]:
        """Makes what is done within it one change; not to be nested."""
        self._database.execute("BEGIN IMMEDIATE")
        return self._database

    # Resources

    def put(self, kind: str, caller: Caller, name: str, arn: str, document: Mapping[str, Any]) -> None:
        """Stores a resource under its ARN."""
        row = (arn, kind, _place(caller), name, json.dumps(document))
        self._database.execute("INSERT OR REPLACE INTO resources VALUES (?, ?, ?, ?, ?)", row)

    def update(self, arn: str, document: Mapping[str, Any]) -> None:
        """Replaces a resource's document."""
        self._database.execute("UPDATE resources SET document = ? WHERE arn = ?", (json.dumps(document), arn))

    def resource(self, arn: str) -> dict[str, Any] | None:
        """The resource of an ARN."""
        row = self._database.execute("SELECT document FROM resources WHERE arn = ?", (arn,)).fetchone()
        return json.loads(row[0]) if row else None

    def resources(self, kind: str, caller: Caller | None = None, name: str = "") -> list[dict[str, Any]]:
        """Resources of a kind in the order in which they were made, of one account and region, or of all."""
        question, values = "SELECT document FROM resources WHERE kind = ?", [kind]
        if caller is not None:
            question, values = f"{question} AND place = ?", [*values, _place(caller)]
        if name:
            question, values = f"{question} AND name = ?", [*values, name]
        return [json.loads(row[0]) for row in self._database.execute(f"{question} ORDER BY rowid", values)]

    def remove(self, arn: str) -> None:
        """Forgets a resource."""
        self._database.execute("DELETE FROM resources WHERE arn = ?", (arn,))

    # Jobs

    def add(self, jobs: Iterable[BatchJob]) -> None:
        """Stores new jobs."""
        names = _COLUMNS.removesuffix(", sequence")
        statement = f"INSERT INTO jobs ({names}) VALUES (?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608 - columns are ours
        self._database.executemany(statement, map(_row, jobs))

    def save(self, job: BatchJob) -> None:
        """Stores what became of a job."""
        row = (job.status, job.stopped, json.dumps(job.state), job.id)
        self._database.execute("UPDATE jobs SET status = ?, stopped = ?, state = ? WHERE id = ?", row)

    def job(self, identifier: str) -> BatchJob | None:
        """A job by its id."""
        return next(self.jobs("id = ?", identifier), None)

    def jobs(self, condition: str, *values: Any) -> Iterator[BatchJob]:
        """Jobs for which an SQL condition holds, oldest first unless it says otherwise."""
        order = "" if "ORDER BY" in condition else " ORDER BY sequence"
        question = f"SELECT {_COLUMNS} FROM jobs WHERE {condition}{order}"  # noqa: S608 - conditions are ours
        for row in self._database.execute(question, values).fetchall():
            yield self._job(row)

    def execute(self, statement: str, *values: Any) -> int:
        """Changes jobs or waits by an SQL statement; returns how many rows it met."""
        return self._database.execute(statement, values).rowcount

    def counts(self, condition: str = "1", *values: Any) -> dict[str, int]:
        """How many jobs there are of each status."""
        question = f"SELECT status, count(*) FROM jobs WHERE {condition} GROUP BY status"  # noqa: S608 - ours
        return dict(self._database.execute(question, values).fetchall())

    def any(self, condition: str, *values: Any) -> bool:
        """Whether there is a job for which an SQL condition holds."""
        question = f"SELECT 1 FROM jobs WHERE {condition} LIMIT 1"  # noqa: S608 - conditions are ours
        return self._database.execute(question, values).fetchone() is not None

    def wait(self, pairs: Iterable[Sequence[str]]) -> None:
        """Notes (job, job that it waits for)."""
        self._database.executemany("INSERT OR IGNORE INTO waits VALUES (?, ?)", pairs)

    def waiting_for(self, identifier: str) -> list[BatchJob]:
        """The jobs that wait for a job."""
        return list(self.jobs("id IN (SELECT job FROM waits WHERE awaited = ?)", identifier))

    def _job(self, row: Any) -> BatchJob:
        *plain, spec, state, sequence = row
        job = BatchJob(*plain)
        job.spec, job.state, job.sequence = json.loads(spec), json.loads(state), sequence
        return job


def _row(job: BatchJob) -> tuple[Any, ...]:
    plain = (job.id, job.kind, job.queue, job.name, job.status, job.created, job.stopped, job.parent, job.number)
    return (*plain, json.dumps(job.spec), json.dumps(job.state))


def _place(caller: Caller) -> str:
    return f"{caller.account}/{caller.region}"
