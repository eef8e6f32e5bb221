"""What the local cloud keeps of Step Functions: machines, executions, where each stands, its history, and Map Runs.

An execution is a tree of frames: one for its own states, and one for each branch or iteration that a state opens. A
frame says which state it is in and with which input, so that whoever starts the execution again finds what is done.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from scar_pulumi.cloud.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS state_machines (arn TEXT PRIMARY KEY, document TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS state_definitions (hash TEXT PRIMARY KEY, text TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS executions (
    arn TEXT PRIMARY KEY, root TEXT, machine TEXT, name TEXT, definition TEXT, role TEXT, type TEXT, status TEXT,
    input TEXT, started REAL, map_run TEXT, number INTEGER, stopped REAL, output TEXT, error TEXT, cause TEXT,
    redrives INTEGER, redriven REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS executions_of_machine ON executions (machine, started);
CREATE INDEX IF NOT EXISTS executions_of_root ON executions (root);
CREATE INDEX IF NOT EXISTS executions_of_map_run ON executions (map_run, status, number);
CREATE TABLE IF NOT EXISTS execution_frames (
    execution TEXT, path TEXT, state TEXT, step INTEGER, attempt INTEGER, input TEXT, entered REAL, status TEXT,
    output TEXT, job TEXT, PRIMARY KEY (execution, path)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS execution_events (
    execution TEXT, number INTEGER, previous INTEGER, kind TEXT, time REAL, details TEXT,
    PRIMARY KEY (execution, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS map_runs (
    arn TEXT PRIMARY KEY, execution TEXT, frame TEXT, label TEXT, settings TEXT, status TEXT, started REAL,
    stopped REAL, redrives INTEGER, redriven REAL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS map_runs_of_execution ON map_runs (execution, frame);
"""

RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED = "RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"
PENDING, PENDING_REDRIVE = "PENDING", "PENDING_REDRIVE"
UNSUCCESSFUL = (FAILED, TIMED_OUT, ABORTED)


@dataclass
class Execution:
    """An execution: of a machine, or a child of a Map Run, whose `number` is its place among the items.

    `root` is the execution of a machine that it belongs to, or itself. Times are seconds since the epoch. `definition`
    is the hash of what it runs.
    """

    arn: str
    root: str
    machine: str
    name: str
    definition: str
    role: str
    type: str
    status: str
    input: str
    started: float
    map_run: str | None = None
    number: int | None = None
    stopped: float | None = None
    output: str | None = None
    error: str | None = None
    cause: str | None = None
    redrives: int = 0
    redriven: float | None = None


@dataclass
class Frame:
    """Where a sequence of states stands. `step` counts the states that it has entered, `attempt` tries of this one.

    `job` is a Batch job that the state waits for.
    """

    execution: str
    path: str
    state: str
    step: int
    attempt: int
    input: str
    entered: float
    status: str = RUNNING
    output: str | None = None
    job: str | None = None


@dataclass
class MapRun:
    """One run of a Distributed Map; `settings` has its limits, and what its children are."""

    arn: str
    execution: str
    frame: str
    label: str
    settings: dict[str, Any]
    status: str
    started: float
    stopped: float | None = None
    redrives: int = 0
    redriven: float | None = None


Event = tuple[str, int, int, str, float, str]
"""Execution, number, number of the event before, kind, time, details as JSON."""

_EXECUTION = tuple(field.name for field in fields(Execution))
_FRAME = tuple(field.name for field in fields(Frame))
_MAP_RUN = tuple(field.name for field in fields(MapRun))


def _insert(table: str, columns: Sequence[str]) -> str:
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 - names from above


_INSERT_EXECUTION = _insert("executions", _EXECUTION)
_INSERT_FRAME = _insert("execution_frames", _FRAME)
_INSERT_MAP_RUN = _insert("map_runs", _MAP_RUN)


