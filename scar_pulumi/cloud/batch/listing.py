"""DescribeJobs and ListJobs: jobs as Batch shows them."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import QUEUE, arn_of, bounds, caller_of_arn, full_arn, page_of
from scar_pulumi.cloud.batch.specification import required
from scar_pulumi.cloud.batch.store import Job, Store
from scar_pulumi.cloud.signature import Caller

_STATUSES = ("SUBMITTED", "PENDING", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
_MOST_DESCRIBED = 100
_ENDED = ("exitCode", "reason", "logStreamName", "taskArn", "containerInstanceArn")


class Listing:
    """The two operations."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeJobs: those that exist, by id or ARN."""
        names = [name.partition(":job/")[2] or name for name in document["jobs"]]
        if len(names) > _MOST_DESCRIBED:
            raise ClientError(f"{len(names)} jobs are more than {_MOST_DESCRIBED}")
        return {"jobs": [self._detail(job) for job in map(self._store.job, names) if job]}

    def summaries(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListJobs: of a queue, an array or a multi-node job; without a status or filters the running ones."""
        places = [key for key in ("jobQueue", "arrayJobId", "multiNodeJobId") if document.get(key)]
        if len(places) != 1:
            raise ClientError("give one of jobQueue, arrayJobId and multiNodeJobId")
        condition, values = self._place(caller, document, places[0])
        if filters := document.get("filters"):
            if len(filters) > 1:
                raise ClientError("filters: one is taken")
            added, found = _filter(filters[0])
            condition, values = f"{condition} AND {added}", [*values, *found]
        else:
            condition, values = f"{condition} AND status = ?", [*values, document.get("jobStatus", "RUNNING")]
        order = "number" if places[0] != "jobQueue" else "sequence DESC"
        start, size = bounds(document)
        jobs = self._store.jobs(f"{condition} ORDER BY {order} LIMIT {size + 1} OFFSET {start}", *values)
        return page_of([self._summary(job) for job in jobs], start, size, "jobSummaryList")

    def _place(self, caller: Caller, document: Mapping[str, Any], key: str) -> tuple[str, list[Any]]:
        if key != "jobQueue":
            return "parent = ?", [document[key]]
        arn = full_arn(QUEUE, caller, document[key])
        if self._store.resource(arn) is None:
            raise ClientError(f"JobQueue {document[key]} can not be found")
        return "queue = ? AND parent IS NULL", [arn]

    def _spec(self, job: Job) -> Mapping[str, Any]:
        parent = self._store.job(job.parent) if job.parent else None
        return parent.spec if parent else job.spec

    def _summary(self, job: Job) -> dict[str, Any]:
        spec, state = self._spec(job), job.state
        summary: dict[str, Any] = {
            "jobArn": _arn(job),
            "jobId": job.id,
            "jobName": job.name,
            "createdAt": job.created,
            "status": job.status,
            "jobDefinition": spec["jobDefinition"],
            **_times(job),
            **{key: state[key] for key in ("statusReason", "isCancelled", "isTerminated") if key in state},
            **self._parts(job, spec),
        }
        if "container" in state:
            found: Mapping[str, Any] = state["container"]
            summary["container"] = {key: found[key] for key in _ENDED[:2] if key in found}
        return summary

    def _detail(self, job: Job) -> dict[str, Any]:
        spec, state = self._spec(job), job.state
        detail = {
            "jobArn": _arn(job),
            "jobId": job.id,
            "jobName": job.name,
            "jobQueue": job.queue,
            "status": job.status,
            "attempts": state.get("attempts", []),
            "createdAt": job.created,
            "startedAt": 0,
            **_times(job),
            **{key: state[key] for key in ("statusReason",) if key in state},
            "isCancelled": bool(state.get("isCancelled")),
            "isTerminated": bool(state.get("isTerminated")),
            **{key: spec[key] for key in ("jobDefinition", "retryStrategy", "dependsOn", "parameters", "timeout",
                                          "platformCapabilities", "propagateTags", "shareIdentifier") if key in spec},
            "tags": state.get("tags", spec.get("tags", {})),
            **self._parts(job, spec),
        }  # fmt: skip
        if job.kind == "multinode":
            detail["nodeProperties"] = spec["nodeProperties"]
        if job.kind == "node":
            detail["nodeDetails"] = detail.pop("nodeProperties")
        if container := _container(job, spec):
            detail["container"] = container
        return detail

    def _parts(self, job: Job, spec: Mapping[str, Any]) -> dict[str, Any]:
        """What a summary says of arrays and nodes."""
        if job.kind == "array":
            counts = dict.fromkeys(_STATUSES, 0) | self._store.counts("parent = ?", job.id)
            return {"arrayProperties": {"size": spec["arrayProperties"]["size"], "statusSummary": counts}}
        if job.kind == "child":
            return {"arrayProperties": {"index": job.number}}
        if job.kind == "node":
            is_main = job.number == spec["mainNode"]
            return {"nodeProperties": {"nodeIndex": job.number, "isMainNode": is_main}}
        return {"nodeProperties": {"numNodes": len(spec["nodes"])}} if job.kind == "multinode" else {}


def _container(job: Job, spec: Mapping[str, Any]) -> dict[str, Any] | None:
    if job.kind == "multinode":
        return None
    properties = spec["nodes"][job.number] if job.kind == "node" else spec["container"]
    kept = {key: value for key, value in properties.items() if key not in ("vcpus", "memory")}
    if not kept.get("resourceRequirements"):
        kept["resourceRequirements"] = []
    listed = {item["type"] for item in kept["resourceRequirements"]}
    older = {key: int(required(properties, kind)) for key, kind in (("vcpus", "VCPU"), ("memory", "MEMORY"))
             if kind not in listed}  # fmt: skip
    empty: dict[str, list[Any]] = {key: [] for key in ("volumes", "environment", "mountPoints", "ulimits", "secrets")}
    found = job.state.get("container", {})
    ended = {key: found[key] for key in _ENDED if found.get(key) is not None}
    return {**empty, "networkInterfaces": [], **kept, **older, **ended}


def _times(job: Job) -> dict[str, int]:
    times = {"startedAt": job.state.get("startedAt"), "stoppedAt": job.stopped}
    return {key: value for key, value in times.items() if value is not None}


def _arn(job: Job) -> str:
    return arn_of("job", caller_of_arn(job.queue), job.id)


def _filter(entry: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """One filter as an SQL condition. https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html"""
    name, values = entry.get("name", ""), list(entry.get("values") or ())
    if len(values) != 1:
        raise ClientError(f"filters: {name} takes one value")
    value = values[0]
    if name in ("BEFORE_CREATED_AT", "AFTER_CREATED_AT"):
        if not value.isdecimal():
            raise ClientError(f"filters: {name} takes milliseconds since the epoch")
        return f"created {'<' if name.startswith('BEFORE') else '>'} ?", [int(value)]
    if name == "JOB_NAME":
        return (
            ("name LIKE ? ESCAPE '!'", [_like(value)]) if value.endswith("*") else ("lower(name) = lower(?)", [value])
        )
    column = {"JOB_DEFINITION": "jobDefinition", "SHARE_IDENTIFIER": "shareIdentifier"}.get(name)
    if column is None:
        raise ClientError(f"filters: there is no filter {name}")
    found = f"json_extract(spec, '$.{column}')"
    if name == "JOB_DEFINITION":
        # By name (all its revisions), by NAME:REVISION or ARN; a star at the end stands for anything.
        short = f"substr({found}, instr({found}, ':job-definition/') + 16)"
        pattern = _like(value) if value.endswith("*") else None
        if pattern:
            return f"({short} LIKE ? ESCAPE '!' OR {found} LIKE ? ESCAPE '!')", [pattern, pattern]
        return f"({found} = ? OR {short} = ? OR {short} LIKE ? ESCAPE '!')", [value, value, _like(f"{value}:*")]
    return f"{found} = ?", [value]


def _like(text: str) -> str:
    escaped = text.removesuffix("*").replace("!", "!!").replace("%", "!%").replace("_", "!_")
    return f"{escaped}%"
