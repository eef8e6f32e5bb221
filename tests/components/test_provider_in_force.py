"""Images, buckets and notifications follow the aws provider in force, as the other children of a component do."""

import json
from types import SimpleNamespace
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

import scar_components
from scar_components import BucketTriggers, StorageBucket, SupervisedImage
from scar_components.bucket_triggers import Trigger
from scar_components.host import COMPONENTS
from scar_components.plugin import PROVIDERS
from scar_components.provider_in_force import effective_tags
from scar_components.storage_bucket import StorageBucketProvider
from scar_foundation.aws_session import AwsSession
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


PAGE = {"function_name": "f", "function_arn": FUNCTION, "authorization": "JWT"}
PLACES = {"inputs": [{"provider": "s3.default", "path": "a/in"}]}
MAP_REDUCE = {
    **PLACES,
    "output": {"provider": "s3.default", "path": "a/out"},
    "image": "debian:12",
    "mapper": {"script": "map.sh"},
    "reducer": {"script": "reduce.sh"},
}
A_FUNCTION = {"log-group", "role", "role-policy", "function"}
AN_IMAGE = {"repository", "image"}
CHILDREN: list[tuple[str, dict[str, Any], set[str]]] = [
    (
        "LambdaContainerFunction",
        {"image": "debian:12", "maximum_retry_attempts": 0, **PLACES},
        A_FUNCTION | AN_IMAGE | {"event-invoke-config"},
    ),
    (
        "LambdaContainerFunction",
        {"image": "debian:12", "execution_mode": "batch", "batch": {"job_queue": "q"}, **PLACES},
        A_FUNCTION | AN_IMAGE | {"job-log-group", "job-role", "job-role-policy", "job-definition"},
    ),
    (
        "BucketTriggers",
        {"bucket": "photos", "triggers": [{"function_name": "f", "function_arn": FUNCTION}]},
        {"f-permission", "notification"},
    ),
    (
        "ApiGatewayEndpoint",
        {
            "functions": [PAGE],
            "tokens": {"issuer": "https://issuer.example.org", "audience": ["a"]},
            "domain": {"name": "f.example.org", "certificate_arn": "arn:aws:acm:eu-central-1:1:certificate/1"},
        },
        {"api", "log-group", "stage", "authorizer", "f-integration", "f-permission", "f-any-any", "f-launch-async-any"}
        | {"f.example.org-domain", "f.example.org-domain-mapping"},
    ),
    (
        "BatchGpuEnvironment",
        {"disk_size": 100},
        {"instance-role", "instance-role-policy", "instance-profile", "launch-template", "compute-environment", "queue"}
        | {"events", "events-lifecycle"},
    ),
    ("ImageRepository", {"repository_name": "r"}, set()),
    ("LogGroup", {"log_group_name": "/aws/lambda/f"}, set()),
    ("StorageBucket", {"bucket": "photos"}, set()),
    ("SupervisedImage", {"repository_url": "r/x", "image": "debian:12"}, set()),
    (
        "MapReduce",
        MAP_REDUCE,
        AN_IMAGE
        | {"work", "work-lifecycle", "state-machine", "machine-role", "machine-role-policy"}
        | {f"{stage}-{child}" for stage in ("plan", "map", "reduce", "commit") for child in A_FUNCTION}
        | {f"{stage}-{child}" for stage in ("map", "reduce") for child in AN_IMAGE},
    ),
]
"""Each component with all that it can declare, and what its children's names end in."""


@pytest.mark.parametrize(("kind", "args", "children"), CHILDREN)
def test_every_child_and_every_question_of_a_component_goes_to_its_explicit_provider(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, kind: str, args: dict[str, Any], children: set[str]
) -> None:
    monkeypatch.setattr("scar_components.supervised_image.planned_digest", lambda *_: "sha256:0")

    def program() -> pulumi.Output[str]:
        opts = pulumi.ResourceOptions(provider=other_account())
        made: pulumi.Resource = getattr(scar_components, kind)("it", args, opts)
        return made.urn

    run_program(program)
    names = {child if child.startswith("f.") else f"it-{child}" for child in children}
    followed = {name: _follows(given) for name, given in recorder.resources.items() if _is_in_aws(given)}
    assert followed == dict.fromkeys(names or {"it"}, True)
    asked = [call for call in recorder.calls if call.token.startswith("aws:")]
    assert [call.token for call in asked if not _is_the_other(call.provider)] == []


def test_the_table_has_every_component_that_has_something_in_aws() -> None:
    without = {"OscarCluster", "OscarService"}
    assert {component.__name__ for component in COMPONENTS} - without == {kind for kind, _, _ in CHILDREN}


def _is_in_aws(given: pulumi.runtime.MockResourceArgs) -> bool:
    return given.typ.startswith("aws:") or given.typ in PROVIDERS


def _follows(given: pulumi.runtime.MockResourceArgs) -> bool:
    if given.typ in PROVIDERS:
        return bool(given.inputs["aws"]["value"]["accessKey"] == "AKIA")
    return _is_the_other(given.provider)


def _is_the_other(provider: str | None) -> bool:
    return "pulumi:providers:aws::other::" in (provider or "")


ECR = "210987654321.dkr.ecr.eu-central-1.amazonaws.com/base:1"


@pytest.mark.parametrize(("image", "read_with"), [(ECR, "AKIA"), ("debian:12", None)])
def test_a_base_in_ecr_is_read_with_the_keys_of_the_explicit_provider(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, image: str, read_with: str | None
) -> None:
    used: list[str | None] = []

    def plan(*, session: AwsSession, **_: Any) -> Any:
        used.append(session._settings.get("accessKey"))
        return SimpleNamespace(digest="sha256:1")

    monkeypatch.setattr("scar_components.supervised_image.plan_image", plan)
    monkeypatch.setattr("scar_components.supervised_image.save_plan", lambda _: None)

    def program() -> pulumi.Output[str]:
        opts = pulumi.ResourceOptions(provider=other_account())
        return SupervisedImage("i", {"image": image, "repository_url": "r/x"}, opts).urn

    run_program(program)
    assert used == [read_with]
    assert recorder.inputs("i")["digest"] == "sha256:1"


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
