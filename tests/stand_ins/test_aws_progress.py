"""What the stand-in provider waits for, and how it tells the engine."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import grpc
import pytest
from google.protobuf.empty_pb2 import Empty
from pulumi.runtime.proto import engine_pb2_grpc

from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import CancelledError, Operation, show_progress
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.types import find

URN = "urn:pulumi:local::video::aws:batch/jobQueue:JobQueue::queue"


class Listener(engine_pb2_grpc.EngineServicer):
    """The engine's side: remembers what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str, bool]] = []

    def Log(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.told.append((request.urn, request.message, request.ephemeral))
        return Empty()


class SlowCloud:
    """A Batch whose resources change step by step, one for each look; None is a resource that is gone."""

    def __init__(self, *steps: tuple[str, str] | None) -> None:
        self._steps = list(steps)
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def call(self, _service: str, operation: str, _region: str | None = None, **parameters: Any) -> dict[str, Any]:
        self.calls.append((operation, parameters))
        if not operation.startswith("describe"):
            return {}
        step = self._steps.pop(0) if len(self._steps) > 1 else self._steps[0]
        found = [] if step is None else [{"state": step[0], "status": step[1], "statusReason": "no subnets"}]
        return {"jobQueues": found, "computeEnvironments": found}


@pytest.fixture
def engine() -> Iterator[tuple[Operation, Listener]]:
    """Return an operation of an engine that listens, and what it hears."""
    listener, server = Listener(), grpc.server(ThreadPoolExecutor(max_workers=1))
    engine_pb2_grpc.add_EngineServicer_to_server(listener, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield Operation(URN, engine_pb2_grpc.EngineStub(grpc.insecure_channel(f"127.0.0.1:{port}"))), listener
    server.stop(None).wait()


def test_a_queue_is_disabled_before_it_is_deleted_and_the_engine_told_why_it_takes_time(
    engine: tuple[Operation, Listener],
) -> None:
    queue, cloud = (
        find("aws:batch/jobQueue:JobQueue"),
        SlowCloud(
            ("ENABLED", "VALID"), ("DISABLED", "UPDATING"), ("DISABLED", "VALID"), ("DISABLED", "DELETING"), None
        ),
    )
    assert queue.before_delete
    assert queue.await_deletion
    with engine[0].running():
        queue.before_delete(cast(Cloud, cloud), {"name": "queue"})
        queue.await_deletion(cast(Cloud, cloud), {"name": "queue"}, 5)
    assert ("update_job_queue", {"jobQueue": "queue", "state": "DISABLED"}) in cloud.calls
    assert engine[1].told == [
        (URN, "waiting for the job queue to be disabled", True),
        (URN, "waiting for the job queue, which is UPDATING", True),
        (URN, "waiting for the job queue, which is DELETING", True),
    ]


def test_what_is_gone_already_is_not_waited_for() -> None:
    queue, cloud = find("aws:batch/jobQueue:JobQueue"), SlowCloud(None)
    assert queue.before_delete
    queue.before_delete(cast(Cloud, cloud), {"name": "queue"})
    assert [operation for operation, _ in cloud.calls] == ["describe_job_queues"]


def test_an_environment_that_cannot_work_is_told_with_aws_own_reason() -> None:
    environment, cloud = find("aws:batch/computeEnvironment:ComputeEnvironment"), SlowCloud(("ENABLED", "INVALID"))
    assert environment.await_change
    with pytest.raises(ProviderError, match="compute environment gpus is invalid: no subnets"):
        environment.await_change(cast(Cloud, cloud), {"name": "gpus"}, 5)


def test_nothing_is_told_where_nobody_listens() -> None:
    show_progress("outside of any operation")
    with Operation(URN).running():
        show_progress("to an engine that gave no address")


def test_cancelling_ends_what_waits_at_once() -> None:
    queue, cloud = find("aws:batch/jobQueue:JobQueue"), SlowCloud(("ENABLED", "CREATING"))
    operation = Operation(URN)
    operation.cancelled.set()
    assert queue.await_change
    with operation.running(), pytest.raises(CancelledError, match="cancelled while it waited"):
        queue.await_change(cast(Cloud, cloud), {"name": "queue"}, 300)
    assert len(cloud.calls) == 1
