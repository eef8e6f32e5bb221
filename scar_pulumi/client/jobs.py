"""The jobs of functions in AWS Batch: listed, described, followed and ended."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.client.logs import LogLine, read
from scar_pulumi.client.outputs import DeployedFunction

ENDED = ("SUCCEEDED", "FAILED")
STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", *ENDED)
# https://docs.aws.amazon.com/batch/latest/APIReference/API_DescribeJobs.html
_AT_ONCE = 100
# How far back lines are read again, in ms: some become visible after newer ones.
_LATE = 60_000
# How often the log of a job is read after its end, for lines still on their way.
_LAST_LOOKS = 2


@dataclass(frozen=True)
class BatchJob:
    """A job; times in ms since the epoch, 0 for none yet. `parts` is the number of its children or nodes."""

    id: str
    name: str
    function: str
    status: str
    reason: str
    created: int
    started: int
    stopped: int
    exit_code: int | None
    parts: int = 0

    @property
    def request_id(self) -> str:
        """The request that it was made for, where the supervisor made it."""
        return self.name.removeprefix(f"{self.function}-") if self.name.startswith(f"{self.function}-") else ""

    def document(self) -> dict[str, Any]:
        """Return the job as a JSON document."""
        return {
            "id": self.id,
            "kind": "batch",
            "name": self.name,
            "function": self.function,
            "requestId": self.request_id,
            "status": self.status,
            "reason": self.reason,
            "exitCode": self.exit_code,
            "createdAt": self.created or None,
            "startedAt": self.started or None,
            "stoppedAt": self.stopped or None,
            "parts": self.parts,
        }


def list_jobs(client: Any, function: DeployedFunction) -> list[BatchJob]:
    """Return a function's jobs, newest first: those made for its events, and those of its present job definition.

    Other functions may share the queue. Batch keeps ended jobs for a week.
    """
    place = function.batch
    if place is None:
        return []
    definition = place.job_definition.rpartition("/")[2].partition(":")[0]
    name = _name(function)
    found: dict[str, Mapping[str, Any]] = {}
    for kind, value in (("JOB_NAME", f"{name}-*"), ("JOB_DEFINITION", definition)):
        if value:
            pages = client.get_paginator("list_jobs").paginate(
                jobQueue=place.job_queue, filters=[{"name": kind, "values": [value]}]
            )
            found |= {item["jobId"]: item for page in pages for item in page["jobSummaryList"]}
    mine = [item for item in found.values() if _is_mine(item, name, definition)]
    return sorted((job_of(item, function.name) for item in mine), key=lambda job: (job.created, job.id), reverse=True)


def describe(client: Any, identifiers: Sequence[str]) -> list[dict[str, Any]]:
    """Return jobs as Batch describes them, in any order; those that it no longer knows are left out."""
    chunks = (identifiers[start : start + _AT_ONCE] for start in range(0, len(identifiers), _AT_ONCE))
    return [found for chunk in chunks for found in client.describe_jobs(jobs=list(chunk))["jobs"]]


def find_job(client: Any, identifier: str) -> dict[str, Any] | None:
    """Return a job as Batch describes it; None when there is none, or no longer."""
    return next(iter(describe(client, [identifier])), None)


def belongs_to(detail: Mapping[str, Any], function: DeployedFunction) -> bool:
    """Return whether a job belongs to a function."""
    place = function.batch
    if place is None or detail["jobQueue"] != place.job_queue:
        return False
    return _is_mine(detail, _name(function), place.job_definition.rpartition("/")[2].partition(":")[0])


def parts_of(client: Any, detail: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a job's children or nodes as Batch describes them; other jobs have none."""
    nodes = int((detail.get("nodeProperties") or {}).get("numNodes", 0))
    size = int((detail.get("arrayProperties") or {}).get("size", 0)) if not nodes else 0
    names = [f"{detail['jobId']}{'#' if nodes else ':'}{number}" for number in range(nodes or size)]
    return describe(client, names)


def read_lines(logs: Any, details: Iterable[Mapping[str, Any]], start: int = 0) -> list[LogLine]:
    """Return what jobs have printed in all their attempts, oldest first; `start` in ms since the epoch."""
    places = dict.fromkeys(place for detail in details for place in _streams(detail))
    lines = [line for group, stream in places for line in read(logs, group, start, streams=[stream])]
    return sorted(lines, key=lambda line: line.timestamp)


def follow_lines(
    logs: Any, look: Callable[[], Sequence[Mapping[str, Any]]], *, wait: Callable[[], bool]
) -> Iterator[LogLine]:
    """Read what jobs print until all have ended; `look` describes them again, `wait` pauses and says to go on."""
    seen: dict[str, int] = {}
    newest, left = 0, _LAST_LOOKS
    while left:
        details = look()
        if all(detail["status"] in ENDED for detail in details):
            left -= 1
        for line in read_lines(logs, details, max(0, newest - _LATE)):
            if line.identity not in seen:
                seen[line.identity] = line.timestamp
                newest = max(newest, line.timestamp)
                yield line
        if left and not wait():
            return


def _streams(detail: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Return the log group and stream of each attempt of a described job that is one container."""
    container = detail.get("container") or {}
    options = (container.get("logConfiguration") or {}).get("options") or {}
    group = options.get("awslogs-group", "/aws/batch/job")
    attempts = [attempt.get("container") or {} for attempt in detail.get("attempts") or ()]
    for found in (*attempts, container):
        if stream := found.get("logStreamName"):
            yield group, stream


def no_jobs(function: DeployedFunction) -> InputError:
    """Return the error about a function that has no jobs."""
    return InputError(
        f"{function.name}: has no jobs: its execution mode is {function.execution_mode}, "
        "and only `batch` and `lambda-batch` use AWS Batch"
    )


def _name(function: DeployedFunction) -> str:
    return function.arn.partition(":function:")[2].partition(":")[0] or function.name


def _is_mine(item: Mapping[str, Any], name: str, definition: str) -> bool:
    # `f-*` also matches the jobs of a function `f-2`; the rest must be a UUID.
    if re.fullmatch(re.escape(name) + r"-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", item["jobName"]):
        return True
    return bool(definition) and item.get("jobDefinition", "").rpartition("/")[2].partition(":")[0] == definition


def job_of(item: Mapping[str, Any], function: str) -> BatchJob:
    """Summarize a job that Batch has listed or described."""
    container = item.get("container") or {}
    code = container.get("exitCode")
    array, nodes = item.get("arrayProperties") or {}, item.get("nodeProperties") or {}
    return BatchJob(
        item["jobId"],
        item["jobName"],
        function,
        item["status"],
        container.get("reason") or item.get("statusReason") or "",
        int(item.get("createdAt") or 0),
        int(item.get("startedAt") or 0),
        int(item.get("stoppedAt") or 0),
        None if code is None else int(code),
        int(array.get("size") or nodes.get("numNodes") or 0),
    )
