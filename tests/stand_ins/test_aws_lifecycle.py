"""The stand-in aws provider under the genuine SDK and the real engine: every type, from preview to destroy."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws

from scar_pulumi.deploy.secrets import with_values
from tests.world.aws_plugin import ASSUME, DIGEST, Bench, client, function
from tests.world.plugins import SDK_LEFTOVERS, changes

ALLOW = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
)
SECRET = "a-password-of-the-test"


pytestmark = SDK_LEFTOVERS


def everything(memory: int) -> Callable[[], None]:
    def program() -> None:
        account, region = aws.get_caller_identity(), aws.get_region()
        statement: Any = {
            "actions": ["sts:AssumeRole"],
            "principals": [{"type": "Service", "identifiers": ["lambda.amazonaws.com"]}],
        }
        trust = aws.iam.get_policy_document(statements=[statement])
        rule = {
            "rulePriority": 1,
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3},
        }
        repository = aws.ecr.Repository("Images", force_delete=True, tags={"a": "b"})
        rules = json.dumps({"rules": [{**rule, "action": {"type": "expire"}}]})
        aws.ecr.LifecyclePolicy("rules", repository=repository.name, policy=rules)
        role = aws.iam.Role("role", assume_role_policy=trust.json, description="of a test", tags={"x": "y"})
        aws.iam.RolePolicy("policy", role=role.name, policy=ALLOW)
        managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        aws.iam.RolePolicyAttachment("attachment", role=role.name, policy_arn=managed)
        group = aws.cloudwatch.LogGroup("group", name="/aws/lambda/every", retention_in_days=30)
        queue = aws.sqs.Queue("queue", visibility_timeout_seconds=60)
        aws.ssm.Parameter("key", name="/a/key", type="SecureString", value=SECRET, tags={"p": "1"})
        made = aws.lambda_.Function(
            "every",
            name="every",
            role=role.arn,
            package_type="Image",
            image_uri=repository.repository_url.apply(lambda url: f"{url}@{DIGEST}"),
            memory_size=memory,
            environment={"variables": {"PLAIN": "1", "SECRET": pulumi.Output.secret(SECRET)}},
            ephemeral_storage={"size": 1024},
            image_config={"commands": ["run"]},
            architectures=["x86_64"],
            logging_config={"log_format": "Text", "log_group": group.name},
            tags={"t": "1"},
        )
        bucket = aws.s3.Bucket("Bucket", force_destroy=True, tags={"o": "me"})
        permission = aws.lambda_.Permission(
            "permission",
            action="lambda:InvokeFunction",
            function=made.name,
            principal="s3.amazonaws.com",
            source_arn=bucket.arn,
            source_account=account.account_id,
        )
        aws.lambda_.FunctionEventInvokeConfig(
            "retries",
            function_name=made.name,
            maximum_retry_attempts=1,
            maximum_event_age_in_seconds=21600,
            destination_config={"on_failure": {"destination": queue.arn}},
        )
        aws.lambda_.FunctionUrl("url", function_name=made.name, authorization_type="NONE")
        aws.s3.BucketNotification(
            "notification",
            bucket=bucket.id,
            lambda_functions=[
                {"lambda_function_arn": made.arn, "events": ["s3:ObjectCreated:*"], "filter_prefix": "in/"}
            ],
            opts=pulumi.ResourceOptions(depends_on=[permission]),
        )
        aws.s3.BucketObjectv2("hello.txt", bucket=bucket.id, content="hello")
        aws.s3.BucketPublicAccessBlock("private", bucket=bucket.id, block_public_acls=True)
        pulumi.export("arn", made.arn)
        pulumi.export("role", role.arn)
        pulumi.export("image", made.image_uri)
        pulumi.export("region", region.region)

    return program


def test_every_type_from_preview_to_destroy(bench: Bench) -> None:
    first = bench.stack(everything(512))
    preview = first.preview()
    assert preview.change_summary == {"create": 17}
    assert "arn:aws:lambda:us-east-1:000000000000:function:every" in preview.stdout
    assert ".dkr.ecr.us-east-1.amazonaws.com/images-" in preview.stdout

    up = first.up()
    assert changes(up) == {"create": 17}
    assert up.outputs["arn"].value == "arn:aws:lambda:us-east-1:000000000000:function:every"
    assert not [file for file in bench.backend.rglob("*.json*") if SECRET in file.read_text()]
    assert changes(first.up()) == {}
    assert changes(first.refresh()) == {}
    assert changes(first.up()) == {}

    second = bench.stack(everything(1024))
    preview = second.preview()
    assert preview.change_summary == {"same": 16, "update": 1}
    assert "[diff: ~memorySize]" in preview.stdout
    assert changes(second.up()) == {"update": 1}
    live = client(bench.endpoint, "lambda").get_function_configuration(FunctionName="every")
    assert (live["MemorySize"], live["Environment"]["Variables"]["SECRET"]) == (1024, SECRET)

    assert changes(second.destroy()) == {"delete": 17}
    assert client(bench.endpoint, "iam").list_roles()["Roles"] == []
    assert client(bench.endpoint, "s3").list_buckets()["Buckets"] == []
    assert client(bench.endpoint, "ecr").describe_repositories()["repositories"] == []
    assert client(bench.endpoint, "sqs").list_queues().get("QueueUrls", []) == []
    assert client(bench.endpoint, "ssm").describe_parameters()["Parameters"] == []


def test_replacement_of_automatic_and_of_given_names(bench: Bench) -> None:
    def program(path: str) -> Callable[[], None]:
        def run() -> None:
            free = aws.iam.Role("free", assume_role_policy=ASSUME, path=path)
            fixed = aws.iam.Role("fixed", name="fixed", assume_role_policy=ASSUME, path=path)
            aws.iam.RolePolicy("policy", role=fixed.name, policy=ALLOW)
            pulumi.export("names", pulumi.Output.all(free.name, fixed.name))

        return run

    before = bench.stack(program("/a/")).up().outputs["names"].value
    stack = bench.stack(program("/b/"))
    assert stack.preview().change_summary == {"replace": 3, "same": 1}
    after = stack.up().outputs["names"].value
    assert after[0] != before[0]
    assert after[1] == before[1] == "fixed"
    roles = client(bench.endpoint, "iam").list_roles()["Roles"]
    assert {role["RoleName"]: role["Path"] for role in roles} == dict.fromkeys(after, "/b/")
    assert changes(stack.up()) == {}
    stack.destroy()


def test_twenty_functions_deploy_and_stay_as_they_are(bench: Bench) -> None:
    def program() -> None:
        for number in range(20):
            function(f"many-{number}")

    stack = bench.stack(program)
    assert changes(stack.up()) == {"create": 41}
    assert changes(stack.up()) == {}
    assert changes(stack.destroy()) == {"delete": 41}


def test_a_parameter_is_overwritten_by_its_stack_alone(bench: Bench) -> None:
    def program(value: str) -> Callable[[], None]:
        def run() -> None:
            parameter = aws.ssm.Parameter("mine", name="/mine/key", type="SecureString", value=value)
            pulumi.export("version", parameter.version)

        return run

    assert bench.stack(program(SECRET)).up().outputs["version"].value == 1
    other = bench.stack(program("other"))
    assert other.preview().change_summary == {"same": 1, "update": 1}
    assert other.up().outputs["version"].value == 2
    ssm = client(bench.endpoint, "ssm")
    assert ssm.get_parameter(Name="/mine/key", WithDecryption=True)["Parameter"]["Value"] == "other"
    ssm.put_parameter(Name="/mine/key", Value="drifted", Type="SecureString", Overwrite=True)
    assert changes(other.refresh()) == {"update": 1}
    assert changes(other.up()) == {"update": 1}
    assert not [file for file in bench.backend.rglob("*.json*") if "drifted" in file.read_text()]
    other.destroy()

    ssm.put_parameter(Name="/mine/key", Value="somebody's", Type="String")
    done, printed = bench.attempt(of_somebody)
    assert done is None
    assert "exists" in printed
    assert ssm.delete_parameter(Name="/mine/key")


def of_somebody() -> None:
    aws.ssm.Parameter("mine", name="/mine/key", type="SecureString", value="mine")


def test_secrets_of_the_parameter_store_reach_a_program(bench: Bench) -> None:
    client(bench.endpoint, "ssm").put_parameter(Name="/video/token", Value=SECRET, Type="SecureString")

    def program() -> None:
        pulumi.export("token", with_values({"TOKEN": "Bearer ${ssm:/video/token}"})["TOKEN"])

    stack = bench.stack(program)
    token = stack.up().outputs["token"]
    assert (token.value, token.secret) == (f"Bearer {SECRET}", True)
    assert not [file for file in bench.backend.rglob("*.json*") if SECRET in file.read_text()]
