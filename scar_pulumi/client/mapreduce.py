"""The runs of a MapReduce: started, listed, followed and ended.

A run is an execution of the state machine under the run's id, or under `<id>-1`, `<id>-2` where it was resumed. How far
it is stands in the work bucket: the plan, and a manifest for each task that is done.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote_plus

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.outputs import DeployedMapReduce
from scar_pulumi.client.prices import Cost, cost_of_run

RUNNING, SUCCEEDED = "RUNNING", "SUCCEEDED"
STATUSES = (RUNNING, SUCCEEDED, "FAILED", "TIMED_OUT", "ABORTED")
# https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
_PAGE = 1000
_AT_ONCE = 16
_ID_CHARACTERS = 32


@dataclass(frozen=True)
class Run:
    """A run over one object; times in ms since the epoch, 0 for none yet.

    `execution` is the ARN of its last execution, `attempt` how often it was resumed, `answer` what a run that succeeded
    has put into `_SUCCESS`. `reason` says why it failed.
    """

    id: str
    mapreduce: str
    status: str
    bucket: str
    key: str
    size: int
    created: int
    stopped: int
    reason: str = ""
    execution: str = ""
    attempt: int = 0
    input: Mapping[str, Any] = field(default_factory=dict)
    answer: Mapping[str, Any] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """The object."""
        return f"{self.bucket}/{self.key}"

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self.status != RUNNING

    def document(self) -> dict[str, Any]:
        """Return the run as a JSON document."""
        return {
            "id": self.id,
            "kind": "mapreduce",
            "function": self.mapreduce,
            "status": self.status,
            "reason": self.reason,
            "inputs": [self.place],
            "size": self.size,
            "createdAt": self.created or None,
            "stoppedAt": self.stopped or None,
            "resumed": self.attempt,
        }


@dataclass(frozen=True)
class Tasks:
    """How many tasks of a stage are done, have failed at least once without being done, and were planned."""

    done: int = 0
    failed: int = 0
    total: int = 0

    def document(self) -> dict[str, int]:
        """Return the numbers as a JSON document."""
        return {"done": self.done, "failed": self.failed, "total": self.total}


@dataclass(frozen=True)
class Progress:
    """How far a run is. `stage` is `plan`, `map`, `reduce` or `commit`; `done` or `failed` once it has ended."""

    stage: str
    map: Tasks = Tasks()
    reduce: Tasks = Tasks()

    @property
    def fraction(self) -> float:
        """The part of all tasks that is done."""
        total = self.map.total + self.reduce.total
        return (self.map.done + self.reduce.done) / total if total else float(self.stage == "done")


@dataclass(frozen=True)
class Totals:
    """What the tasks that are done have read and made; `skew` is the largest partition by the mean."""

    records: int = 0
    bytes: int = 0
    pairs: int = 0
    bad_pairs: int = 0
    output_bytes: int = 0
    skew: float | None = None
    map_seconds: float = 0
    reduce_seconds: float = 0


@dataclass(frozen=True)
class RunDetail:
    """All that is known of a run; `failures` are those of tasks, `output` is where its results go."""

    run: Run
    progress: Progress
    totals: Totals
    output: str
    cost: Cost | None
    failures: tuple[Mapping[str, Any], ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What the run itself notes of its counts."""
        return tuple(map(str, self.run.answer.get("notes") or ()))

    def document(self) -> dict[str, Any]:
        """Return all of it as a JSON document."""
        totals = self.totals
        return {
            **self.run.document(),
            "stage": self.progress.stage,
            "tasks": {"map": self.progress.map.document(), "reduce": self.progress.reduce.document()},
            "records": totals.records,
            "bytes": totals.bytes,
            "pairs": totals.pairs,
            "badPairs": totals.bad_pairs,
            "outputBytes": totals.output_bytes,
            "skew": totals.skew,
            "mapSeconds": round(totals.map_seconds, 3),
            "reduceSeconds": round(totals.reduce_seconds, 3),
            "output": self.output,
            "cost": self.cost and self.cost.document(),
            "notes": list(self.notes),
            "failures": [dict(one) for one in self.failures],
        }


