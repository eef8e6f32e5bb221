"""Storage events start one execution for each version of an object, and plans fit into the limits of a stage."""

import json
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest

from supervisor.errors import InputChanged, InputFailed, SupervisorError
from supervisor.mapreduce.run import LARGEST_PLAN
from supervisor.mapreduce.stages import job_event
from tests.supervisor.container import s3_event
from tests.supervisor.mapreduce.conftest import MapReduce
from tests.world.waiting import wait_for

Make = Callable[..., MapReduce]
WAITING = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 600, "End": True}}}


@pytest.fixture
def machine(s3_endpoint: str) -> Iterator[tuple[Any, str]]:
    """Step Functions, and a state machine whose executions wait."""
    client = boto3.client(
        "stepfunctions",
        endpoint_url=s3_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    arn = client.create_state_machine(
        name="counties", definition=json.dumps(WAITING), roleArn="arn:aws:iam::000000000000:role/any"
    )["stateMachineArn"]
    yield client, arn
    for execution in client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
        client.stop_execution(executionArn=execution["executionArn"])
    client.delete_state_machine(stateMachineArn=arn)
    client.close()


def executions(machine: tuple[Any, str]) -> list[str]:
    client, arn = machine
    return [execution["name"] for execution in client.list_executions(stateMachineArn=arn)["executions"]]


def test_the_same_event_five_times_is_one_execution(mapreduce: Make, machine: tuple[Any, str]) -> None:
    client, arn = machine
    deployed = mapreduce(section={"state_machine": arn})
    deployed.put("in/añ b.txt", b"a\n")
    event = s3_event(deployed.bucket, quote_plus("in/añ b.txt"))
    answers = [deployed.call("plan", event) for _ in range(5)]
    (name,) = executions(machine)
    assert answers == [{"runs": [name]}] * 5
    (execution,) = client.list_executions(stateMachineArn=arn)["executions"]
    described = client.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == deployed.run_of("in/añ b.txt")
    deployed.put("in/añ b.txt", b"b\n")
    deployed.call("plan", event)
    assert len(executions(machine)) == 2


DONE = {"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}


def test_a_run_that_has_ended_is_started_again_unless_its_results_are_there(
    mapreduce: Make, machine: tuple[Any, str]
) -> None:
    client, arn = machine
    client.update_state_machine(stateMachineArn=arn, definition=json.dumps(DONE))
    deployed = mapreduce(section={"state_machine": arn})
    event = s3_event(deployed.bucket, "in/a")

    def send(content: bytes) -> str:
        deployed.put("in/a", content)
        (run,) = deployed.call("plan", event)["runs"]
        wait_for(lambda: not client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"], 20, run)
        return str(run)

    first = send(b"one\n")
    assert send(b"one\n") == first  # it has published nothing
    assert sorted(executions(machine)) == [first, f"{first}-1"]
    deployed.execute("in/a")
    assert send(b"one\n") == first
    assert len(executions(machine)) == 2
    second = send(b"two\n")
    deployed.section["digest"] = "d"
    deployed.execute("in/a")
    # The first content comes back: the results that are there are those of the second.
    assert send(b"one\n") == first
    assert sorted(executions(machine)) == sorted([first, f"{first}-1", f"{first}-2", second])


def test_content_that_comes_back_while_its_run_gives_up_is_run_again(
    mapreduce: Make, machine: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, arn = machine
    deployed = mapreduce(section={"state_machine": arn})
    event = s3_event(deployed.bucket, "in/a")
    deployed.put("in/a", b"one\n")
    run = deployed.run_of("in/a")
    (name,) = deployed.call("plan", event)["runs"]
    assert name == run["run"]
    plan = deployed.plan(run)
    deployed.put("in/a", b"two\n")
    with pytest.raises(InputChanged):
        deployed.call("map", deployed.lines(plan["tasks"])[0])
    deployed.put("in/a", b"one\n")

    def end(_: float) -> None:
        for execution in client.list_executions(stateMachineArn=arn, statusFilter="RUNNING")["executions"]:
            client.stop_execution(executionArn=execution["executionArn"])

    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", end)
        assert deployed.call("plan", event) == {"runs": [name]}
    assert sorted(executions(machine)) == [name, f"{name}-1"]
    deployed.plan(run)  # by the new execution
    assert deployed.call("plan", event) == {"runs": [name]}
    assert deployed.execute("in/a")["records"] == 1


def test_each_object_of_an_event_is_a_run_and_folders_are_none(mapreduce: Make, machine: tuple[Any, str]) -> None:
    deployed = mapreduce(section={"state_machine": machine[1]})
    for key in ("in/a", "in/b"):
        deployed.put(key, key.encode())
    answer = deployed.call("plan", s3_event(deployed.bucket, "in/a", "in/", "in/b"))
    assert sorted(answer["runs"]) == sorted(executions(machine))
    assert len(answer["runs"]) == 2


def test_another_configuration_is_another_run(mapreduce: Make, machine: tuple[Any, str]) -> None:
    deployed = mapreduce(section={"state_machine": machine[1]})
    deployed.put("in/a", b"a\n")
    for digest in ("one", "two"):
        deployed.section["digest"] = digest
        deployed.call("plan", s3_event(deployed.bucket, "in/a"))
    assert len(executions(machine)) == 2


def test_a_missing_object_or_machine_is_an_error(mapreduce: Make) -> None:
    deployed = mapreduce()
    with pytest.raises(InputFailed, match="in/none: cannot be found"):
        deployed.call("plan", s3_event(deployed.bucket, "in/none"))
    deployed.put("in/a", b"a")
    with pytest.raises(SupervisorError, match="StateMachineDoesNotExist"):
        deployed.call("plan", s3_event(deployed.bucket, "in/a"))


def test_an_input_of_more_splits_than_a_stage_can_have_gets_larger_ones(mapreduce: Make) -> None:
    deployed = mapreduce(section={"split": {"size": 3}, "reducers": 2})
    deployed.put("in/x", b"x" * (3 * LARGEST_PLAN + 1))
    plan = deployed.plan(deployed.run_of("in/x"))
    assert plan["map_count"] == 7501
    tasks = deployed.lines(plan["tasks"])
    assert [task["task"] for task in tasks] == list(range(7501))
    assert len(json.dumps(plan)) < 10_000
    assert (plan["array_size"], plan["reduce_array_size"]) == (7501, 2)


def test_a_single_task_is_an_array_of_two_whose_second_does_nothing(mapreduce: Make) -> None:
    deployed = mapreduce()
    deployed.put("in/x", b"x\n")
    run = deployed.run_of("in/x")
    plan = deployed.plan(run)
    assert (plan["map_count"], plan["array_size"], plan["reduce_array_size"]) == (1, 2, 2)
    event = {"mapreduce": "map", "run": run["run"]}
    for index in ("0", "1"):
        job = json.loads(job_event(json.dumps(event).encode(), {"AWS_BATCH_JOB_ARRAY_INDEX": index}))
        assert job == {**event, "task": int(index)}
        deployed.call("map", job)
    assert deployed.keys(f"work/{run['run'][:2]}/{run['run']}/m/") == ["00000.json"]


def test_a_run_that_is_planned_again_is_divided_in_the_same_way(mapreduce: Make) -> None:
    deployed = mapreduce(section={"format": {"type": "csv"}, "split": {"size": 5}})
    deployed.put("in/x", b'a,"b\nc"\nd,e\n')
    run = deployed.run_of("in/x")
    first = (deployed.plan(run), deployed.read(f"work/{run['run'][:2]}/{run['run']}/plan.json"))
    assert (deployed.plan(run), deployed.read(f"work/{run['run'][:2]}/{run['run']}/plan.json")) == first
