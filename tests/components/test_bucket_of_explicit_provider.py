"""A bucket with an explicit aws provider, from the first update to the last, under the real engine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from scar_components import StorageBucket
from scar_pulumi.cloud import LocalCloud
from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS

pytestmark = SDK_LEFTOVERS


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    cloud = LocalCloud(tmp_path_factory.mktemp("cloud"))
    cloud.start()
    yield cloud.environment()["AWS_ENDPOINT_URL"]
    cloud.stop()


def test_region_and_tags_are_those_of_the_provider_and_the_keys_are_secret_in_the_state(
    endpoint: str, tmp_path: Path
) -> None:
    def program() -> None:
        tags: Any = {"tags": {"team": "photos"}}
        provider = aws.Provider(
            "eu", region="eu-central-1", access_key="AKIAEXPLICIT", secret_key="explicit-secret", default_tags=tags
        )
        StorageBucket("b", {"bucket": "of-explicit-provider"}, pulumi.ResourceOptions(provider=provider))

    bench = Bench(tmp_path, endpoint)
    stack = bench.stack(program)
    stack.workspace.set_all_config("local", {"scar:deleteBuckets": pulumi.automation.ConfigValue("true")})
    stack.up()
    s3 = client(endpoint, "s3")
    tags = {tag["Key"]: tag["Value"] for tag in s3.get_bucket_tagging(Bucket="of-explicit-provider")["TagSet"]}
    assert tags == {"team": "photos", "scar-pulumi:stack": "organization/stand-ins/local"}
    assert s3.get_bucket_location(Bucket="of-explicit-provider")["LocationConstraint"] == "eu-central-1"
    (state,) = bench.backend.glob(".pulumi/stacks/stand-ins/local.json")
    assert "AKIAEXPLICIT" not in state.read_text()
    assert "explicit-secret" not in state.read_text()
    assert stack.up().summary.resource_changes == {"same": 3}
    stack.destroy()
    assert s3.list_buckets()["Buckets"] == []