class MapReduceRuns:
    """The runs of one MapReduce; `clients` makes AWS clients by service, in its region."""

    def __init__(self, mapreduce: DeployedMapReduce, client: Callable[[str], Any]) -> None:
        self._mapreduce = mapreduce
        self._states, self._client = client("stepfunctions"), client

    def start(self, bucket: str, key: str) -> str:
        """Ask the planner for the run over an object, as the object's event does, and return the run's id.

        Raises:
            ScarError: The planner refuses the object.
        """
        event = {"Records": [_object_created(bucket, key)]}
        runs = self._invoke("plan", event).get("runs") or []
        if not runs:
            raise ScarError(f"{bucket}/{key}: starts no run; it lies in no input of {self._mapreduce.name}")
        return str(runs[0])

    def listed(self, most: int | None = None) -> list[Run]:
        """Return runs, newest first, each with its last execution."""
        chosen: dict[str, Mapping[str, Any]] = {}
        pages = self._states.get_paginator("list_executions").paginate(
            stateMachineArn=self._mapreduce.arn, PaginationConfig={"PageSize": _PAGE}
        )
        for item in (item for page in pages for item in page["executions"]):
            identifier, _ = split_name(item["name"])
            chosen.setdefault(identifier, item)
            if most is not None and len(chosen) >= most:
                break
        return self._in_parallel(lambda item: self._described(item["executionArn"]), list(chosen.values()))

    def find(self, identifier: str) -> Run | None:
        """Return a run by its id; None when there is none, or no longer."""
        if len(identifier) != _ID_CHARACTERS:
            return None
        found: Run | None = None
        for attempt in range(_MOST_ATTEMPTS):
            name = identifier if attempt == 0 else f"{identifier}-{attempt}"
            try:
                found = self._described(self._execution(name))
            except self._states.exceptions.ExecutionDoesNotExist:
                break
        return found

    def resume(self, run: Run) -> Run:
        """Start a run again: tasks that are done stay so.

        Where the scripts or settings have changed since, their results do not fit together: a new run over the same
        object is started instead.

        Raises:
            InputError: It still runs, or has succeeded.
        """
        if run.status in (RUNNING, SUCCEEDED):
            what = "is still running" if run.status == RUNNING else "has succeeded, so there is nothing to resume"
            raise InputError(f"run {run.id}: {what}")
        if run_id(run.input, self._digest()) != run.id:
            found = self.find(self.start(run.bucket, run.key))
            assert found is not None, "the planner has started it"
            return found
        name = f"{run.id}-{run.attempt + 1}"
        self._states.start_execution(stateMachineArn=self._mapreduce.arn, name=name, input=json.dumps(run.input))
        return self._described(self._execution(name))

    def stop(self, run: Run, reason: str) -> None:
        """End a run, and say so in its output."""
        self._states.stop_execution(executionArn=run.execution, error="Cancelled", cause=reason)
        error = {"Error": "Cancelled", "Cause": reason}
        self._invoke("commit", {"mapreduce": "failed", "run": run.input, "error": error})

    def progress(self, run: Run) -> Progress:
        """Return how far a run is."""
        return self._progress(run, self._plan(run))

    def detail(self, run: Run) -> RunDetail:
        """Return all that is known of a run."""
        plan, failures = self._plan(run), self._failures(run)
        progress = self._progress(run, plan)
        totals = _totals_of(run.answer) if run.answer else self._counted(run)
        output = f"{plan['output']['bucket']}/{plan['output']['prefix']}" if plan else ""
        cost = cost_of_run(self._mapreduce, progress.map, progress.reduce, totals) if plan else None
        return RunDetail(_explained(run, failures), progress, totals, output, cost, failures)

    def _digest(self) -> str:
        """Return the digest of what is deployed now."""
        found = self._client("lambda").get_function_configuration(FunctionName=self._mapreduce.functions["plan"])
        told = json.loads(found["Environment"]["Variables"]["SCAR_FUNCTION"])
        return str(told["mapreduce"]["digest"])

    def _execution(self, name: str) -> str:
        return f"{self._mapreduce.arn.replace(':stateMachine:', ':execution:')}:{name}"

    def _described(self, execution: str) -> Run:
        found = self._states.describe_execution(executionArn=execution)
        told, (identifier, attempt) = json.loads(found["input"]), split_name(found["name"])
        return Run(
            id=identifier,
            mapreduce=self._mapreduce.name,
            status=found["status"],
            bucket=told.get("bucket", ""),
            key=told.get("key", ""),
            size=int(told.get("size") or 0),
            created=_milliseconds(found["startDate"]),
            stopped=_milliseconds(found.get("stopDate")),
            reason=_reason(found.get("error"), found.get("cause")),
            execution=execution,
            attempt=attempt,
            input=told,
            answer=json.loads(found["output"]) if found["status"] == SUCCEEDED and found.get("output") else {},
        )

    def _plan(self, run: Run) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = self._document(run, "plan.json")
        return found

    def _progress(self, run: Run, plan: Mapping[str, Any] | None) -> Progress:
        if plan is None:
            return Progress(_ended(run) or "plan")
        tasks = {stage: self._tasks(run, stage, plan[f"{stage}_count"]) for stage in ("map", "reduce")}
        waiting = [stage for stage, one in tasks.items() if one.done < one.total and plan["map_count"]]
        return Progress(_ended(run) or next(iter(waiting), "commit"), tasks["map"], tasks["reduce"])

    def _tasks(self, run: Run, stage: str, total: int) -> Tasks:
        done = {_number(key) for key in self._keys(run, f"{stage[0]}/")}
        failed = {_number(key) for key in self._keys(run, f"e/{stage}-")}
        return Tasks(len(done), len(failed - done), total)

    def _counted(self, run: Run) -> Totals:
        """Add up what the manifests say."""
        mapped, reduced = (self._in_parallel(self._read, [*self._keys(run, folder)]) for folder in ("m/", "r/"))
        return _added(mapped, reduced)

    def _failures(self, run: Run) -> tuple[Mapping[str, Any], ...]:
        """Return the last failures of tasks that no other attempt has done."""
        if run.status == SUCCEEDED:
            return ()
        done = {(stage, _number(key)) for stage in ("map", "reduce") for key in self._keys(run, f"{stage[0]}/")}
        waiting = [key for key in self._keys(run, "e/") if tuple(_task_of(key).values()) not in done]
        keys = waiting[:_SHOWN_FAILURES]
        return tuple(
            {**_task_of(key), **found} for key, found in zip(keys, self._in_parallel(self._read, keys), strict=True)
        )

    def _keys(self, run: Run, prefix: str) -> Iterator[str]:
        pages = (
            self._client("s3")
            .get_paginator("list_objects_v2")
            .paginate(Bucket=self._mapreduce.work_bucket, Prefix=f"{_folder(run)}{prefix}")
        )
        return (entry["Key"] for page in pages for entry in page.get("Contents", ()))

    def _read(self, key: str) -> Any:
        return json.load(self._client("s3").get_object(Bucket=self._mapreduce.work_bucket, Key=key)["Body"])

    def _document(self, run: Run, name: str) -> Any:
        s3 = self._client("s3")
        try:
            return self._read(f"{_folder(run)}{name}")
        except s3.exceptions.NoSuchKey:
            return None

    def _in_parallel(self, do: Callable[[Any], Any], work: Sequence[Any]) -> list[Any]:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(do, work))

    def _invoke(self, stage: str, event: Mapping[str, Any]) -> dict[str, Any]:
        answer = self._client("lambda").invoke(
            FunctionName=self._mapreduce.functions[stage], Payload=json.dumps(event).encode()
        )
        document = json.load(answer["Payload"])
        if answer.get("FunctionError"):
            raise ScarError(f"{self._mapreduce.name}: {document.get('errorMessage') or document}")
        return dict(document)


