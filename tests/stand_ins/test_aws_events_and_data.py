"""Schedules, rules, tables, topics and readers of queues, on the local cloud: made, changed, repaired, imported."""

import gc
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.world.aws_plugin import Bench
from tests.world.fake_cloud import FakeCloud
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS

ROLE = "arn:aws:iam::000000000000:role/any"
PLACE = "us-east-1:000000000000"
PATTERN = json.dumps({"source": ["mine"]})
DEFINITION = json.dumps({"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}})


@pytest.fixture(scope="module")
def target(cloud: FakeCloud) -> str:
    cloud.function("target")
    return f"arn:aws:lambda:{PLACE}:function:target"


@pytest.fixture
def bench(cloud: FakeCloud, tmp_path: Path) -> Iterator[Bench]:
    yield Bench(tmp_path, cloud.environment()["AWS_ENDPOINT_URL"])
    gc.collect()


def imported(ids: dict[str, str], kind: str) -> pulumi.ResourceOptions:
    return pulumi.ResourceOptions(import_=ids.get(kind))


def everything(target: str, *, second: bool = False, ids: dict[str, str] | None = None) -> Callable[[], None]:
    """Return a program with every type; with `second`, each of them is changed in place."""
    known, tags = ids or {}, {"v": "2" if second else "1"}

    def program() -> None:
        aws.sfn.StateMachine(
            "machine", name="every", role_arn=ROLE, definition=DEFINITION, tags=tags, opts=imported(known, "machine")
        )
        queue = aws.sqs.Queue("queue", name="every", opts=imported(known, "queue"))
        policy = {
            "Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Sid": tags["v"]}],
        }
        aws.sqs.QueuePolicy("policy", queue_url=queue.url, policy=json.dumps(policy), opts=imported(known, "policy"))
        schedule: Any = {"arn": target, "role_arn": ROLE, "input": json.dumps(tags)}
        aws.scheduler.Schedule(
            "schedule",
            name="every",
            schedule_expression="rate(2 minutes)" if second else "rate(1 minutes)",
            flexible_time_window={"mode": "OFF"},
            target=schedule,
            opts=imported(known, "schedule"),
        )
        rule = aws.cloudwatch.EventRule(
            "rule", name="every", event_pattern=PATTERN, description=tags["v"], opts=imported(known, "rule")
        )
        aws.cloudwatch.EventTarget(
            "event-target",
            rule=rule.name,
            target_id="one",
            arn=target,
            input=json.dumps(tags),
            opts=imported(known, "event-target"),
        )
        aws.lambda_.EventSourceMapping(
            "mapping",
            event_source_arn=queue.arn,
            function_name=target,
            batch_size=5 if second else 10,
            scaling_config={"maximum_concurrency": 2},
            function_response_types=["ReportBatchItemFailures"],
            opts=imported(known, "mapping"),
        )
        index = {"name": "by-state", "hash_key": "state", "range_key": "id", "projection_type": "ALL"}
        other = {"name": "by-tenant", "hash_key": "tenant", "projection_type": "KEYS_ONLY"}
        names = ["id", "state", *(["tenant"] if second else [])]
        indexes: Any = [index, *([other] if second else [])]
        aws.dynamodb.Table(
            "table",
            name="every",
            attributes=[{"name": name, "type": "S"} for name in names],
            hash_key="id",
            billing_mode="PAY_PER_REQUEST",
            global_secondary_indexes=indexes,
            ttl={"attribute_name": "expires", "enabled": True},
            tags=tags,
            opts=imported(known, "table"),
        )
        shares: Any = [{"share_identifier": "a*", "weight_factor": 0.5 if second else 0.1}]
        aws.batch.SchedulingPolicy(
            "shares", name="every", fair_share_policy={"share_distributions": shares}, opts=imported(known, "shares")
        )
        topic = aws.sns.Topic("topic", name="every", display_name=tags["v"], opts=imported(known, "topic"))
        subscription = aws.sns.TopicSubscription(
            "subscription",
            topic=topic.arn,
            protocol="sqs",
            endpoint=queue.arn,
            opts=imported(known, "subscription"),
        )
        bucket = aws.s3.Bucket("bucket", bucket="every-type", opts=imported(known, "bucket"))
        rules: Any = [{"id": "old", "status": "Enabled", "filter": {"prefix": ""}, "expiration": {"days": 7}}]
        aws.s3.BucketLifecycleConfiguration("expiry", bucket=bucket.id, rules=rules, opts=imported(known, "expiry"))
        pulumi.export("subscription", subscription.arn)

    return program


def ids_of(stack: Any) -> dict[str, str]:
    resources = stack.export_stack().deployment["resources"]
    return {entry["urn"].rpartition("::")[2]: entry["id"] for entry in resources if entry.get("id")}


