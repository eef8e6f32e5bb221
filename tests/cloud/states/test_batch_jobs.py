"""Batch jobs of state machines, in real containers: waited for, failed, found again after a kill, ended with a stop."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cloud.batch.conftest import Batch, layer, started
from tests.cloud.states.conftest import Machine
from tests.world.fake_cloud import FakeCloud, wait_for

__all__ = ["layer"]


@pytest.fixture
def own(tmp_path: Path, layer: bytes) -> Iterator[Batch]:
    yield from started(FakeCloud(tmp_path / "state"), layer)


def submit(queue: str, definition: str, *, sync: bool = True, **more: Any) -> dict[str, Any]:
    parameters = {"JobName": "count", "JobQueue": queue, "JobDefinition": definition, **more}
    resource = f"arn:aws:states:::batch:submitJob{'.sync' if sync else ''}"
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}


def test_a_state_waits_for_an_array_of_jobs_and_gives_its_description(own: Batch) -> None:
    overrides = {"Environment": [{"Name": "RUN", "Value.$": "$.run"}]}
    script = 'test "$RUN" = abc && test $AWS_BATCH_JOB_ARRAY_INDEX -lt 3'
    array = {"Size": 3}
    state = submit(own.queue(), own.definition(script), ArrayProperties=array, ContainerOverrides=overrides)
    machine = Machine(own.cloud, {"Map": state})
    arn = machine.start({"run": "abc"})
    job = json.loads(machine.ended(arn, 60)["output"])
    assert (job["Status"], job["ArrayProperties"]["StatusSummary"]["SUCCEEDED"]) == ("SUCCEEDED", 3)
    assert job["Container"]["Environment"][0] == {"Name": "RUN", "Value": "abc"}
    assert [kind for kind in machine.kinds(arn) if kind.startswith("Task")] == [
        *("TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited")
    ]


def test_a_failed_job_fails_the_state_with_the_jobs_description_as_cause(own: Batch) -> None:
    machine = Machine(own.cloud, {"Map": submit(own.queue(), own.definition("exit 3"))})
    error, cause = machine.failure()
    assert error == "States.TaskFailed"
    assert json.loads(cause)["Container"]["ExitCode"] == 3
    nowhere = Machine(own.cloud, {"Map": submit("no-queue", "no-definition")})
    error, cause = nowhere.failure()
    assert error == "Batch.ClientException"
    assert "no-queue" in cause


def test_a_state_that_does_not_wait_goes_on_at_once(own: Batch) -> None:
    queue = own.queue()
    output = Machine(own.cloud, {"Map": submit(queue, own.definition("sleep 612.7"), sync=False)}).output()
    assert own.job(output["JobId"])["status"] not in ("SUCCEEDED", "FAILED")
    own.client.terminate_job(jobId=output["JobId"], reason="seen")


def test_the_job_of_a_killed_cloud_is_waited_for_and_not_submitted_again(own: Batch) -> None:
    queue = own.queue()
    definition = own.definition("sleep 2", retryStrategy={"attempts": 3})
    machine = Machine(own.cloud, {"Map": submit(queue, definition)})
    arn = machine.start()
    wait_for(lambda: own.client.list_jobs(jobQueue=queue, jobStatus="RUNNING")["jobSummaryList"], 60)
    own.cloud.kill()
    own.cloud.start()
    job = json.loads(machine.ended(arn, 60)["output"])
    jobs = [
        found["jobId"]
        for status in ("SUCCEEDED", "FAILED", "RUNNING", "RUNNABLE")
        for found in own.client.list_jobs(jobQueue=queue, jobStatus=status)["jobSummaryList"]
    ]
    assert jobs == [job["JobId"]]


def test_stopping_an_execution_terminates_its_job(own: Batch) -> None:
    queue = own.queue()
    machine = Machine(own.cloud, {"Map": submit(queue, own.definition("sleep 613.3"))})
    arn = machine.start()
    (running,) = wait_for(lambda: own.client.list_jobs(jobQueue=queue, jobStatus="RUNNING")["jobSummaryList"], 60)
    own.cloud.client("stepfunctions").stop_execution(executionArn=arn)
    assert own.end(running["jobId"])["status"] == "FAILED"