_MOST_ATTEMPTS = 1000
_SHOWN_FAILURES = 20


def run_id(run: Mapping[str, Any], digest: str) -> str:
    """Return the id of the run over an object; a test compares it with the supervisor's."""
    what = json.dumps([run["bucket"], run["key"], run.get("version") or run["etag"], digest])
    return hashlib.sha256(what.encode()).hexdigest()[:_ID_CHARACTERS]


def split_name(name: str) -> tuple[str, int]:
    """Return the run's id and the attempt that an execution's name says."""
    identifier, _, attempt = name.partition("-")
    return identifier, int(attempt) if attempt.isdecimal() else 0


def _folder(run: Run) -> str:
    return f"{run.id[:2]}/{run.id}/"


def _number(key: str) -> int:
    return int(key.rpartition("/")[2].removesuffix(".json").rpartition("-")[2])


def _task_of(key: str) -> dict[str, Any]:
    stage, _, task = key.rpartition("/")[2].removesuffix(".json").partition("-")
    return {"stage": stage, "task": int(task)}


def _ended(run: Run) -> str:
    return "" if not run.has_ended else "done" if run.status == SUCCEEDED else "failed"


def _milliseconds(moment: Any) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def _reason(error: str | None, cause: str | None) -> str:
    """Return why an execution failed, in one line: the cause of a failed function is JSON."""
    kind, text = error or "", cause or ""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, dict) and "errorMessage" in found:
        kind, text = str(found.get("errorType") or kind), str(found["errorMessage"])
    return ": ".join(part for part in (kind, text.partition("\n")[0]) if part)


