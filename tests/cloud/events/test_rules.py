"""Rules and their targets on the local cloud: matched, transformed, and delivered even after a kill."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import ROLE, FakeCloud, wait_for

FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:"
MINE = json.dumps({"source": ["mine"], "detail": {"size": [{"numeric": [">", 1]}]}})


@pytest.fixture(autouse=True)
def no_rules(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "cloud" in request.fixturenames:
        client = request.getfixturevalue("cloud").client("events")
        for rule in client.list_rules()["Rules"]:
            if ids := [target["Id"] for target in client.list_targets_by_rule(Rule=rule["Name"])["Targets"]]:
                client.remove_targets(Rule=rule["Name"], Ids=ids)
            client.delete_rule(Name=rule["Name"])


def rule(cloud: FakeCloud, name: str, *targets: dict[str, Any], pattern: str = MINE) -> None:
    client = cloud.client("events")
    client.put_rule(Name=name, EventPattern=pattern)
    client.put_targets(Rule=name, Targets=list(targets))


def put(cloud: FakeCloud, **detail: Any) -> dict[str, Any]:
    entry = {"Source": "mine", "DetailType": "made", "Detail": json.dumps(detail)}
    answer: dict[str, Any] = cloud.client("events").put_events(Entries=[entry])
    return answer


def test_an_event_goes_to_the_targets_of_the_rules_that_it_matches(cloud: FakeCloud) -> None:
    cloud.function("matched")
    template = {"InputPathsMap": {"n": "$.detail.size"}, "InputTemplate": '{"times": <n>}'}
    whole, made = {"Id": "a", "Arn": f"{FUNCTION}matched"}, {"Id": "b", "Arn": f"{FUNCTION}matched"}
    rule(cloud, "matching", whole, {**made, "InputTransformer": template})
    rule(cloud, "other", {"Id": "c", "Arn": f"{FUNCTION}matched"}, pattern=json.dumps({"source": ["theirs"]}))
    put(cloud, size=1)
    event = put(cloud, size=2)["Entries"][0]["EventId"]
    wait_for(lambda: len(cloud.calls("matched")) == 2)
    payloads = [call["payload"] for call in cloud.calls("matched")]
    assert {"times": 2} in payloads
    (found,) = (payload for payload in payloads if "times" not in payload)
    assert (found["id"], found["detail-type"], found["detail"]) == (event, "made", {"size": 2})


def test_state_machines_and_queues_are_targets(cloud: FakeCloud) -> None:
    states = cloud.client("stepfunctions")
    text = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})
    machine = states.create_state_machine(name="ruled", definition=text, roleArn=ROLE)["stateMachineArn"]
    queue = cloud.client("sqs").create_queue(QueueName="ruled")["QueueUrl"]
    to_machine = {"Id": "m", "Arn": machine, "RoleArn": ROLE, "InputPath": "$.detail"}
    rule(cloud, "to-both", to_machine, {"Id": "q", "Arn": "arn:aws:sqs:us-east-1:000000000000:ruled"})
    put(cloud, size=5)
    (execution,) = wait_for(lambda: states.list_executions(stateMachineArn=machine)["executions"])
    described = states.describe_execution(executionArn=execution["executionArn"])
    assert json.loads(described["input"]) == {"size": 5}
    received = wait_for(lambda: cloud.client("sqs").receive_message(QueueUrl=queue).get("Messages"))
    assert json.loads(received[0]["Body"])["detail"] == {"size": 5}


def test_a_bucket_tells_of_its_objects(cloud: FakeCloud) -> None:
    cloud.function("told")
    s3 = cloud.client("s3")
    s3.create_bucket(Bucket="telling")
    s3.put_bucket_notification_configuration(
        Bucket="telling", NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": ["telling"]}}}
    rule(cloud, "telling", {"Id": "f", "Arn": f"{FUNCTION}told"}, pattern=json.dumps(pattern))
    etag = s3.put_object(Bucket="telling", Key="a b/é+%2B.txt", Body=b"four")["ETag"].strip('"')
    s3.delete_object(Bucket="telling", Key="a b/é+%2B.txt")
    wait_for(lambda: len(cloud.calls("told")) == 2)
    found = {call["payload"]["detail-type"]: call["payload"]["detail"] for call in cloud.calls("told")}
    made = found["Object Created"]
    assert {name: made["object"][name] for name in ("key", "size", "etag")} == {
        "key": "a b/é+%2B.txt", "size": 4, "etag": etag,
    }  # fmt: skip
    assert made["reason"] == "PutObject"
    assert found["Object Deleted"]["object"]["key"] == "a b/é+%2B.txt"


def test_targets_are_kept_listed_and_removed(cloud: FakeCloud) -> None:
    client = cloud.client("events")
    target = {"Id": "one", "Arn": f"{FUNCTION}any", "Input": '{"a": 1}'}
    rule(cloud, "kept", target)
    assert client.list_targets_by_rule(Rule="kept")["Targets"] == [target]
    assert client.list_rule_names_by_target(TargetArn=target["Arn"])["RuleNames"] == ["kept"]
    with pytest.raises(ClientError, match="since it has targets"):
        client.delete_rule(Name="kept")
    assert client.remove_targets(Rule="kept", Ids=["one", "two"])["FailedEntryCount"] == 1
    assert client.list_targets_by_rule(Rule="kept")["Targets"] == []


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"Id": "x", "Arn": "arn:aws:kinesis:us-east-1:000000000000:stream/x"}, "not served here"),
        ({"Id": "x", "Arn": f"{FUNCTION}x", "Input": "{"}, "must be JSON"),
        ({"Id": "x", "Arn": "arn:aws:batch:us-east-1:000000000000:job-queue/q"}, "BatchParameters is needed"),
    ],
)
def test_a_wrong_target_is_refused(cloud: FakeCloud, target: dict[str, Any], words: str) -> None:
    cloud.client("events").put_rule(Name="strict", EventPattern=MINE)
    with pytest.raises(ClientError, match=words):
        cloud.client("events").put_targets(Rule="strict", Targets=[target])
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        cloud.client("events").put_targets(Rule="nowhere", Targets=[{"Id": "x", "Arn": f"{FUNCTION}x"}])


def test_what_is_no_event_is_answered_beside_what_is(cloud: FakeCloud) -> None:
    good = {"Source": "mine", "DetailType": "made", "Detail": "{}"}
    answer = cloud.client("events").put_events(Entries=[good, {**good, "Detail": "[1]"}, {"Source": "mine"}])
    assert answer["FailedEntryCount"] == 2
    assert [entry.get("ErrorCode") for entry in answer["Entries"]] == [None, "MalformedDetail", "InvalidArgument"]
    with pytest.raises(ClientError, match="over the limit"):
        cloud.client("events").put_events(Entries=[{**good, "Detail": json.dumps({"x": "y" * 262_144})}])


def test_a_rule_with_a_schedule_is_checked_and_due_after_its_first_period(cloud: FakeCloud) -> None:
    client = cloud.client("events")
    with pytest.raises(ClientError, match="ScheduleExpression is not valid"):
        client.put_rule(Name="wrong", ScheduleExpression="rate(1 minutes)")
    client.put_rule(Name="timed", ScheduleExpression="rate(1 minute)")
    (due,) = cloud.stored("SELECT due FROM schedules WHERE arn LIKE '%rule/timed'")
    client.disable_rule(Name="timed")
    assert cloud.stored("SELECT due FROM schedules WHERE arn LIKE '%rule/timed'") == [(None,)]
    client.enable_rule(Name="timed")
    (again,) = cloud.stored("SELECT due FROM schedules WHERE arn LIKE '%rule/timed'")
    assert again > due


def test_a_rule_that_is_due_calls_its_targets(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("timed")
    client = own_cloud.client("events")
    client.put_rule(Name="timed", ScheduleExpression="rate(1 minute)")
    client.put_targets(Rule="timed", Targets=[{"Id": "f", "Arn": f"{FUNCTION}timed", "Input": '{"poll": 1}'}])
    own_cloud.kill()
    # As if the minute had passed while the cloud was dead.
    own_cloud.stored("UPDATE schedules SET due = due - 60")
    own_cloud.start()
    (call,) = wait_for(lambda: own_cloud.calls("timed"))
    assert call["payload"] == {"poll": 1}


def test_no_event_is_lost_to_a_kill(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("sturdy", {"SECONDS": "0.05"})
    rule(own_cloud, "sturdy", {"Id": "f", "Arn": f"{FUNCTION}sturdy", "InputPath": "$.detail"})
    for number in range(60):
        put(own_cloud, size=number + 2)
        if number % 20 == 19:
            own_cloud.kill()
            own_cloud.start()
    wait_for(lambda: not own_cloud.spooled() and not own_cloud.stored("SELECT 1 FROM event_deliveries"), 30)
    assert {call["payload"]["size"] for call in own_cloud.calls("sturdy")} == set(range(2, 62))
