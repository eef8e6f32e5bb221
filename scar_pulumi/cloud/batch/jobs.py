"""The operations on jobs: SubmitJob, DescribeJobs, ListJobs, CancelJob and TerminateJob."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from scar_foundation.limits import (
    BATCH_ARRAY_SIZE,
    BATCH_DEPENDENCIES,
    BATCH_OVERRIDES_CHARACTERS,
    BATCH_PAGE,
    BATCH_REQUEST_BYTES,
)
from scar_pulumi.cloud.batch.job_definitions import JobDefinitions, check_container, required, specification
from scar_pulumi.cloud.batch.outcomes import Outcomes
from scar_pulumi.cloud.batch.overrides import longest_overrides
from scar_pulumi.cloud.batch.requests import ClientError
from scar_pulumi.cloud.batch.resources import QUEUE, arn_of, bounds, caller_of_arn, check_name, full_arn, page_of
from scar_pulumi.cloud.batch.store import ENDED, STATUSES, BatchJob, BatchStore, JobFilter, milliseconds
from scar_pulumi.cloud.signature import Caller

_TOO_LONG = f"Container Overrides length must be at most {BATCH_OVERRIDES_CHARACTERS}"
_WAITING = ("SUBMITTED", "PENDING", "RUNNABLE")
_OF_CONTAINERS = ("exitCode", "reason", "logStreamName", "taskArn", "containerInstanceArn")
_SHOWN = ("jobDefinition", "retryStrategy", "dependsOn", "parameters", "timeout", "platformCapabilities",
          "propagateTags", "shareIdentifier")  # fmt: skip
_FILTERS = {
    "JOB_NAME": "name",
    "JOB_DEFINITION": "definition",
    "SHARE_IDENTIFIER": "share",
    "BEFORE_CREATED_AT": "before",
    "AFTER_CREATED_AT": "after",
}


class Submission:
    """Accepts jobs."""

    def __init__(self, store: BatchStore, definitions: JobDefinitions, outcomes: Outcomes) -> None:
        self._store = store
        self._definitions = definitions
        self._outcomes = outcomes

    def submit(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """SubmitJob: store the job, with its children or nodes and what they wait for. Raises ClientError."""
        name = document["jobName"]
        check_name(name, "jobName")
        if len(json.dumps(document)) > BATCH_REQUEST_BYTES:
            raise ClientError(f"The request is larger than {BATCH_REQUEST_BYTES} bytes, the limit of SubmitJob")
        queue = self._queue(caller, document["jobQueue"])
        definition = self._definitions.active(caller, document["jobDefinition"])
        spec = specification(definition, document)
        for container in spec.get("nodes") or [spec["container"]]:
            check_container(container, "containerOverrides")
        job = BatchJob(
            str(uuid.uuid4()), _kind(spec), queue["jobQueueArn"], name, "SUBMITTED", milliseconds(), spec=spec
        )
        parts = list(_parts(job))
        waits = list(self._waits(job, parts))
        with self._store.transaction():
            self._store.add([job, *parts])
            self._store.add_waits(waits)
        if longest_overrides(definition, document, queue) > BATCH_OVERRIDES_CHARACTERS:
            self._outcomes.failed(parts if job.kind == "array" else [job], _TOO_LONG)
        return {"jobArn": arn_of("job", caller, job.id), "jobName": name, "jobId": job.id}

    def _queue(self, caller: Caller, reference: str) -> Mapping[str, Any]:
        queue = self._store.resource(full_arn(QUEUE, caller, reference))
        if queue is None:
            raise ClientError(f"JobQueue {reference} can not be found")
        if queue["state"] != "ENABLED" or queue["status"] == "DELETING":
            raise ClientError(f"JobQueue {reference} is DISABLED and takes no jobs")
        return queue

    def _waits(self, job: BatchJob, parts: list[BatchJob]) -> Iterator[tuple[str, str]]:
        """Yield what waits for what. An array's children wait themselves, so that each starts as soon as it can."""
        dependencies = job.spec["dependsOn"]
        if len(dependencies) > BATCH_DEPENDENCIES:
            raise ClientError(f"dependsOn: {len(dependencies)} jobs are too many; the most is {BATCH_DEPENDENCIES}")
        children = [part for part in parts if part.kind == "child"]
        for dependency in dependencies:
            kind, awaited = dependency.get("type"), dependency.get("jobId")
            if kind == "SEQUENTIAL" and not awaited:
                if not children:
                    raise ClientError("dependsOn: SEQUENTIAL is for array jobs")
                yield from ((after.id, before.id) for before, after in itertools.pairwise(children))
                continue
            other = self._awaited(awaited)
            if kind == "N_TO_N":
                yield from _pairs(children, other)
            elif other.status not in ENDED:
                yield from ((part.id, other.id) for part in (children or [job]))
            elif other.status == "FAILED":
                raise ClientError(f"dependsOn: job {other.id} has FAILED")

    def _awaited(self, identifier: str | None) -> BatchJob:
        job = self._store.job(identifier or "")
        if job is None:
            raise ClientError(f"dependsOn: there is no job {identifier}")
        return job