class StatesStore:
    """The tables, and all SQL on them."""

    def __init__(self, database: Database) -> None:
        self._database = database
        database.define(_TABLES)
        self.transaction = database.transaction
        self.flushed = database.flushed

    # Machines

    def machine(self, arn: str) -> dict[str, Any] | None:
        """Return a machine's document."""
        row = self._database.row("SELECT document FROM state_machines WHERE arn = ?", arn)
        return json.loads(row[0]) if row else None

    def machines(self, start: str) -> list[dict[str, Any]]:
        """Return the documents of the machines whose ARNs start so, by name."""
        query = "SELECT document FROM state_machines WHERE substr(arn, 1, ?) = ? ORDER BY arn"
        return [json.loads(text) for (text,) in self._database.rows(query, len(start), start)]

    def put_machine(self, arn: str, document: Mapping[str, Any]) -> None:
        """Store a machine."""
        self._database.write("INSERT OR REPLACE INTO state_machines VALUES (?, ?)", arn, json.dumps(document))

    def remove_machine(self, arn: str) -> None:
        """Forget a machine, and its executions with all that belongs to them."""
        with self.transaction():
            self._database.write("DELETE FROM state_machines WHERE arn = ?", arn)
            self._forget("machine = ?", arn)

    # Definitions

    def keep_definition(self, text: str) -> str:
        """Store what executions run, once; return its hash."""
        name = hashlib.sha256(text.encode()).hexdigest()
        self._database.write("INSERT OR IGNORE INTO state_definitions VALUES (?, ?)", name, text)
        return name

    def definition(self, name: str) -> str:
        """Return a definition by its hash."""
        row = self._database.row("SELECT text FROM state_definitions WHERE hash = ?", name)
        assert row is not None, name
        return str(row[0])

    # Executions

    def add_executions(self, executions: Iterable[Execution]) -> None:
        """Store new executions."""
        self._database.write_all(_INSERT_EXECUTION, (_values(one, _EXECUTION) for one in executions))

    def save_execution(self, execution: Execution) -> None:
        """Store what became of an execution."""
        self._database.write(_INSERT_EXECUTION, *_values(execution, _EXECUTION))

    def execution(self, arn: str) -> Execution | None:
        """Return an execution."""
        return next(self._executions("arn = ?", arn), None)

    def running(self) -> list[Execution]:
        """Return the executions of machines, not of Map Runs, that have not ended."""
        return list(self._executions("map_run ISNULL AND status = 'RUNNING' ORDER BY started"))

    def is_running(self, machine: str) -> bool:
        """Return whether an execution of a machine has not ended."""
        query = "SELECT 1 FROM executions WHERE machine = ? AND status = 'RUNNING' LIMIT 1"
        return self._database.row(query, machine) is not None

    def found(
        self, *, machine: str = "", map_run: str = "", status: str = "", redriven: bool | None, limit: int, offset: int
    ) -> list[Execution]:
        """Return executions of a machine or a Map Run, the youngest first; those that wait to start are left out."""
        conditions = ["map_run = ?" if map_run else "machine = ?", "status != 'PENDING'"]
        values = [map_run or machine]
        if status:
            conditions.append("status = ?")
            values.append(status)
        if redriven is not None:
            conditions.append("redrives > 0" if redriven else "redrives = 0")
        condition = f"{' AND '.join(conditions)} ORDER BY started DESC, number DESC LIMIT ? OFFSET ?"
        return list(self._executions(condition, *values, limit, offset))

    def children(self, map_run: str, *statuses: str, limit: int = -1) -> list[Execution]:
        """Return a Map Run's children that have one of the statuses, by item."""
        marks = ", ".join("?" * len(statuses))
        condition = f"map_run = ? AND status IN ({marks}) ORDER BY number LIMIT ?"
        return list(self._executions(condition, map_run, *statuses, limit))

    def outputs(self, map_run: str) -> list[str]:
        """Return the outputs of a Map Run's children that have succeeded, by item."""
        query = "SELECT output FROM executions WHERE map_run = ? AND status = 'SUCCEEDED' ORDER BY number"
        return [output for (output,) in self._database.rows(query, map_run)]

    def counts(self, map_run: str) -> dict[str, int]:
        """Return how many children of a Map Run there are of each status."""
        query = "SELECT status, count(*) FROM executions WHERE map_run = ? GROUP BY status"
        return dict(self._database.rows(query, map_run))

    def set_children(self, map_run: str, before: Iterable[str], after: str, stopped: float | None) -> None:
        """Change the status of all children of a Map Run that have one of the statuses."""
        for status in before:
            statement = "UPDATE executions SET status = ?, stopped = ? WHERE map_run = ? AND status = ?"
            self._database.write(statement, after, stopped, map_run, status)

    def abort_tree(self, root: str, stopped: float) -> None:
        """Abort whatever still runs below an execution: children, Map Runs and the children of those."""
        tree = "SELECT arn FROM executions WHERE root = ?"
        for table, condition in (
            ("map_runs", f"execution IN ({tree})"),
            ("executions", "root = ? AND map_run NOTNULL"),
        ):
            statement = f"UPDATE {table} SET status = 'ABORTED', stopped = ? WHERE {condition} AND status = 'RUNNING'"  # noqa: S608 - written right above
            self._database.write(statement, stopped, root)

    def forget_ended(self, before: float) -> None:
        """Forget the executions that ended before a time, with all that belongs to them."""
        with self.transaction():
            self._forget("stopped < ? AND map_run ISNULL", before)

    # Frames

    def frame(self, execution: str, path: str) -> Frame | None:
        """Return a frame."""
        query = f"SELECT {', '.join(_FRAME)} FROM execution_frames WHERE execution = ? AND path = ?"  # noqa: S608 - columns from above
        row = self._database.row(query, execution, path)
        return Frame(*row) if row else None

    def save_frame(self, frame: Frame) -> None:
        """Store where a frame stands."""
        self._database.write(_INSERT_FRAME, *_values(frame, _FRAME))

    def drop_frames(self, execution: str, below: str) -> None:
        """Forget the frames that a state has opened, whose paths start so."""
        statement = "DELETE FROM execution_frames WHERE execution = ? AND substr(path, 1, ?) = ?"
        self._database.write(statement, execution, len(below), below)

    def jobs(self, root: str) -> list[str]:
        """Return the Batch jobs that an execution waits for, its children included."""
        tree = "SELECT arn FROM executions WHERE root = ?"
        query = f"SELECT job FROM execution_frames WHERE execution IN ({tree}) AND status = 'RUNNING' AND job NOTNULL"  # noqa: S608 - written right above
        return [job for (job,) in self._database.rows(query, root)]

    def reopen_frames(self, execution: str) -> None:
        """Let the frames of a failed execution enter their states anew: the jobs that these waited for have ended."""
        self._database.write("UPDATE execution_frames SET job = NULL WHERE execution = ?", execution)

    # History

    def add_event(self, event: Event) -> None:
        """Store one event."""
        self._database.write("INSERT INTO execution_events VALUES (?, ?, ?, ?, ?, ?)", *event)

    def last_event(self, execution: str) -> int:
        """Return the number of the last event, 0 when there is none."""
        row = self._database.row("SELECT max(number) FROM execution_events WHERE execution = ?", execution)
        return int(row[0] or 0) if row else 0

    def events(self, execution: str, *, reverse: bool, limit: int, offset: int) -> list[Event]:
        """Return events in order, or from the last one on."""
        order = "DESC" if reverse else "ASC"
        query = f"SELECT * FROM execution_events WHERE execution = ? ORDER BY number {order} LIMIT ? OFFSET ?"  # noqa: S608 - a word from above
        return [tuple(row) for row in self._database.rows(query, execution, limit, offset)]

    # Map Runs

    def save_map_run(self, run: MapRun) -> None:
        """Store a Map Run."""
        values = [json.dumps(value) if name == "settings" else value for name, value in _pairs(run, _MAP_RUN)]
        self._database.write(_INSERT_MAP_RUN, *values)

    def map_run(self, arn: str) -> MapRun | None:
        """Return a Map Run by its ARN."""
        return next(iter(self._map_runs("arn = ?", arn)), None)

    def map_run_of(self, execution: str, frame: str) -> MapRun | None:
        """Return the Map Run that a state has opened."""
        return next(iter(self._map_runs("execution = ? AND frame = ?", execution, frame)), None)

    def map_runs(self, execution: str) -> list[MapRun]:
        """Return the Map Runs of an execution, the youngest first."""
        return self._map_runs("execution = ? ORDER BY started DESC", execution)

    def _map_runs(self, condition: str, *values: object) -> list[MapRun]:
        query = f"SELECT {', '.join(_MAP_RUN)} FROM map_runs WHERE {condition}"  # noqa: S608 - conditions from above
        place = _MAP_RUN.index("settings")
        rows = self._database.rows(query, *values)
        return [MapRun(*(json.loads(item) if at == place else item for at, item in enumerate(row))) for row in rows]

    def _executions(self, condition: str, *values: object) -> Iterator[Execution]:
        query = f"SELECT {', '.join(_EXECUTION)} FROM executions WHERE {condition}"  # noqa: S608 - conditions from above
        for row in self._database.rows(query, *values):
            yield Execution(*row)

    def _forget(self, condition: str, *values: object) -> None:
        """Forget executions of machines, and all that belongs to them."""
        every = f"SELECT arn FROM executions WHERE root IN (SELECT arn FROM executions WHERE {condition})"  # noqa: S608 - conditions from above
        for table in ("execution_events", "execution_frames", "map_runs"):
            self._database.write(f"DELETE FROM {table} WHERE execution IN ({every})", *values)  # noqa: S608 - as above
        self._database.write(f"DELETE FROM executions WHERE arn IN ({every})", *values)  # noqa: S608 - as above


def _pairs(record: Any, columns: Iterable[str]) -> Iterator[tuple[str, object]]:
    return ((name, getattr(record, name)) for name in columns)


def _values(record: Any, columns: Iterable[str]) -> list[object]:
    return [value for _, value in _pairs(record, columns)]
