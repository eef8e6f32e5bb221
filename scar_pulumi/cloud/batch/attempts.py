"""Attempts of jobs, from STARTING to their end, in the runner's containers."""

import asyncio
import logging
import secrets
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.batch.capacity import Allocation, Capacity
from scar_pulumi.cloud.batch.containers import (
    ContainerContext,
    JobContainer,
    SecretValues,
    SecretValuesError,
    log_stream,
    task,
)
from scar_pulumi.cloud.batch.outcomes import Ended, Outcomes
from scar_pulumi.cloud.batch.resources import arn_of, caller_of_arn
from scar_pulumi.cloud.batch.store import BatchJob, BatchStore, milliseconds
from scar_pulumi.cloud.database import StateError
from scar_pulumi.cloud.ecr.image_store import ImageStore, Repository, parse_image_uri
from scar_pulumi.cloud.logs.cloudwatch import CloudLogSink
from scar_pulumi.cloud.runner import ContainerExit, Runner, UnusableImageError

_log = logging.getLogger(__name__)
_TIMED_OUT = "Job attempt duration exceeded timeout"
_OUT_OF_MEMORY = "OutOfMemoryError: Container killed due to memory usage"
_NOT_STARTED = "Task failed to start"
_KILLED = 137
_STOP = 2.0  # seconds that jobs have to end when the local cloud stops; a second cancellation kills them