def test_every_type_is_made_changed_in_place_imported_and_removed(cloud: FakeCloud, bench: Bench, target: str) -> None:
    stack = bench.stack(everything(target))
    assert changes(stack.up()) == {"create": 14}
    assert changes(stack.up()) == {}
    assert changes(stack.refresh()) == {}
    ids = ids_of(stack)
    expected = {
        "schedule": "default/every",
        "rule": "every",
        "event-target": "every-one",
        "table": "every",
        "machine": f"arn:aws:states:{PLACE}:stateMachine:every",
        "shares": f"arn:aws:batch:{PLACE}:scheduling-policy/every",
        "topic": f"arn:aws:sns:{PLACE}:every",
    }
    assert {name: ids[name] for name in expected} == expected
    assert ids["policy"] == ids["queue"]
    functions = cloud.client("lambda")
    assert functions.get_event_source_mapping(UUID=ids["mapping"])["BatchSize"] == 10

    changed = bench.stack(everything(target, second=True))
    assert changes(changed.up()) == {"update": 9}
    assert changes(changed.up()) == {}
    assert changes(changed.refresh()) == {}
    assert functions.get_event_source_mapping(UUID=ids["mapping"])["BatchSize"] == 5
    tables = cloud.client("dynamodb")
    table = tables.describe_table(TableName="every")["Table"]
    assert {found["IndexName"] for found in table["GlobalSecondaryIndexes"]} == {"by-state", "by-tenant"}
    assert tables.describe_time_to_live(TableName="every")["TimeToLiveDescription"]["AttributeName"] == "expires"
    schedule = cloud.client("scheduler").get_schedule(Name="every")
    assert (schedule["ScheduleExpression"], schedule["Target"]["Input"]) == ("rate(2 minutes)", '{"v": "2"}')
    (live,) = cloud.client("events").list_targets_by_rule(Rule="every")["Targets"]
    assert (live["Arn"], live["Input"]) == (target, '{"v": "2"}')

    # Another stack takes over what is there.
    wanted = {name: id_ for name, id_ in ids_of(changed).items() if name in everything_named}
    other = Bench(bench.directory / "other", bench.endpoint)
    other.directory.mkdir()
    taken = other.stack(everything(target, second=True, ids={**wanted, "event-target": "every/one"}))
    assert changes(taken.up()) == {"create": 1, "import": 13}
    adopted = other.stack(everything(target, second=True))
    assert changes(adopted.up()) == {}
    adopted.destroy()
    assert tables.list_tables()["TableNames"] == []
    assert functions.list_event_source_mappings()["EventSourceMappings"] == []
    assert cloud.client("events").list_rules()["Rules"] == []
    assert cloud.client("scheduler").list_schedules()["Schedules"] == []
    assert cloud.client("sns").list_topics()["Topics"] == []
    assert cloud.client("stepfunctions").list_state_machines()["stateMachines"] == []


everything_named = (
    *("machine", "queue", "policy", "schedule", "rule", "event-target", "mapping", "table", "shares", "topic"),
    *("subscription", "bucket", "expiry"),
)


def test_what_others_change_is_seen_and_repaired(cloud: FakeCloud, bench: Bench, target: str) -> None:
    stack = bench.stack(everything(target))
    stack.up()
    ids = ids_of(stack)
    clients = {name: cloud.client(name) for name in ("lambda", "scheduler", "events", "dynamodb", "sqs", "sns")}
    clients["lambda"].update_event_source_mapping(UUID=ids["mapping"], BatchSize=1)
    clients["events"].put_rule(Name="every", EventPattern=PATTERN, State="DISABLED", Description="1")
    clients["sqs"].set_queue_attributes(QueueUrl=ids["queue"], Attributes={"Policy": ""})
    clients["scheduler"].delete_schedule(Name="every")
    clients["sns"].set_topic_attributes(TopicArn=ids["topic"], AttributeName="DisplayName", AttributeValue="theirs")
    clients["dynamodb"].update_time_to_live(
        TableName="every", TimeToLiveSpecification={"AttributeName": "expires", "Enabled": False}
    )
    seen = changes(stack.refresh())
    assert (seen["update"], seen["delete"]) == (4, 2)
    assert changes(stack.up()) == {"create": 2, "update": 4}
    assert changes(stack.refresh()) == {}
    assert clients["lambda"].get_event_source_mapping(UUID=ids["mapping"])["BatchSize"] == 10
    assert clients["events"].describe_rule(Name="every")["State"] == "ENABLED"
    stack.destroy()


def test_an_index_of_other_keys_is_made_anew_and_the_items_stay(cloud: FakeCloud, bench: Bench) -> None:
    def table(key: str) -> Callable[[], None]:
        def program() -> None:
            attributes: Any = [{"name": name, "type": "S"} for name in ("id", key)]
            index: Any = [{"name": "by-key", "hash_key": key, "projection_type": "ALL"}]
            aws.dynamodb.Table(
                "table",
                name="kept",
                attributes=attributes,
                hash_key="id",
                billing_mode="PAY_PER_REQUEST",
                global_secondary_indexes=index,
            )

        return program

    bench.stack(table("one")).up()
    tables = cloud.client("dynamodb")
    tables.put_item(TableName="kept", Item={"id": {"S": "a"}, "one": {"S": "1"}, "two": {"S": "2"}})
    stack = bench.stack(table("two"))
    assert changes(stack.up()) == {"update": 1}
    assert changes(stack.refresh()) == {}
    names, values = {"#k": "two"}, {":v": {"S": "2"}}
    query = {"KeyConditionExpression": "#k = :v", "ExpressionAttributeNames": names}
    found = tables.query(TableName="kept", IndexName="by-key", ExpressionAttributeValues=values, **query)
    assert [item["id"]["S"] for item in found["Items"]] == ["a"]
    stack.destroy()
