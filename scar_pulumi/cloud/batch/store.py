"""Resources and jobs of Batch, in tables of the local cloud's database. All SQL of Batch is here."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import Any

from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.signature import Caller

_TABLES = """
CREATE TABLE IF NOT EXISTS batch_resources (
    arn TEXT PRIMARY KEY, kind TEXT, place TEXT, name TEXT, document TEXT);
CREATE INDEX IF NOT EXISTS batch_resources_by_name ON batch_resources (kind, place, name);
CREATE TABLE IF NOT EXISTS batch_jobs (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE, kind TEXT, queue TEXT, name TEXT, status TEXT,
    created INTEGER, parent TEXT, number INTEGER, spec TEXT, started INTEGER, stopped INTEGER, reason TEXT,
    is_cancelled INTEGER, termination TEXT, container TEXT, attempts TEXT, tags TEXT);
CREATE INDEX IF NOT EXISTS batch_jobs_by_queue ON batch_jobs (queue, status, sequence);
CREATE INDEX IF NOT EXISTS batch_jobs_by_status ON batch_jobs (status);
CREATE INDEX IF NOT EXISTS batch_jobs_by_parent ON batch_jobs (parent, status, number);
CREATE TABLE IF NOT EXISTS batch_waits (job TEXT, awaited TEXT, PRIMARY KEY (job, awaited)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS batch_waits_by_awaited ON batch_waits (awaited);
"""
ENDED = ("SUCCEEDED", "FAILED")
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *ENDED)
_OPEN = "status IN ('SUBMITTED', 'PENDING', 'RUNNABLE', 'STARTING', 'RUNNING')"
_RUNNING = "status IN ('STARTING', 'RUNNING')"
_SCHEDULED = "kind IN ('job', 'child', 'multinode')"
_SHORT_DEFINITION = "substr({0}, instr({0}, ':job-definition/') + 16)"


@dataclass
class BatchJob:
    """A job; `kind` is job, array, child, multinode or node. Times are milliseconds since the epoch.

    `spec` is what was submitted, resolved; that of a child or node is its parent's. `container` and `attempts` are as
    DescribeJobs shows them, `termination` is the reason that TerminateJob gave.
    """

    id: str
    kind: str
    queue: str
    name: str
    status: str
    created: int
    parent: str | None = None
    number: int = 0
    spec: dict[str, Any] = field(default_factory=dict)
    started: int | None = None
    stopped: int | None = None
    reason: str | None = None
    is_cancelled: bool = False
    termination: str | None = None
    container: dict[str, Any] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    tags: dict[str, str] | None = None


_COLUMNS = tuple(column.name for column in fields(BatchJob))
_DOCUMENTS = ("spec", "container", "attempts", "tags")
_CHANGING = _COLUMNS[_COLUMNS.index("started") :]
_JOBS = f"SELECT {', '.join(_COLUMNS)} FROM batch_jobs"  # noqa: S608 - columns from above


@dataclass(frozen=True)
class JobFilter:
    """The jobs that ListJobs asks for, of a queue or of a parent. A star at the end stands for anything."""

    queue: str = ""
    parent: str = ""
    status: str | None = None
    name: str | None = None
    definition: str | None = None
    share: str | None = None
    before: int | None = None
    after: int | None = None


def milliseconds() -> int:
    """Return the time as Batch writes it."""
    return time.time_ns() // 1_000_000


class BatchStore:
    """The tables of Batch."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)

    def transaction(self) -> AbstractContextManager[None]:
        """Make what is done within it one change; not to be nested."""
        return self._database.transaction()

    async def flushed(self) -> None:
        """Return when every change is on the disk."""
        await self._database.flushed()

    # Resources

    def put(self, kind: str, caller: Caller, name: str, arn: str, document: Mapping[str, Any]) -> None:
        """Store a resource under its ARN."""
        row = (arn, kind, _place(caller), name, json.dumps(document))
        self._database.write("INSERT OR REPLACE INTO batch_resources VALUES (?, ?, ?, ?, ?)", *row)

    def update(self, arn: str, document: Mapping[str, Any]) -> None:
        """Replace a resource's document."""
        self._database.write("UPDATE batch_resources SET document = ? WHERE arn = ?", json.dumps(document), arn)

    def resource(self, arn: str) -> dict[str, Any] | None:
        """Return the resource of an ARN."""
        row = self._database.row("SELECT document FROM batch_resources WHERE arn = ?", arn)
        return json.loads(row[0]) if row else None

    def resources(self, kind: str, caller: Caller | None = None, name: str = "") -> list[dict[str, Any]]:
        """Return resources of a kind in the order in which they were made, of one account and region, or of all."""
        query, values = "SELECT document FROM batch_resources WHERE kind = ?", [kind]
        if caller is not None:
            query, values = f"{query} AND place = ?", [*values, _place(caller)]
        if name:
            query, values = f"{query} AND name = ?", [*values, name]
        return [json.loads(row[0]) for row in self._database.rows(f"{query} ORDER BY rowid", *values)]

    def remove(self, arn: str) -> None:
        """Forget a resource."""
        self._database.write("DELETE FROM batch_resources WHERE arn = ?", arn)

    # Jobs

    def add(self, jobs: Iterable[BatchJob]) -> None:
        """Store new jobs."""
        marks = ", ".join("?" * len(_COLUMNS))
        statement = f"INSERT INTO batch_jobs ({', '.join(_COLUMNS)}) VALUES ({marks})"  # noqa: S608 - columns from above
        self._database.write_all(statement, (_values(job, _COLUMNS) for job in jobs))

    def save(self, job: BatchJob) -> None:
        """Store what became of a job."""
        changes = ", ".join(f"{name} = ?" for name in ("status", *_CHANGING))
        statement = f"UPDATE batch_jobs SET {changes} WHERE id = ?"  # noqa: S608 - columns from above
        self._database.write(statement, *_values(job, ("status", *_CHANGING)), job.id)

    def job(self, identifier: str) -> BatchJob | None:
        """Return a job by its id."""
        return next(self._jobs("id = ?", identifier), None)

    def spec(self, job: BatchJob) -> dict[str, Any]:
        """Return what a job runs: that of a child or node is its parent's."""
        parent = self.job(job.parent) if job.parent else None
        return parent.spec if parent else job.spec

    def children(self, parent: str) -> list[BatchJob]:
        """Return the children of an array, or the nodes of a job."""
        return list(self._jobs("parent = ? ORDER BY number", parent))

    def open_children(self, parent: str) -> list[BatchJob]:
        """Return those that have not ended."""
        return list(self._jobs(f"parent = ? AND {_OPEN} ORDER BY number", parent))

    def has_open_children(self, parent: str) -> bool:
        """Return whether a child of an array has not ended."""
        return self._any(f"parent = ? AND {_OPEN}", parent)

    def has_failed_children(self, parent: str) -> bool:
        """Return whether a child of an array has failed."""
        return self._any("parent = ? AND status = 'FAILED'", parent)

    def child_counts(self, parent: str) -> dict[str, int]:
        """Return how many children of an array there are of each status."""
        return self._counts("parent = ?", parent)

    def open_counts(self) -> dict[str, int]:
        """Return how many jobs that have not ended there are of each status; arrays and nodes are not counted."""
        return self._counts(f"{_SCHEDULED} AND {_OPEN}")

    def open_jobs(self, queue: str) -> list[BatchJob]:
        """Return the jobs of a queue that have not ended, but for arrays and nodes."""
        return list(self._jobs(f"queue = ? AND {_SCHEDULED} AND {_OPEN} ORDER BY sequence", queue))

    def running_jobs(self) -> list[BatchJob]:
        """Return the jobs that have an attempt now, of all queues."""
        return list(self._jobs(f"{_SCHEDULED} AND {_RUNNING} ORDER BY sequence"))

    def has_running_jobs(self, queue: str) -> bool:
        """Return whether a job of a queue has an attempt now."""
        return self._any(f"queue = ? AND {_RUNNING}", queue)

    def runnable_jobs(self, queue: str, *, by_priority: bool, limit: int, offset: int) -> list[BatchJob]:
        """Return jobs of a queue that could start, in the order in which they should."""
        order = "json_extract(spec, '$.schedulingPriority') DESC, sequence" if by_priority else "sequence"
        condition = f"queue = ? AND status = 'RUNNABLE' AND kind != 'node' ORDER BY {order} LIMIT ? OFFSET ?"
        return list(self._jobs(condition, queue, limit, offset))

    def found_jobs(self, wanted: JobFilter, *, limit: int, offset: int) -> list[BatchJob]:
        """Return jobs that a filter means: those of a queue from the youngest on, those of a parent by number."""
        order = "number" if wanted.parent else "sequence DESC"
        conditions, values = zip(*_conditions(wanted), strict=True)
        condition = f"{' AND '.join(conditions)} ORDER BY {order} LIMIT ? OFFSET ?"
        return list(self._jobs(condition, *(value for each in values for value in each), limit, offset))

    def admit(self) -> None:
        """Make every submitted job runnable that waits for no other, and all others pending."""
        with self.transaction():
            for change in (
                "'RUNNABLE' WHERE status = 'SUBMITTED' AND kind = 'node'",
                "'RUNNABLE' WHERE status = 'SUBMITTED' AND kind != 'array' AND id NOT IN (SELECT job FROM batch_waits)",
                "'PENDING' WHERE status = 'SUBMITTED'",
            ):
                self._database.write(f"UPDATE batch_jobs SET status = {change}")  # noqa: S608 - written right above

    def rerun_children(self, parent: str) -> None:
        """Make the nodes of a job runnable again."""
        self._database.write("UPDATE batch_jobs SET status = 'RUNNABLE', stopped = NULL WHERE parent = ?", parent)

    def forget_ended(self, before: int) -> None:
        """Remove the jobs that ended before a time."""
        self._database.write("DELETE FROM batch_jobs WHERE stopped < ?", before)

    # What jobs wait for

    def add_waits(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Note (job, job that it waits for)."""
        self._database.write_all("INSERT OR IGNORE INTO batch_waits VALUES (?, ?)", pairs)

    def end_waits(self, awaited: str) -> list[str]:
        """Forget that jobs wait for one that has ended, and what that one waited for; return their ids."""
        rows = self._database.rows("SELECT job FROM batch_waits WHERE awaited = ?", awaited)
        self._database.write("DELETE FROM batch_waits WHERE awaited = ? OR job = ?", awaited, awaited)
        return [job for (job,) in rows]

    def release(self, identifier: str) -> None:
        """Make a pending job runnable if it waits for nothing any more."""
        waits = "EXISTS (SELECT 1 FROM batch_waits WHERE job = batch_jobs.id)"
        change = f"UPDATE batch_jobs SET status = 'RUNNABLE' WHERE id = ? AND status = 'PENDING' AND NOT {waits}"  # noqa: S608 - written right above
        self._database.write(change, identifier)

    def _jobs(self, condition: str, *values: object) -> Iterator[BatchJob]:
        for row in self._database.rows(f"{_JOBS} WHERE {condition}", *values):
            yield _job(row)

    def _any(self, condition: str, *values: object) -> bool:
        query = f"SELECT 1 FROM batch_jobs WHERE {condition} LIMIT 1"  # noqa: S608 - conditions from above
        return self._database.row(query, *values) is not None

    def _counts(self, condition: str, *values: object) -> dict[str, int]:
        query = f"SELECT status, count(*) FROM batch_jobs WHERE {condition} GROUP BY status"  # noqa: S608 - conditions from above
        return dict(self._database.rows(query, *values))


def _values(job: BatchJob, columns: Iterable[str]) -> list[object]:
    return [json.dumps(value) if name in _DOCUMENTS else value for name in columns for value in [getattr(job, name)]]


def _job(row: tuple[Any, ...]) -> BatchJob:
    columns = dict(zip(_COLUMNS, row, strict=True))
    documents = {name: json.loads(columns[name]) for name in _DOCUMENTS}
    return BatchJob(**{**columns, **documents, "is_cancelled": bool(columns["is_cancelled"])})


def _place(caller: Caller) -> str:
    return f"{caller.account}/{caller.region}"


def _conditions(wanted: JobFilter) -> Iterator[tuple[str, tuple[object, ...]]]:
    if wanted.parent:
        yield "parent = ?", (wanted.parent,)
    else:
        yield "queue = ? AND parent ISNULL", (wanted.queue,)
    if wanted.status is not None:
        yield "status = ?", (wanted.status,)
    if wanted.before is not None:
        yield "created < ?", (wanted.before,)
    if wanted.after is not None:
        yield "created > ?", (wanted.after,)
    if wanted.share is not None:
        yield "json_extract(spec, '$.shareIdentifier') = ?", (wanted.share,)
    if wanted.name is not None:
        yield _name_condition(wanted.name)
    if wanted.definition is not None:
        yield _definition_condition(wanted.definition)


def _name_condition(name: str) -> tuple[str, tuple[object, ...]]:
    if name.endswith("*"):
        return "name LIKE ? ESCAPE '!'", (_like(name),)
    return "lower(name) = lower(?)", (name,)


def _definition_condition(definition: str) -> tuple[str, tuple[object, ...]]:
    """By name (all its revisions), by NAME:REVISION or by ARN."""
    arn = "json_extract(spec, '$.jobDefinition')"
    short = _SHORT_DEFINITION.format(arn)
    if definition.endswith("*"):
        return f"({short} LIKE ? ESCAPE '!' OR {arn} LIKE ? ESCAPE '!')", (_like(definition),) * 2
    values = definition, definition, _like(f"{definition}:*")
    return f"({arn} = ? OR {short} = ? OR {short} LIKE ? ESCAPE '!')", values


def _like(text: str) -> str:
    escaped = text.removesuffix("*").replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"{escaped}%"
