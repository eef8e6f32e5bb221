"""The stand-in aws provider and what others do: drift, deletion, import, existing resources; and edits in place."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws

from tests.world.aws_plugin import ASSUME, DIGEST, Bench, client, function
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS


def void(_: object) -> None:
    """Return a program that returns nothing."""


def test_drift_and_outside_deletion_are_seen_and_repaired(bench: Bench) -> None:
    def program() -> None:
        function("drifting", 512, tags={"owner": "us"})
        aws.cloudwatch.LogGroup("gone", name="/drift/gone")

    stack = bench.stack(program)
    stack.up()
    functions = client(bench.endpoint, "lambda")
    functions.update_function_configuration(FunctionName="drifting", MemorySize=256)
    functions.tag_resource(
        Resource=functions.get_function(FunctionName="drifting")["Configuration"]["FunctionArn"], Tags={"owner": "them"}
    )
    client(bench.endpoint, "logs").delete_log_group(logGroupName="/drift/gone")

    assert changes(stack.refresh()) == {"delete": 1, "update": 1}
    preview = stack.preview()
    assert preview.change_summary == {"create": 1, "same": 2, "update": 1}
    assert "[diff: ~memorySize,tags]" in preview.stdout
    assert changes(stack.up()) == {"create": 1, "update": 1}
    live = functions.get_function(FunctionName="drifting")
    assert (live["Configuration"]["MemorySize"], live["Tags"]) == (512, {"owner": "us"})
    stack.destroy()


def test_changes_in_place_take_values_away_again(bench: Bench) -> None:
    def program(**more: Any) -> Callable[[], None]:
        return lambda: void(function("edited", **more))

    full: dict[str, Any] = {
        "description": "some",
        "environment": {"variables": {"A": "1"}},
        "image_config": {"commands": ["run"]},
        "reserved_concurrent_executions": 3,
        "tags": {"a": "1"},
    }
    bench.stack(program(**full)).up()
    assert changes(bench.stack(program()).up()) == {"update": 1}
    live = client(bench.endpoint, "lambda").get_function(FunctionName="edited")
    assert live["Configuration"].get("Description", "") == ""
    assert live["Configuration"].get("Environment", {}).get("Variables", {}) == {}
    assert live.get("Tags", {}) == {}
    assert "ReservedConcurrentExecutions" not in live.get("Concurrency", {})
    assert changes(bench.stack(program()).refresh()) == {}
    assert changes(bench.stack(program()).up()) == {}
    bench.stack(program()).destroy()


def test_import_by_id_leaves_nothing_to_change(bench: Bench) -> None:
    client(bench.endpoint, "iam").create_role(RoleName="theirs", AssumeRolePolicyDocument=ASSUME)
    client(bench.endpoint, "s3").create_bucket(Bucket="their-bucket")
    client(bench.endpoint, "logs").create_log_group(logGroupName="/their/group", tags={"team": "x"})
    url = client(bench.endpoint, "sqs").create_queue(QueueName="theirs", Attributes={"DelaySeconds": "5"})["QueueUrl"]
    client(bench.endpoint, "lambda").create_function(
        FunctionName="theirs",
        Role="arn:aws:iam::000000000000:role/theirs",
        PackageType="Image",
        Code={"ImageUri": f"000000000000.dkr.ecr.us-east-1.amazonaws.com/x@{DIGEST}"},
        EphemeralStorage={"Size": 2048},
    )

    def program(**ids: str) -> Callable[[], None]:
        def options(kind: str) -> pulumi.ResourceOptions:
            return pulumi.ResourceOptions(import_=ids.get(kind))

        def run() -> None:
            aws.iam.Role("role", name="theirs", assume_role_policy=ASSUME, opts=options("role"))
            aws.s3.Bucket("bucket", bucket="their-bucket", opts=options("bucket"))
            aws.cloudwatch.LogGroup("group", name="/their/group", tags={"team": "x"}, opts=options("group"))
            aws.sqs.Queue("queue", name="theirs", delay_seconds=5, max_message_size=1048576, opts=options("queue"))
            aws.lambda_.Function(
                "function",
                name="theirs",
                role="arn:aws:iam::000000000000:role/theirs",
                package_type="Image",
                image_uri=f"000000000000.dkr.ecr.us-east-1.amazonaws.com/x@{DIGEST}",
                ephemeral_storage={"size": 2048},
                opts=options("function"),
            )

        return run

    ids = {"role": "theirs", "bucket": "their-bucket", "group": "/their/group", "queue": url, "function": "theirs"}
    assert changes(bench.stack(program(**ids)).up()) == {"create": 1, "import": 5}
    assert changes(bench.stack(program()).up()) == {}
    assert changes(bench.stack(program()).refresh()) == {}
    bench.stack(program()).destroy()


def test_default_tags_are_put_on_everything_and_changed_with_the_provider(bench: Bench) -> None:
    def program(team: str) -> Callable[[], None]:
        def run() -> None:
            provider = aws.Provider("tagging", region="us-east-1", default_tags={"tags": {"team": team}})
            aws.sqs.Queue("tagged", name="tagged", tags={"own": "1"}, opts=pulumi.ResourceOptions(provider=provider))

        return run

    url = f"{bench.endpoint}/000000000000/tagged"
    for team, expected in (("a", {"create": 3}), ("b", {"update": 2}), ("b", {})):
        assert changes(bench.stack(program(team)).up()) == expected
        assert client(bench.endpoint, "sqs").list_queue_tags(QueueUrl=url)["Tags"] == {"team": team, "own": "1"}
    bench.stack(program("b")).destroy()


def taken() -> None:
    role = aws.iam.Role("mine", name="taken", assume_role_policy=ASSUME)
    aws.s3.Bucket("my-bucket", bucket="taken-bucket", force_destroy=True)
    assert role


class Team(pulumi.ComponentResource):
    """A component of somebody's own, with a child."""

    def __init__(self, name: str) -> None:
        super().__init__("teams:index:Team", name)
        aws.iam.Role(f"{name}-role", name="taken", assume_role_policy=ASSUME, opts=pulumi.ResourceOptions(parent=self))


def taken_in_a_component() -> None:
    Team("them")


def test_a_child_of_a_component_is_not_advised_to_be_imported(bench: Bench) -> None:
    client(bench.endpoint, "iam").create_role(RoleName="taken", AssumeRolePolicyDocument=ASSUME)
    result, printed = bench.attempt(taken_in_a_component)
    assert result is None
    assert "Team cannot take it over: delete it if nobody needs it, or choose another name" in printed
    assert "pulumi import" not in printed
    client(bench.endpoint, "iam").delete_role(RoleName="taken")


def test_a_resource_that_exists_is_refused_with_the_way_out(bench: Bench) -> None:
    client(bench.endpoint, "iam").create_role(RoleName="taken", AssumeRolePolicyDocument=ASSUME)
    client(bench.endpoint, "s3").create_bucket(Bucket="taken-bucket")

    for _ in range(2):
        result, printed = bench.attempt(taken)
        assert result is None
        assert "pulumi import aws:iam/role:Role mine 'taken'" in printed or "role" not in printed
        assert "pulumi import aws:s3/bucket:Bucket my-bucket 'taken-bucket'" in printed
    bench.attempt(taken, "destroy")
    assert client(bench.endpoint, "iam").get_role(RoleName="taken")
    assert client(bench.endpoint, "s3").head_bucket(Bucket="taken-bucket")
    client(bench.endpoint, "iam").delete_role(RoleName="taken")
