"""SubmitJob: a job with its children or nodes and what they wait for, stored in one change."""

import itertools
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from scar_pulumi.cloud.batch.definitions import JobDefinitions
from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import QUEUE, arn_of, full_arn
from scar_pulumi.cloud.batch.specification import check_container, specification
from scar_pulumi.cloud.batch.store import Job, Store
from scar_pulumi.cloud.signature import Caller

# https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html
_LARGEST = 30 * 1024
_LARGEST_ARRAY = 10_000
_MOST_DEPENDENCIES = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


def milliseconds() -> int:
    """The time as Batch writes it."""
    return time.time_ns() // 1_000_000


class Submission:
    """Takes jobs."""

    def __init__(self, store: Store, definitions: JobDefinitions) -> None:
        self._store = store
        self._definitions = definitions

    def submit(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """SubmitJob: the job is on disk when this returns. Raises ClientError."""
        name = document["jobName"]
        if not _NAME.fullmatch(name):
            raise ClientError(f"jobName should match valid pattern: {_NAME.pattern}; {name!r} does not")
        if len(json.dumps(document)) > _LARGEST:
            raise ClientError(f"The request is larger than {_LARGEST} bytes, the largest payload of SubmitJob")
        queue = self._queue(caller, document["jobQueue"])
        definition = self._definitions.active(caller, document["jobDefinition"])
        spec = specification(definition, document)
        for container in spec.get("nodes") or [spec["container"]]:
            check_container(container, "containerOverrides")
        job = Job(str(uuid.uuid4()), _kind(spec), queue["jobQueueArn"], name, "SUBMITTED", milliseconds(), spec=spec)
        parts = list(_parts(job))
        waits = list(self._waits(job, parts))
        with self._store.transaction():
            self._store.add([job, *parts])
            self._store.wait(waits)
        return {"jobArn": arn_of("job", caller, job.id), "jobName": name, "jobId": job.id}

    def _queue(self, caller: Caller, reference: str) -> Mapping[str, Any]:
        queue = self._store.resource(full_arn(QUEUE, caller, reference))
        if queue is None:
            raise ClientError(f"JobQueue {reference} can not be found")
        if queue["state"] != "ENABLED" or queue["status"] == "DELETING":
            raise ClientError(f"JobQueue {reference} is DISABLED and takes no jobs")
        return queue

    def _waits(self, job: Job, parts: list[Job]) -> Iterator[tuple[str, str]]:
        """What waits for what. An array's children wait themselves, so that each can go as soon as it may."""
        dependencies = job.spec["dependsOn"]
        if len(dependencies) > _MOST_DEPENDENCIES:
            raise ClientError(f"dependsOn: {len(dependencies)} jobs are more than {_MOST_DEPENDENCIES}")
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
            elif other.status not in ("SUCCEEDED", "FAILED"):
                yield from ((part.id, other.id) for part in (children or [job]))
            elif other.status == "FAILED":
                raise ClientError(f"dependsOn: job {other.id} has FAILED")

    def _awaited(self, identifier: str | None) -> Job:
        job = self._store.job(identifier or "")
        if job is None:
            raise ClientError(f"dependsOn: there is no job {identifier}")
        return job


def _pairs(children: list[Job], other: Job) -> Iterator[tuple[str, str]]:
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
    if not 2 <= array.get("size", 0) <= _LARGEST_ARRAY:
        raise ClientError(f"arrayProperties: size must be between 2 and {_LARGEST_ARRAY}")
    return "array"


def _parts(job: Job) -> Iterator[Job]:
    if job.kind == "array":
        for number in range(job.spec["arrayProperties"]["size"]):
            yield _part(job, "child", f"{job.id}:{number}", number)
    elif job.kind == "multinode":
        for number in range(len(job.spec["nodes"])):
            yield _part(job, "node", f"{job.id}#{number}", number)


def _part(job: Job, kind: str, identifier: str, number: int) -> Job:
    return Job(identifier, kind, job.queue, job.name, "SUBMITTED", job.created, parent=job.id, number=number)