def _pairs(children: list[BatchJob], other: BatchJob) -> Iterator[tuple[str, str]]:
    size = (other.spec.get("arrayProperties") or {}).get("size")
    if not children or size != len(children):
        raise ClientError(f"dependsOn: N_TO_N needs two arrays of one size; job {other.id} has {size}")
    if other.status == "FAILED":
        raise ClientError(f"dependsOn: job {other.id} has FAILED")
    if other.status != "SUCCEEDED":
        yield from ((child.id, f"{other.id}:{child.number}") for child in children)


def _kind(spec: Mapping[str, Any]) -> str:
    array = spec.get("arrayProperties")
    if array is None:
        return "multinode" if "nodes" in spec else "job"
    if "nodes" in spec:
        raise ClientError("arrayProperties: a multi-node job cannot be an array")
    if array.get("size", 0) not in BATCH_ARRAY_SIZE:
        raise ClientError(f"arrayProperties: size must be {BATCH_ARRAY_SIZE}")
    return "array"


def _parts(job: BatchJob) -> Iterator[BatchJob]:
    if job.kind == "array":
        for number in range(job.spec["arrayProperties"]["size"]):
            yield _part(job, "child", f"{job.id}:{number}", number)
    elif job.kind == "multinode":
        for number in range(len(job.spec["nodes"])):
            yield _part(job, "node", f"{job.id}#{number}", number)


def _part(job: BatchJob, kind: str, identifier: str, number: int) -> BatchJob:
    return BatchJob(identifier, kind, job.queue, job.name, "SUBMITTED", job.created, parent=job.id, number=number)


