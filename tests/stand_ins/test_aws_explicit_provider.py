"""Settings of a provider that a program declares: taken as the genuine plugin takes them, or refused by name."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from scar_foundation.plugin.failures import UnservedError
from scar_pulumi.stand_ins.aws.cloud import Credentials, read_configuration
from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS
LOOPBACK = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "of-the-user", "AWS_PROFILE": "theirs"}


def credentials(**settings: Any) -> Credentials:
    return read_configuration(settings, LOOPBACK).credentials


def test_keys_and_roles_are_those_of_the_program_and_never_the_users() -> None:
    assert credentials() == Credentials("test", "test")
    assert credentials(accessKey="1" * 12, secretKey="s", token="t") == Credentials("1" * 12, "s", "t")
    roles = json.dumps(
        [{"roleArn": "arn:aws:iam::111111111111:role/a"}, {"roleArn": "arn:aws:iam::222222222222:role/b"}]
    )
    assert credentials(accessKey="3" * 12, assumeRoles=roles).access_key == "2" * 12


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"profile": "prod"}, "profile: the stand-in aws provider reads no credentials of yours; leave it out"),
        ({"sharedCredentialsFiles": '["/home/me/keys"]'}, "sharedCredentialsFiles: the stand-in"),
        ({"assumeRoleWithWebIdentity": '{"roleArn": "r"}'}, "assumeRoleWithWebIdentity: the stand-in"),
        (
            {"assumeRoles": '[{"roleArn": "deployer"}]'},
            "roleArn 'deployer' is not the ARN of a role; write arn:aws:iam::",
        ),
    ],
)
def test_credentials_that_are_elsewhere_are_refused_with_what_to_set(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UnservedError) as refused:
        read_configuration(settings, LOOPBACK)
    assert told in str(refused.value)


def declared() -> None:
    """Declare a log group in each account that a program names, and a queue with tags."""
    keys = aws.Provider("keys", region="eu-west-1", access_key="111111111111", secret_key="s")
    role: Any = {"role_arn": "arn:aws:iam::222222222222:role/deployer"}
    roles = aws.Provider("roles", region="eu-west-1", assume_roles=[role], forbidden_account_ids=["111111111111"])
    ignoring = aws.Provider("ignoring", region="eu-west-1", ignore_tags={"keys": ["cost"], "key_prefixes": ["aws-"]})
    for name, provider in {"keys": keys, "roles": roles}.items():
        made = aws.cloudwatch.LogGroup(f"of-{name}", name="theirs", opts=pulumi.ResourceOptions(provider=provider))
        pulumi.export(name, made.arn)
    aws.sqs.Queue("tagged", name="tagged", tags={"team": "a"}, opts=pulumi.ResourceOptions(provider=ignoring))


def forbidden() -> None:
    provider = aws.Provider("one", region="eu-west-1", allowed_account_ids=["333333333333"])
    aws.cloudwatch.LogGroup("it", name="not-allowed", opts=pulumi.ResourceOptions(provider=provider))


def test_resources_are_in_the_account_of_their_provider_and_ignored_tags_are_left_to_others(
    endpoint: str, tmp_path: Path
) -> None:
    stack = Bench(tmp_path, endpoint).stack(declared)
    outputs = stack.up().outputs
    assert outputs["keys"].value == "arn:aws:logs:eu-west-1:111111111111:log-group:theirs"
    assert outputs["roles"].value == "arn:aws:logs:eu-west-1:222222222222:log-group:theirs"

    import botocore.session

    sqs = botocore.session.Session().create_client(
        "sqs", "eu-west-1", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    url = sqs.get_queue_url(QueueName="tagged")["QueueUrl"]
    sqs.tag_queue(QueueUrl=url, Tags={"cost": "42", "aws-team": "b"})
    assert changes(stack.refresh()) == {}
    assert changes(stack.up()) == {}
    assert sqs.list_queue_tags(QueueUrl=url)["Tags"] == {"team": "a", "cost": "42", "aws-team": "b"}
    stack.destroy()


def test_an_account_that_the_provider_does_not_allow_is_refused_before_anything_is_made(
    endpoint: str, tmp_path: Path
) -> None:
    changed, printed = Bench(tmp_path, endpoint).attempt(forbidden)
    assert changed is None
    assert "account 000000000000: is not in allowedAccountIds; use other credentials" in printed
    groups = client(endpoint, "logs").describe_log_groups(logGroupNamePrefix="not-allowed")
    assert groups["logGroups"] == []