class Attempts:
    """Runs the attempts; `folder` holds the volumes of all jobs."""

    def __init__(
        self,
        store: BatchStore,
        outcomes: Outcomes,
        capacity: Capacity,
        *,
        runner: Runner,
        images: ImageStore,
        logs: CloudLogSink,
        values: SecretValues,
        endpoint: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._store = store
        self._runner = runner
        self._images = images
        self._logs = logs
        self._outcomes = outcomes
        self._capacity = capacity
        self._values = values
        self._endpoint = endpoint
        self._folder = folder
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._instance = f"i-{secrets.token_hex(9)[:17]}"

    @property
    def running(self) -> int:
        """How many attempts run now."""
        return len(self._tasks)

    def begin(self, job: BatchJob, allocation: Allocation) -> None:
        """Start an attempt; the job is STARTING in the database when this returns."""
        spec = self._store.spec(job)
        number = len(job.attempts) + 1
        part = JobContainer(job, spec, number, uuid.uuid4().hex, spec.get("mainNode"))
        job.status, job.reason = "STARTING", None
        job.container = self._container(part)
        try:
            self._store.save(job)
        except BaseException:
            self._capacity.give_back(job.id)
            raise
        self._tasks[job.id] = asyncio.create_task(self._run(part, allocation))

    def kill(self, identifier: str) -> bool:
        """End the attempt of a job; return False when it has none."""
        found = self._tasks.get(identifier)
        if found is not None:
            found.cancel()
        return found is not None

    async def close(self) -> None:
        """End all attempts, as if their instances had been terminated."""
        running = list(self._tasks.values())
        for seconds in (_STOP, None):
            for found in running:
                found.cancel()
            if running:
                await asyncio.wait(running, timeout=seconds)

    def lost(self) -> Ended:
        """Return the end of an attempt whose instance was terminated."""
        return Ended(None, "", f"Host EC2 (instance {self._instance}) terminated.")

    async def _run(self, part: JobContainer, allocation: Allocation) -> None:
        try:
            ended = await (self._alone(part, allocation) if part.node is None else self._nodes(part, allocation))
        except asyncio.CancelledError:
            job = self._store.job(part.job.id)
            ended = Ended(_KILLED) if job and job.termination is not None else self.lost()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this job's end
            _log.exception("job %s could not be run", part.job.id)
            ended = Ended(None, f"{type(error).__name__}: {error}", _NOT_STARTED)
        finally:
            self._capacity.give_back(part.job.id)
        while not self._recorded(part.job.id, ended):
            await asyncio.sleep(1)
        del self._tasks[part.job.id]

    def _recorded(self, identifier: str, ended: Ended) -> bool:
        try:
            self._outcomes.attempted(identifier, ended)
        except StateError as error:
            _log.error("the end of job %s cannot be stored: %s", identifier, error)
            return False
        return True

    async def _alone(self, part: JobContainer, allocation: Allocation) -> Ended:
        return await self._limited(part, allocation, lambda: self._started(part.job.id))

    async def _nodes(self, part: JobContainer, allocation: Allocation) -> Ended:
        """Run the main node, and the others as soon as it runs; they end with it."""
        others: list[asyncio.Task[None]] = []

        def main_runs() -> None:
            self._started(part.job.id)
            self._started(f"{part.job.id}#{part.node}")
            for number in range(len(part.spec["nodes"])):
                if number != part.node:
                    node = JobContainer(part.job, part.spec, part.attempt, uuid.uuid4().hex, number)
                    others.append(asyncio.create_task(self._other_node(node, allocation)))

        self._node_begins(part)
        try:
            ended = await self._limited(part, allocation, main_runs)
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        self._node_ended(part, ended)
        return ended

    async def _other_node(self, part: JobContainer, allocation: Allocation) -> None:
        self._node_begins(part)
        try:
            ended = await self._contained(part, allocation, lambda: self._started(f"{part.job.id}#{part.node}"))
        except asyncio.CancelledError:
            ended = Ended(_KILLED, "", "The main node has ended")
        self._node_ended(part, ended)

    async def _limited(self, part: JobContainer, allocation: Allocation, started: Callable[[], None]) -> Ended:
        seconds = part.spec["timeout"].get("attemptDurationSeconds")
        began = asyncio.Event()

        def begin() -> None:
            began.set()
            started()

        async def expire() -> None:
            await began.wait()
            await asyncio.sleep(seconds)

        work = asyncio.create_task(self._contained(part, allocation, begin))
        clock = asyncio.create_task(expire() if seconds else asyncio.Event().wait())
        try:
            await asyncio.wait({work, clock}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            is_late = not work.done()
            for running in (work, clock):
                running.cancel()
            await asyncio.gather(work, clock, return_exceptions=True)
        return Ended(_KILLED, "", _TIMED_OUT, final=True) if is_late else work.result()

    async def _contained(self, part: JobContainer, allocation: Allocation, started: Callable[[], None]) -> Ended:
        """Run one container, from its image to its end."""
        caller = caller_of_arn(part.job.queue)
        try:
            digest = self._digest(str(part.container["image"]))
            values = await self._values.read(part.container.get("secrets") or (), caller)
            found = task(part, digest, allocation, ContainerContext(caller, self._endpoint, values, self._folder))
            self._logs.expect(found.log_group, caller.account, caller.region)
            result = await self._runner.run(found, started)
        except UnusableImageError as error:
            return Ended(None, f"CannotPullContainerError: {error}", _NOT_STARTED)
        except SecretValuesError as error:
            return Ended(None, f"ResourceInitializationError: {error}", _NOT_STARTED)
        except LocalCloudError as error:
            return Ended(None, f"CannotStartContainerError: {error}", _NOT_STARTED)
        return _ended(result)

    def _digest(self, uri: str) -> str:
        image = parse_image_uri(uri)
        if image is None:
            raise UnusableImageError(f"{uri}: is in no repository of the local cloud; push it to one and use its URI")
        digest = self._images.resolve(Repository(image.account, image.region, image.name), image.reference)
        if digest is None:
            raise UnusableImageError(f"{uri}: not found in the local cloud's registry; push it there")
        return digest

    def _container(self, part: JobContainer) -> dict[str, Any]:
        caller = caller_of_arn(part.job.queue)
        ecs = arn_of("x", caller, "").replace(":batch:", ":ecs:").removesuffix("x/")
        return {
            "logStreamName": log_stream(part),
            "taskArn": f"{ecs}task/local/{part.task_id}",
            "containerInstanceArn": f"{ecs}container-instance/local/{self._instance}",
        }

    def _started(self, identifier: str) -> None:
        job = self._store.job(identifier)
        assert job is not None, identifier
        job.status, job.started = "RUNNING", milliseconds()
        self._store.save(job)

    def _node_begins(self, part: JobContainer) -> None:
        node = self._node(part)
        node.status, node.stopped = "STARTING", None
        node.container = self._container(part)
        self._store.save(node)

    def _node_ended(self, part: JobContainer, ended: Ended) -> None:
        node = self._node(part)
        node.status, node.stopped = "SUCCEEDED" if ended.exit_code == 0 else "FAILED", milliseconds()
        node.reason = ended.status_reason
        node.container |= ended.document()
        self._store.save(node)

    def _node(self, part: JobContainer) -> BatchJob:
        node = self._store.job(f"{part.job.id}#{part.node}")
        assert node is not None, part.job.id
        return node


def _ended(result: ContainerExit) -> Ended:
    if result.setup_failure:
        return Ended(result.exit_code, f"CannotStartContainerError: {result.setup_failure}", _NOT_STARTED)
    return Ended(result.exit_code, _OUT_OF_MEMORY if result.out_of_memory else "")
