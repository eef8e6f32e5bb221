"""Schedules on the local cloud: fired, missed and made up for, and refused as AWS refuses them."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import ROLE, FakeCloud, wait_for

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"


def create(cloud: FakeCloud, name: str, expression: str, arn: str, **more: Any) -> None:
    target = {"Arn": arn, "RoleArn": ROLE, **more.pop("target", {})}
    window = {"Mode": "OFF"}
    client = cloud.client("scheduler")
    client.create_schedule(Name=name, ScheduleExpression=expression, FlexibleTimeWindow=window, Target=target, **more)


def soon(seconds: float = 1) -> str:
    return f"at({(datetime.now(UTC) + timedelta(seconds=seconds)).strftime('%Y-%m-%dT%H:%M:%S')})"


def test_a_rate_begins_at_once_with_the_event_of_a_schedule(cloud: FakeCloud) -> None:
    cloud.function("rated")
    create(cloud, "rated", "rate(1 minutes)", f"{FUNCTION}rated")
    (call,) = wait_for(lambda: cloud.calls("rated"))
    assert call["payload"]["source"] == "aws.scheduler"
    assert call["payload"]["resources"] == ["arn:aws:scheduler:us-east-1:000000000000:schedule/default/rated"]
    cloud.client("scheduler").delete_schedule(Name="rated")


def test_a_schedule_of_one_moment_fires_once_with_its_input_and_goes_if_it_is_to(cloud: FakeCloud) -> None:
    cloud.function("once")
    text = json.dumps({"of": "<aws.scheduler.schedule-arn>", "n": 1})
    create(cloud, "once", soon(), f"{FUNCTION}once", target={"Input": text}, ActionAfterCompletion="DELETE")
    (call,) = wait_for(lambda: cloud.calls("once"))
    assert call["payload"] == {"of": "arn:aws:scheduler:us-east-1:000000000000:schedule/default/once", "n": 1}
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.client("scheduler").get_schedule(Name="once")


def test_queues_and_state_machines_are_targets(cloud: FakeCloud) -> None:
    queue = cloud.client("sqs").create_queue(QueueName="scheduled")["QueueUrl"]
    create(cloud, "to-queue", soon(), "arn:aws:sqs:us-east-1:000000000000:scheduled", target={"Input": "plain text"})
    received = wait_for(lambda: cloud.client("sqs").receive_message(QueueUrl=queue).get("Messages"))
    assert received[0]["Body"] == "plain text"
    states = cloud.client("stepfunctions")
    text = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = states.create_state_machine(name="scheduled", definition=text, roleArn=ROLE)["stateMachineArn"]
    create(cloud, "to-machine", soon(), machine, target={"Input": '{"a": 1}'})
    (execution,) = wait_for(lambda: states.list_executions(stateMachineArn=machine)["executions"])
    assert states.describe_execution(executionArn=execution["executionArn"])["input"] == '{"a": 1}'


def test_what_is_not_taken_goes_to_the_dead_letter_queue(cloud: FakeCloud) -> None:
    queue = cloud.client("sqs").create_queue(QueueName="dead")["QueueUrl"]
    target = {
        "Input": "{}",
        "RetryPolicy": {"MaximumRetryAttempts": 1},
        "DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:000000000000:dead"},
    }
    create(cloud, "to-nobody", soon(), f"{FUNCTION}nobody", target=target)
    client = cloud.client("sqs")
    (message,) = wait_for(lambda: client.receive_message(QueueUrl=queue, MessageAttributeNames=["All"]).get("Messages"))
    assert message["MessageAttributes"]["TARGET_ARN"]["StringValue"] == f"{FUNCTION}nobody"


def test_a_disabled_schedule_rests_and_a_changed_one_keeps_its_date_of_creation(cloud: FakeCloud) -> None:
    cloud.function("resting")
    create(cloud, "resting", "rate(1 minute)", f"{FUNCTION}resting", State="DISABLED")
    client = cloud.client("scheduler")
    before = client.get_schedule(Name="resting")
    assert (before["State"], before["Target"]["RetryPolicy"]["MaximumRetryAttempts"]) == ("DISABLED", 185)
    changes = {key: before[key] for key in ("Name", "ScheduleExpression", "FlexibleTimeWindow", "Target")}
    assert cloud.calls("resting") == []
    client.update_schedule(**changes, State="ENABLED", Description="now")
    assert wait_for(lambda: cloud.calls("resting"))
    after = client.get_schedule(Name="resting")
    assert (after["CreationDate"], after["Description"]) == (before["CreationDate"], "now")
    client.delete_schedule(Name="resting")


def test_a_group_goes_with_its_schedules(cloud: FakeCloud) -> None:
    client = cloud.client("scheduler")
    client.create_schedule_group(Name="mine", Tags=[{"Key": "a", "Value": "b"}])
    create(cloud, "in-group", "rate(1 day)", f"{FUNCTION}any", GroupName="mine", State="DISABLED")
    assert [one["Name"] for one in client.list_schedules(GroupName="mine")["Schedules"]] == ["in-group"]
    assert {one["Name"] for one in client.list_schedule_groups()["ScheduleGroups"]} >= {"default", "mine"}
    arn = client.get_schedule_group(Name="mine")["Arn"]
    assert client.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    client.delete_schedule_group(Name="mine")
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.get_schedule(Name="in-group", GroupName="mine")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ScheduleExpression": "rate(5)"}, "Invalid Schedule Expression"),
        ({"ScheduleExpressionTimezone": "Mars/Base"}, "no time zone"),
        ({"Name": "a b"}, "regular expression"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes is needed"),
        ({"Target": {"Arn": "arn:aws:scheduler:::aws-sdk:s3:listBuckets", "RoleArn": ROLE}}, "not served here"),
        ({"Target": {"Arn": f"{FUNCTION}x", "RoleArn": ROLE, "Input": "{"}}, "must be JSON"),
        ({"GroupName": "none"}, "does not exist"),
    ],
)
def test_a_wrong_schedule_is_refused(cloud: FakeCloud, changes: dict[str, Any], words: str) -> None:
    right = {
        "Name": "wrong",
        "ScheduleExpression": "rate(1 minute)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": f"{FUNCTION}x", "RoleArn": ROLE},
    }
    with pytest.raises(ClientError, match=words):
        cloud.client("scheduler").create_schedule(**{**right, **changes})


def test_what_was_due_while_the_cloud_was_dead_fires_once_at_the_next_start(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("missed")
    create(own_cloud, "missed", soon(2), f"{FUNCTION}missed", target={"Input": '{"n": 1}'})
    create(own_cloud, "later", soon(600), f"{FUNCTION}missed", target={"Input": '{"n": 2}'})
    own_cloud.kill()
    time.sleep(3)
    own_cloud.start()
    wait_for(lambda: own_cloud.calls("missed"))
    own_cloud.kill()
    own_cloud.start()
    wait_for(lambda: not own_cloud.spooled())
    assert [call["payload"]["n"] for call in own_cloud.calls("missed")] == [1]
