"""Log groups and repositories that exist already, on the local cloud, under the real engine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from scar_components import ImageRepository, LogGroup
from scar_components.adoption import OWNER_TAG
from scar_components.log_group import LogGroupProvider, adopted_retention
from scar_pulumi.cloud import LocalCloud
from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS
GROUP, REPOSITORY = "/aws/lambda/adopted", "adopted"
_RULE = {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 99}
THEIRS = json.dumps({"rules": [{"rulePriority": 9, "selection": _RULE, "action": {"type": "expire"}}]})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    cloud = LocalCloud(tmp_path / "cloud")
    cloud.start()
    yield Bench(tmp_path, cloud.environment()["AWS_ENDPOINT_URL"])
    cloud.stop()


def declare() -> None:
    group = LogGroup("g", {"log_group_name": GROUP, "log_retention": 30, "tags": {"team": "a"}})
    repository = ImageRepository("r", {"repository_name": REPOSITORY})
    for name, value in {"managed": group.managed, "arn": group.arn, "url": repository.repository_url}.items():
        pulumi.export(name, value)


def group_of(bench: Bench) -> dict[str, Any] | None:
    found = client(bench.endpoint, "logs").describe_log_groups(logGroupNamePrefix=GROUP)["logGroups"]
    return dict(found[0]) if found else None


def tags_of(bench: Bench, arn: str) -> dict[str, str]:
    return dict(client(bench.endpoint, "logs").list_tags_for_resource(resourceArn=arn)["tags"])


def test_what_exists_is_adopted_with_a_retention_and_stays_with_all_that_is_in_it(bench: Bench) -> None:
    logs, ecr = client(bench.endpoint, "logs"), client(bench.endpoint, "ecr")
    logs.create_log_group(logGroupName=GROUP)
    logs.create_log_stream(logGroupName=GROUP, logStreamName="s")
    ecr.create_repository(repositoryName=REPOSITORY)
    ecr.put_lifecycle_policy(repositoryName=REPOSITORY, lifecyclePolicyText=THEIRS)
    stack = bench.stack(declare)

    previewed = stack.preview().stdout
    made = stack.up()
    for said in (previewed, made.stdout):
        assert f"log group {GROUP} exists already: it is adopted, and stays when the stack is destroyed" in said
        assert "its lines, kept for ever until now, are kept for 30 days" in said
        assert f"repository {REPOSITORY} exists already: it is adopted" in said
    assert made.outputs["managed"].value is False
    found = group_of(bench)
    assert found
    assert found["retentionInDays"] == 30
    assert tags_of(bench, made.outputs["arn"].value) == {}
    assert changes(stack.up()) == {}
    assert changes(stack.refresh()) == {}

    stack.destroy()
    assert logs.describe_log_streams(logGroupName=GROUP)["logStreams"][0]["logStreamName"] == "s"
    policy = ecr.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"]
    assert json.loads(policy) == json.loads(THEIRS)


def test_what_a_stack_makes_is_foreseen_tagged_and_goes_with_it(bench: Bench) -> None:
    logs, ecr = client(bench.endpoint, "logs"), client(bench.endpoint, "ecr")
    stack = bench.stack(declare)
    assert "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/adopted" in stack.preview().stdout
    outputs = stack.up().outputs
    assert outputs["managed"].value is True
    assert outputs["url"].value == "000000000000.dkr.ecr.us-east-1.amazonaws.com/adopted"
    assert tags_of(bench, outputs["arn"].value) == {"team": "a", OWNER_TAG: "organization/stand-ins/local"}
    assert "rulePriority" in ecr.get_lifecycle_policy(repositoryName=REPOSITORY)["lifecyclePolicyText"]

    # Somebody takes the retention away, or the whole group.
    logs.delete_retention_policy(logGroupName=GROUP)
    stack.refresh()
    assert changes(stack.up()) == {"update": 1}
    found = group_of(bench)
    assert found
    assert found["retentionInDays"] == 30
    logs.delete_log_group(logGroupName=GROUP)
    stack.refresh()
    assert changes(stack.up()) == {"create": 1}

    stack.destroy()
    assert group_of(bench) is None
    with pytest.raises(ecr.exceptions.RepositoryNotFoundException):
        ecr.describe_repositories(repositoryNames=[REPOSITORY])


def test_what_an_interrupted_up_has_made_is_the_stacks_own(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in bench.settings().items():
        monkeypatch.setenv(name, value)
    properties = {"log_group_name": GROUP, "log_retention": 30, "region": "us-east-1", "owner": "organization/p/dev"}
    provider = LogGroupProvider()
    assert provider.create(properties).outs["managed"] is True
    assert provider.create(properties).outs["managed"] is True
    assert provider.create({**properties, "owner": "organization/p/other"}).outs["managed"] is False


@pytest.mark.parametrize(
    ("has", "declared", "days"), [(0, 30, 30), (7, 30, 30), (90, 30, 90), (0, 0, 0), (90, 0, 0), (30, 30, 30)]
)
def test_a_chosen_retention_is_never_made_shorter(has: int, declared: int, days: int) -> None:
    assert adopted_retention(has, declared).days == days