def _explained(run: Run, failures: Sequence[Mapping[str, Any]]) -> Run:
    """Return a run with a task's failure as its reason, where the state machine says only that one failed."""
    if not failures or not run.reason.startswith(("States.", "Batch.")):
        return run
    first = failures[0]
    said = f"{first['error']}: {first['stage']} task {first['task']}: {first['message'].partition(chr(10))[0]}"
    return replace(run, reason=said)


def _object_created(bucket: str, key: str) -> dict[str, Any]:
    """Return the event of an object.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    described = {"bucket": {"name": bucket}, "object": {"key": quote_plus(key, safe="/")}}
    return {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "s3": described}


def _totals_of(success: Mapping[str, Any]) -> Totals:
    return Totals(
        records=success["records"],
        bytes=success["bytes"] + success.get("header", 0),
        pairs=success["pairs"],
        bad_pairs=success.get("bad_pairs", 0),
        output_bytes=success["output_bytes"],
        skew=success.get("skew"),
        map_seconds=success.get("map_seconds", 0),
        reduce_seconds=success.get("reduce_seconds", 0),
    )


def _added(mapped: Sequence[Mapping[str, Any]], reduced: Sequence[Mapping[str, Any]]) -> Totals:
    partitions = [int(one["pairs_in"]) for one in reduced]
    total = sum(partitions)
    return Totals(
        records=_sum(mapped, "records"),
        bytes=_sum(mapped, "bytes") + _sum(mapped, "header"),
        pairs=_sum(mapped, "pairs_in"),
        bad_pairs=_sum(mapped, "bad_pairs"),
        output_bytes=sum(size for one in reduced for _, size in one["files"]),
        skew=round(max(partitions) * len(partitions) / total, 2) if total else None,
        map_seconds=_sum(mapped, "seconds"),
        reduce_seconds=_sum(reduced, "seconds"),
    )


def _sum(found: Sequence[Mapping[str, Any]], name: str) -> Any:
    return sum(one.get(name) or 0 for one in found)
