"""The Batch service: put together, started and stopped, and the way of a request."""

import asyncio
import contextlib
import json
import logging
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from scar_pulumi.cloud.asgi import Request, Response, json_response
from scar_pulumi.cloud.batch.attempts import Attempts
from scar_pulumi.cloud.batch.capacity import Capacity, Machine
from scar_pulumi.cloud.batch.containers import SecretValues
from scar_pulumi.cloud.batch.job_definitions import JobDefinitions
from scar_pulumi.cloud.batch.jobs import Control, Listing, Submission
from scar_pulumi.cloud.batch.outcomes import Outcomes
from scar_pulumi.cloud.batch.requests import TAGS_PATH, ClientError, check_request, operation_name
from scar_pulumi.cloud.batch.resources import ComputeEnvironments, JobQueues, SchedulingPolicies, Tags
from scar_pulumi.cloud.batch.scheduler import Scheduler
from scar_pulumi.cloud.batch.store import BatchStore, milliseconds
from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.ecr.image_store import ImageStore
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.ministack.upstream import Upstream
from scar_pulumi.cloud.runner import Runner
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller

_log = logging.getLogger(__name__)
_TRANSITION = 0.05  # seconds that CREATING, UPDATING and DELETING last
_KEPT = 7 * 24 * 3600 * 1000  # milliseconds for which Batch shows a job that has ended
Operation = Callable[[Caller, dict[str, Any]], dict[str, Any]]


class BatchService(Service):
    """Answers requests that are signed for `batch`, and runs jobs. `volumes` is the folder of the jobs' volumes."""

    name = "batch"

    def __init__(
        self,
        database: Database,
        upstream: Upstream,
        runner: Runner,
        images: ImageStore,
        logs: CloudLogSink,
        *,
        endpoint: Mapping[str, str],
        volumes: Path,
    ) -> None:
        volumes.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._store = store = BatchStore(database)
        capacity = Capacity(Machine())
        self._outcomes = Outcomes(store, self._wake)
        values = SecretValues(upstream)
        self._attempts = Attempts(
            store,
            self._outcomes,
            capacity,
            runner=runner,
            images=images,
            logs=logs,
            values=values,
            endpoint=endpoint,
            folder=volumes,
        )
        self._scheduler = Scheduler(store, capacity, self._attempts.begin)
        control = Control(store, self._outcomes, self._attempts.kill)
        self._environments = ComputeEnvironments(store, self._later)
        self._queues = JobQueues(store, self._later, control.end_queue)
        self._operations = _operations(store, self._outcomes, self._environments, self._queues, control)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Go on with the jobs of an earlier daemon: those that ran have lost their instance, all others wait."""
        self._store.forget_ended(milliseconds() - _KEPT)
        self._environments.restore()
        self._queues.restore()
        for job in self._store.running_jobs():
            self._outcomes.attempted(job.id, self._attempts.lost())
        self._tasks.append(asyncio.create_task(self._scheduler.run()))
        self._wake()

    async def close(self) -> None:
        """Stop. Running jobs end as if their instance had been terminated; waiting ones stay."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._attempts.close()

    def describe(self) -> dict[str, Any]:
        """Return how many jobs there are of each status, and how many have ended since the start."""
        counts = self._store.open_counts()
        ended = {status.lower(): count for status, count in self._outcomes.ended.items()}
        return {**{status.lower(): count for status, count in counts.items()}, **ended}

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for Batch."""
        return request.service == "batch"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        try:
            answer = await self._answer(incoming.caller or Caller(), request)
        except ServiceError:
            raise
        except Exception as error:
            _log.exception("%s %s", request.method, request.path)
            raise ServiceError(500, "ServerException", f"local cloud: {error}") from error
        return json_response(answer, headers={"x-amzn-requestid": str(uuid.uuid4())})

    async def _answer(self, caller: Caller, request: Request) -> dict[str, Any]:
        operation = operation_name(request.method, request.path)
        if operation not in self._operations:
            raise ClientError(f"{operation or request.path}: the local cloud's Batch does not have this operation")
        document = _document(request)
        check_request(operation, document)
        answer = self._operations[operation](caller, document)
        if not operation.startswith(("Describe", "List")):
            self._wake()
            await self._store.flushed()
        return answer

    def _wake(self) -> None:
        self._scheduler.wake()

    def _later(self, change: Callable[[], None]) -> None:
        def settle() -> None:
            with contextlib.suppress(Exception):  # the store is closed: the next start settles it
                change()
                self._wake()

        asyncio.get_running_loop().call_later(_TRANSITION, settle)


def _operations(
    store: BatchStore, outcomes: Outcomes, environments: ComputeEnvironments, queues: JobQueues, control: Control
) -> dict[str, Operation]:
    definitions, policies, tags, listing = JobDefinitions(store), SchedulingPolicies(store), Tags(store), Listing(store)
    return {
        "CreateComputeEnvironment": environments.create,
        "DescribeComputeEnvironments": environments.describe,
        "UpdateComputeEnvironment": environments.update,
        "DeleteComputeEnvironment": environments.delete,
        "CreateJobQueue": queues.create,
        "DescribeJobQueues": queues.describe,
        "UpdateJobQueue": queues.update,
        "DeleteJobQueue": queues.delete,
        "CreateSchedulingPolicy": policies.create,
        "DescribeSchedulingPolicies": policies.describe,
        "ListSchedulingPolicies": policies.list,
        "UpdateSchedulingPolicy": policies.update,
        "DeleteSchedulingPolicy": policies.delete,
        "RegisterJobDefinition": definitions.register,
        "DescribeJobDefinitions": definitions.describe,
        "DeregisterJobDefinition": definitions.deregister,
        "SubmitJob": Submission(store, definitions, outcomes).submit,
        "DescribeJobs": listing.describe,
        "ListJobs": listing.summaries,
        "CancelJob": control.cancel,
        "CancelJobs": control.cancel_all,
        "TerminateJob": control.terminate,
        "TerminateJobs": control.terminate_all,
        "ListTagsForResource": lambda _, document: tags.list(document["resourceArn"]),
        "TagResource": lambda _, document: tags.tag(document["resourceArn"], document["tags"]),
        "UntagResource": lambda _, document: tags.untag(document["resourceArn"], document["tagKeys"]),
    }


def _document(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        raise ClientError("the request is not JSON") from None
    if not isinstance(document, dict):
        raise ClientError("the request is not a JSON object")
    if request.path.startswith(TAGS_PATH):
        document["resourceArn"] = unquote(request.path.removeprefix(TAGS_PATH))
        if request.method == "DELETE":
            document["tagKeys"] = request.parameters("tagKeys")
    return document
