"""Distributed Maps: a child for each item of an object in S3, limits, failures, results in files, and redrives."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.states.conftest import Machine
from tests.cloud.states.test_executions import invoke
from tests.world.fake_cloud import FakeCloud, wait_for

Make = Callable[..., Machine]


def distributed(state: dict[str, Any], kind: str = "STANDARD", **more: Any) -> dict[str, Any]:
    """Return a Distributed Map over the lines of an object."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, "StartAt": "Each"}
    reader = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSONL"},
        "Parameters": {"Bucket.$": "$.bucket", "Key.$": "$.key"},
    }
    processor |= {"States": {"Each": state}}
    return {"Type": "Map", "ItemReader": reader, "ItemProcessor": processor, "Label": "each", "End": True, **more}


@pytest.fixture(scope="module")
def bucket(cloud: FakeCloud) -> str:
    cloud.client("s3").create_bucket(Bucket="items-of-maps")
    return "items-of-maps"


def items(cloud: FakeCloud, bucket: str, *values: Any) -> dict[str, str]:
    key = f"{time.time_ns()}.jsonl"
    body = "".join(json.dumps(value) + "\n" for value in values)
    cloud.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return {"bucket": bucket, "key": key}


def map_run(machine: Machine, arn: str) -> dict[str, Any]:
    client = machine.cloud.client("stepfunctions")
    (run,) = client.list_map_runs(executionArn=arn)["mapRuns"]
    found: dict[str, Any] = client.describe_map_run(mapRunArn=run["mapRunArn"])
    return found


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_each_line_is_a_child_and_the_results_keep_their_order(
    cloud: FakeCloud, bucket: str, machine: Make, kind: str
) -> None:
    cloud.function(f"each-{kind.lower()}", {"ANSWER": '{"ok": 1}'})
    mapped = machine({"Map": distributed(invoke(f"each-{kind.lower()}"), kind, MaxConcurrency=7)})
    arn = mapped.start(items(cloud, bucket, *({"task": number} for number in range(40))))
    ended = mapped.ended(arn)
    assert json.loads(ended["output"]) == [{"ok": 1}] * 40
    called = sorted(call["payload"]["task"] for call in cloud.calls(f"each-{kind.lower()}"))
    assert called == list(range(40))
    run = map_run(mapped, arn)
    assert (run["status"], run["maxConcurrency"]) == ("SUCCEEDED", 7)
    assert {name: run["itemCounts"][name] for name in ("total", "succeeded", "failed")} == {
        "total": 40, "succeeded": 40, "failed": 0,
    }  # fmt: skip
    client = cloud.client("stepfunctions")
    children = client.list_executions(mapRunArn=run["mapRunArn"], statusFilter="SUCCEEDED")["executions"]
    assert len(children) == 40
    child = client.describe_execution(executionArn=children[0]["executionArn"])
    assert child["stateMachineArn"].endswith(f"{mapped.name}/each")
    assert child["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    if kind == "EXPRESS":
        with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
            mapped.events(child["executionArn"])
    else:
        assert mapped.kinds(child["executionArn"])[-1] == "ExecutionSucceeded"
    assert [name for name in mapped.kinds(arn) if name.startswith("MapRun")] == ["MapRunStarted", "MapRunSucceeded"]


def test_one_failure_fails_the_run_and_a_redrive_repeats_the_failed_children_alone(
    cloud: FakeCloud, bucket: str, machine: Make
) -> None:
    cloud.function("by-name", {"ANSWER": '"done"'})
    choose = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": True}
    choose["Parameters"] = {"FunctionName.$": "$.function", "Payload.$": "$"}
    mapped = machine({"Map": distributed(choose, MaxConcurrency=1)})
    lines = [{"function": name, "n": n} for n, name in enumerate(("by-name", "by-name", "not-yet", "by-name"))]
    arn = mapped.start(items(cloud, bucket, *lines))
    ended = mapped.ended(arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    counts = map_run(mapped, arn)["itemCounts"]
    assert (counts["succeeded"], counts["failed"], counts["pending"]) == (2, 1, 1)

    cloud.function("not-yet", {"ANSWER": '"late"'})
    cloud.client("stepfunctions").redrive_execution(executionArn=arn)
    ended = mapped.ended(arn)
    assert json.loads(ended["output"]) == ["done", "done", "late", "done"]
    assert sorted(call["payload"]["n"] for call in cloud.calls("by-name")) == [0, 1, 3]
    run = map_run(mapped, arn)
    assert (run["status"], run["redriveCount"], run["itemCounts"]["succeeded"]) == ("SUCCEEDED", 1, 4)


def test_failures_are_tolerated_as_far_as_the_state_says(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    choice = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "OutputPath": "$.Payload", "End": True}
    choice["Parameters"] = {"FunctionName.$": "$.function"}
    cloud.function("tolerated", {"ANSWER": "1"})
    mapped = machine({"Map": distributed(choice, ToleratedFailurePercentage=34)})
    one_of_three = items(cloud, bucket, *({"function": name} for name in ("tolerated", "none-1", "tolerated")))
    assert mapped.output(one_of_three) == [1, 1]
    one_of_two = items(cloud, bucket, *({"function": name} for name in ("tolerated", "none-2")))
    assert mapped.failure(one_of_two)[0] == "States.ExceedToleratedFailureThreshold"


def test_results_that_are_too_long_go_to_files(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    each = {"Type": "Pass", "Result": "x" * 1000, "End": True}
    place = items(cloud, bucket, *range(300))
    assert machine({"Map": distributed(each)}).failure(place)[0] == "States.DataLimitExceeded"

    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket.$": "$.bucket", "Prefix": "out"}}
    output = machine({"Map": distributed(each, ResultWriter=writer)}).output(place)
    s3, details = cloud.client("s3"), output["ResultWriterDetails"]
    manifest = json.loads(s3.get_object(Bucket=details["Bucket"], Key=details["Key"])["Body"].read())
    (file,) = manifest["ResultFiles"]["SUCCEEDED"]
    results = json.loads(s3.get_object(Bucket=bucket, Key=file["Key"])["Body"].read())
    assert [json.loads(result["Input"]) for result in results] == list(range(300))
    assert {result["Output"] for result in results} == {json.dumps("x" * 1000)}


def test_items_are_batched(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"of.$": "$.key"}}
    place = items(cloud, bucket, *range(5))
    output = machine({"Map": distributed({"Type": "Pass", "End": True}, ItemBatcher=batcher)}).output(place)
    assert output == [{"BatchInput": {"of": place["key"]}, "Items": group} for group in ([0, 1], [2, 3], [4])]


def test_items_that_cannot_be_read_are_named(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    mapped = machine({"Map": distributed({"Type": "Pass", "End": True})})
    error, cause = mapped.failure({"bucket": bucket, "key": "nowhere"})
    assert error == "States.ItemReaderFailed"
    assert f"s3://{bucket}/nowhere" in cause
    cloud.client("s3").put_object(Bucket=bucket, Key="broken.jsonl", Body=b'{"a": 1}\n{"b"\n')
    assert "broken.jsonl, line 2" in mapped.failure({"bucket": bucket, "key": "broken.jsonl"})[1]


def test_no_items_are_no_error(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    assert machine({"Map": distributed({"Type": "Succeed"})}).output(items(cloud, bucket)) == []


def test_the_concurrency_of_a_running_map_can_be_changed(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    mapped = machine({"Map": distributed({"Type": "Wait", "Seconds": 1, "End": True}, MaxConcurrency=1)})
    arn = mapped.start(items(cloud, bucket, *range(30)))
    wait_for(lambda: "MapRunStarted" in mapped.kinds(arn))
    run = map_run(mapped, arn)["mapRunArn"]
    cloud.client("stepfunctions").update_map_run(mapRunArn=run, maxConcurrency=30)
    # One after the other they would take 30 s at least.
    assert mapped.ended(arn, 25)["status"] == "SUCCEEDED"


def test_a_stopped_execution_stops_its_children(cloud: FakeCloud, bucket: str, machine: Make) -> None:
    mapped = machine({"Map": distributed({"Type": "Wait", "Seconds": 600, "End": True})})
    arn = mapped.start(items(cloud, bucket, *range(3)))
    wait_for(lambda: "MapRunStarted" in mapped.kinds(arn) and map_run(mapped, arn)["itemCounts"]["running"] == 3)
    cloud.client("stepfunctions").stop_execution(executionArn=arn)
    run = map_run(mapped, arn)
    assert (run["status"], run["itemCounts"]["aborted"], run["itemCounts"]["running"]) == ("ABORTED", 3, 0)


def test_children_that_wait_cost_disk_and_not_memory(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.client("s3").create_bucket(Bucket="many")
    status = own_cloud.status()
    assert status
    before = _megabytes(status.pid)
    mapped = Machine(own_cloud, {"Map": distributed({"Type": "Pass", "Result": {}, "End": True}, "EXPRESS")})
    output = mapped.ended(
        mapped.start(items(own_cloud, "many", *({"task": n, "x": "y" * 300} for n in range(5000)))), 120
    )
    assert output["status"] == "SUCCEEDED"
    # An eighth of the 500 MB that 10,000 tasks may have, beside 2 MB for the object itself.
    assert _megabytes(status.pid) - before < 62


def _megabytes(process: int) -> int:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:"))
