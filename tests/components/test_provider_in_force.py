"""Images, buckets and notifications follow the aws provider in force, as the other children of a component do."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from scar_components import BucketTriggers, LambdaContainerFunction, StorageBucket
from scar_components.bucket_triggers import Trigger
from scar_components.provider_in_force import effective_tags
from scar_components.storage_bucket import StorageBucketProvider
from tests.world.pulumi_mocks import Recorder, run_program

ROLE = "arn:aws:iam::210987654321:role/deployer"
FUNCTION = "arn:aws:lambda:eu-central-1:210987654321:function:f"


def other_account(**settings: Any) -> aws.Provider:
    return aws.Provider("other", region="eu-central-1", access_key="AKIA", secret_key="hidden", **settings)


def given_to(recorder: Recorder, name: str) -> dict[str, Any]:
    settings: dict[str, Any] = recorder.inputs(name)["aws"]["value"]  # a secret
    return settings


def test_a_bucket_gets_keys_and_roles_of_its_explicit_provider(recorder: Recorder) -> None:
    def program() -> pulumi.Output[str]:
        provider = other_account(assume_roles=[{"role_arn": ROLE}])
        return StorageBucket("b", {"bucket": "photos"}, pulumi.ResourceOptions(provider=provider)).urn

    run_program(program)
    settings = given_to(recorder, "b")
    assert (settings["region"], settings["accessKey"], settings["secretKey"]) == ("eu-central-1", "AKIA", "hidden")
    used = StorageBucketProvider().session_of({"aws": settings})
    assert used._listed("assumeRoles") == [{"roleArn": ROLE}]


@pytest.mark.parametrize("way", ["provider", "providers"])
def test_the_notification_of_a_component_follows_its_provider(recorder: Recorder, way: str) -> None:
    def program() -> pulumi.Output[str]:
        provider = other_account()
        opts = pulumi.ResourceOptions(provider=provider)
        if way == "providers":
            opts = pulumi.ResourceOptions(providers=[provider])
        trigger: Trigger = {"function_name": "f", "function_arn": FUNCTION}
        return BucketTriggers("t", {"bucket": "photos", "triggers": [trigger]}, opts).urn

    run_program(program)
    assert given_to(recorder, "t-notification")["accessKey"] == "AKIA"
    assert "pulumi:providers:aws::other::" in (recorder.resources["t-f-permission"].provider or "")


def test_every_child_of_a_function_is_made_with_its_provider(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar_components.supervised_image.planned_digest", lambda *_: "sha256:0")

    def program() -> pulumi.Output[str]:
        opts = pulumi.ResourceOptions(provider=other_account())
        return LambdaContainerFunction("f", {"image_file": str(tmp_path), "maximum_retry_attempts": 0}, opts).urn

    run_program(program)
    assert given_to(recorder, "f-image")["accessKey"] == "AKIA"
    children = [args for args in recorder.resources.values() if args.typ.startswith("aws:")]
    assert len(children) > 5
    assert {"pulumi:providers:aws::other::" in (args.provider or "") for args in children} == {True}


def test_without_an_explicit_provider_nothing_of_the_configuration_is_kept_in_the_state(recorder: Recorder) -> None:
    run_program(lambda: StorageBucket("b", {"bucket": "photos"}).urn)
    assert "aws" not in recorder.inputs("b")


def test_default_tags_apply_to_buckets_and_ignored_ones_do_not(recorder: Recorder) -> None:
    def program() -> pulumi.Output[str]:
        provider = other_account(default_tags={"tags": {"team": "a", "cost": "1"}}, ignore_tags={"keys": ["cost"]})
        opts = pulumi.ResourceOptions(provider=provider)
        return StorageBucket("b", {"bucket": "photos", "tags": {"team": "b"}}, opts).urn

    run_program(program)
    assert recorder.inputs("b")["tags"] == {"team": "b"}


def test_default_tags_of_the_stack_configuration_apply_to_buckets(recorder: Recorder) -> None:
    pulumi.runtime.set_config("aws:defaultTags", json.dumps({"tags": {"team": "a"}}))
    try:
        run_program(lambda: StorageBucket("b", {"bucket": "photos"}).urn)
    finally:
        pulumi.runtime.set_all_config({})
    assert recorder.inputs("b")["tags"] == {"team": "a"}


def test_ignored_prefixes_are_left_out() -> None:
    assert effective_tags({"ignoreTags": {"keyPrefixes": ["aws-"]}}, {"aws-x": "1", "y": "2"}) == {"y": "2"}


def test_an_explicit_provider_that_cannot_be_followed_is_refused() -> None:
    settings = {"sharedCredentialsFiles": '["/home/me/keys"]'}
    with pytest.raises(pulumi.RunError, match="aws:sharedCredentialsFiles: not supported"):
        StorageBucketProvider().session_of({"aws": settings})


def test_changed_settings_of_the_provider_are_stored_for_the_destroy() -> None:
    old = {"bucket": "b", "aws": {"profile": "a"}}
    assert StorageBucketProvider().diff("b", old, {"bucket": "b", "aws": {"profile": "b"}}).changes
    assert not StorageBucketProvider().diff("b", old, old).changes
