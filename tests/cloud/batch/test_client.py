"""The data plane's view of jobs, on the local cloud's Batch: what `scar-pulumi jobs` shows."""

import time
import uuid
from typing import Any

from scar_pulumi.client.jobs import belongs_to, follow_lines, job_of, list_jobs, parts_of, read_lines
from scar_pulumi.client.outputs import BatchPlace, DeployedFunction
from tests.cloud.batch.conftest import Batch
from tests.cloud.batch.test_nodes import nodes


def function(batch: Batch, name: str, queue: str, definition: str) -> DeployedFunction:
    found: Any = batch.client.describe_job_queues(jobQueues=[queue])["jobQueues"][0]
    place = BatchPlace(found["jobQueueArn"], definition, "/aws/batch/job")
    arn = f"arn:aws:lambda:us-east-1:000000000000:function:{name}"
    return DeployedFunction(name, arn, "us-east-1", f"/aws/lambda/{name}", "", "batch", (), (), batch=place)


def test_a_function_has_the_jobs_of_its_events_and_definition_and_no_others(batch: Batch) -> None:
    queue = batch.queue()
    earlier, present, others = (batch.definition("true", f"{name}-{uuid.uuid4().hex[:6]}") for name in "abc")
    events = [str(uuid.uuid4()) for _ in range(3)]
    mine = [batch.submit(queue, earlier, jobName=f"f-{event}") for event in events]
    mine.append(batch.submit(queue, present, jobName="by-hand"))
    batch.submit(queue, others, jobName=f"f-2-{events[0]}")
    batch.submit(queue, others, jobName="other")
    for identifier in mine:
        batch.end(identifier)
    found = list_jobs(batch.client, function(batch, "f", queue, present))
    assert [job.id for job in found] == mine[::-1]
    assert [job.request_id for job in found] == ["", *events[::-1]]
    assert [(job.status, job.exit_code, job.stopped > 0) for job in found] == [("SUCCEEDED", 0, True)] * 4
    (other,) = list_jobs(batch.client, function(batch, "f-2", queue, ""))
    assert other.request_id == events[0]
    detail = batch.job(mine[0])
    assert belongs_to(detail, function(batch, "f", queue, ""))
    assert not belongs_to(detail, function(batch, "f-2", queue, ""))
    assert not belongs_to(detail, function(batch, "f", batch.queue(), earlier))


def test_a_running_job_is_followed_through_its_attempts_to_its_end(batch: Batch, queue: str) -> None:
    script = "for n in 1 2 3; do echo $AWS_BATCH_JOB_ATTEMPT-$n; sleep 0.3; done; test $AWS_BATCH_JOB_ATTEMPT = 2"
    identifier = batch.submit(queue, batch.definition(script, retryStrategy={"attempts": 2}))
    logs = batch.cloud.client("logs")
    looks = 0

    def look() -> list[Any]:
        nonlocal looks
        looks += 1
        return [batch.job(identifier)]

    def wait() -> bool:
        time.sleep(0.1)
        return looks < 300

    followed = [line.message for line in follow_lines(logs, look, wait=wait)]
    expected = [f"{attempt}-{number}" for attempt in (1, 2) for number in (1, 2, 3)]
    assert followed == expected
    assert looks > 3
    assert [line.message for line in read_lines(logs, look())] == expected


def test_the_parts_of_a_job_are_its_nodes_or_children(batch: Batch, queue: str) -> None:
    many = batch.submit(queue, nodes(batch, "echo node $AWS_BATCH_JOB_NODE_INDEX; sleep 600", count=2))
    array = batch.submit(queue, batch.definition("sleep 600"), arrayProperties={"size": 3})
    batch.wait(f"{many}#1", "RUNNING")
    assert [part["jobId"] for part in parts_of(batch.client, batch.job(many))] == [f"{many}#0", f"{many}#1"]
    assert len(parts_of(batch.client, batch.job(array))) == 3
    assert parts_of(batch.client, batch.job(f"{array}:0")) == []
    for identifier in (many, array):
        job = job_of(batch.job(identifier), "f")
        assert job.parts in (2, 3)
        batch.client.terminate_job(jobId=job.id, reason="enough")
        assert batch.end(identifier)["status"] == "FAILED"