class Control:
    """Cancels and terminates jobs; `kill` ends the attempt of a job."""

    def __init__(self, store: BatchStore, outcomes: Outcomes, kill: Callable[[str], bool]) -> None:
        self._store = store
        self._outcomes = outcomes
        self._kill = kill

    def cancel(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CancelJob: fail what has not started; what has started goes on."""
        waiting = [job for job in self._meant(document["jobId"]) if job.status in _WAITING]
        for job in waiting:
            job.is_cancelled = True
        self._outcomes.failed(waiting, document["reason"])
        return {}

    def terminate(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TerminateJob: fail the job, whether or not it has started, and end all its processes."""
        self._terminate(self._meant(document["jobId"]), document["reason"])
        return {}

    def cancel_all(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CancelJobs: cancel each job."""
        return _each(self.cancel, caller, document)

    def terminate_all(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TerminateJobs: terminate each job."""
        return _each(self.terminate, caller, document)

    def end_queue(self, queue: str) -> None:
        """End the jobs of a queue that is deleted."""
        self._terminate(self._store.open_jobs(queue), "Job Queue deleted")

    def _terminate(self, jobs: list[BatchJob], reason: str) -> None:
        open_ = [job for job in jobs if job.status not in ENDED]
        for job in open_:
            job.termination = reason
        self._outcomes.failed((job for job in open_ if job.status in _WAITING), reason)
        for job in open_:
            if job.status not in _WAITING:
                self._store.save(job)
                self._kill(job.id)

    def _meant(self, reference: str) -> list[BatchJob]:
        """Return the jobs that an id means: an array's children; for a node, the whole job."""
        job = self._store.job(reference.partition("#")[0])
        if job is None:
            raise ClientError(f"Job {reference} does not exist")
        return self._store.children(job.id) if job.kind == "array" else [job]


def _each(
    end: Callable[[Caller, dict[str, Any]], dict[str, Any]], caller: Caller, document: dict[str, Any]
) -> dict[str, Any]:
    successful: list[str] = []
    errors: list[dict[str, str]] = []
    for identifier in document["jobs"]:
        try:
            end(caller, {"jobId": identifier, "reason": document["reason"]})
            successful.append(identifier)
        except ClientError as error:
            errors.append({"job": identifier, "code": "ClientException", "message": str(error)})
    return {"successful": successful, "errors": errors}


class Listing:
    """Describes and lists jobs."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store

    def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeJobs: return the jobs that exist, by id or ARN."""
        names = [name.partition(":job/")[2] or name for name in document["jobs"]]
        if len(names) > BATCH_PAGE.most:
            raise ClientError(f"jobs: {len(names)} are too many; describe up to {BATCH_PAGE.most} at once")
        return {"jobs": [self._detail(job) for job in map(self._store.job, names) if job]}

    def summaries(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListJobs: return jobs of a queue, array or multi-node job; running ones without a status or filter."""
        places = [key for key in ("jobQueue", "arrayJobId", "multiNodeJobId") if document.get(key)]
        if len(places) != 1:
            raise ClientError("give exactly one of jobQueue, arrayJobId and multiNodeJobId")
        wanted = replace(self._place(caller, document, places[0]), **_filter(document))
        start, size = bounds(document)
        jobs = self._store.found_jobs(wanted, limit=size + 1, offset=start)
        return page_of([self._summary(job) for job in jobs], start, size, "jobSummaryList")

    def _place(self, caller: Caller, document: Mapping[str, Any], key: str) -> JobFilter:
        if key != "jobQueue":
            return JobFilter(parent=document[key])
        arn = full_arn(QUEUE, caller, document[key])
        if self._store.resource(arn) is None:
            raise ClientError(f"JobQueue {document[key]} can not be found")
        return JobFilter(queue=arn)

    def _summary(self, job: BatchJob) -> dict[str, Any]:
        spec = self._store.spec(job)
        summary: dict[str, Any] = {
            "jobArn": _arn(job),
            "jobId": job.id,
            "jobName": job.name,
            "createdAt": job.created,
            "status": job.status,
            "jobDefinition": spec["jobDefinition"],
            **_times(job),
            **_flags(job),
            **self._parts(job, spec),
        }
        if job.container:
            ended = {key: job.container[key] for key in ("exitCode", "reason") if key in job.container}
            summary["container"] = ended
        return summary

    def _detail(self, job: BatchJob) -> dict[str, Any]:
        spec = self._store.spec(job)
        detail = {
            "jobArn": _arn(job),
            "jobId": job.id,
            "jobName": job.name,
            "jobQueue": job.queue,
            "status": job.status,
            "attempts": job.attempts,
            "createdAt": job.created,
            "startedAt": 0,
            **_times(job),
            "isCancelled": False,
            "isTerminated": False,
            **_flags(job),
            **{key: spec[key] for key in _SHOWN if key in spec},
            "tags": spec.get("tags", {}) if job.tags is None else job.tags,
            **self._parts(job, spec),
        }
        if job.kind == "multinode":
            detail["nodeProperties"] = spec["nodeProperties"]
        if job.kind == "node":
            detail["nodeDetails"] = detail.pop("nodeProperties")
        if container := _container(job, spec):
            detail["container"] = container
        return detail

    def _parts(self, job: BatchJob, spec: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a summary says about arrays and nodes."""
        if job.kind == "array":
            counts = dict.fromkeys(STATUSES, 0) | self._store.child_counts(job.id)
            return {"arrayProperties": {"size": spec["arrayProperties"]["size"], "statusSummary": counts}}
        if job.kind == "child":
            return {"arrayProperties": {"index": job.number}}
        if job.kind == "node":
            is_main = job.number == spec["mainNode"]
            return {"nodeProperties": {"nodeIndex": job.number, "isMainNode": is_main}}
        return {"nodeProperties": {"numNodes": len(spec["nodes"])}} if job.kind == "multinode" else {}


def _container(job: BatchJob, spec: Mapping[str, Any]) -> dict[str, Any] | None:
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
    ended = {key: job.container[key] for key in _OF_CONTAINERS if job.container.get(key) is not None}
    return {**empty, "networkInterfaces": [], **kept, **older, **ended}


def _times(job: BatchJob) -> dict[str, int]:
    times = {"startedAt": job.started, "stoppedAt": job.stopped}
    return {key: value for key, value in times.items() if value is not None}


def _arn(job: BatchJob) -> str:
    return arn_of("job", caller_of_arn(job.queue), job.id)


def _flags(job: BatchJob) -> dict[str, Any]:
    reason = {} if job.reason is None else {"statusReason": job.reason}
    cancelled = {"isCancelled": True} if job.is_cancelled else {}
    terminated = {} if job.termination is None else {"isTerminated": True}
    return {**reason, **cancelled, **terminated}


def _filter(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of JobFilter. https://docs.aws.amazon.com/batch/latest/APIReference/API_ListJobs.html"""
    filters = document.get("filters")
    if not filters:
        return {"status": document.get("jobStatus", "RUNNING")}
    if len(filters) > 1:
        raise ClientError("filters: only one is allowed")
    name, values = filters[0].get("name", ""), list(filters[0].get("values") or ())
    if name not in _FILTERS:
        raise ClientError(f"filters: there is no filter {name}")
    if len(values) != 1:
        raise ClientError(f"filters: {name} takes one value")
    if name.endswith("_CREATED_AT") and not values[0].isdecimal():
        raise ClientError(f"filters: {name} takes milliseconds since the epoch")
    return {_FILTERS[name]: int(values[0]) if name.endswith("_CREATED_AT") else values[0]}
