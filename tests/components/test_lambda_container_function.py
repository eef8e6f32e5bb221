import json
from typing import Any, cast

import pulumi
import pytest

from scar_components import LambdaContainerFunction, LambdaContainerFunctionArgs
from scar_components.lambda_container_function_arguments import supervisor_configuration
from tests.world.pulumi_mocks import Recorder, run_program

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64


def function(**arguments: Any) -> None:
    """Declare a function and wait for everything that it declares."""
    run_program(lambda: LambdaContainerFunction("resize", cast(LambdaContainerFunctionArgs, arguments)).arn)


def test_the_children_of_a_function_are_exactly_these(recorder: Recorder) -> None:
    function(image_uri=IMAGE)
    assert recorder.types() == {
        "resize": "scar:index:LambdaContainerFunction",
        "resize-log-group": "scar:index:LogGroup",
        "resize-role": "aws:iam/role:Role",
        "resize-role-policy": "aws:iam/rolePolicy:RolePolicy",
        "resize-function": "aws:lambda/function:Function",
    }


def test_a_given_role_is_used_and_none_is_made(recorder: Recorder) -> None:
    role = "arn:aws:iam::123456789012:role/mine"
    function(image_uri=IMAGE, role_arn=role)
    assert "resize-role" not in recorder.resources
    assert recorder.inputs("resize-function")["role"] == role


def test_the_role_may_read_inputs_write_outputs_and_its_log_and_nothing_else(recorder: Recorder) -> None:
    function(
        image_uri=IMAGE,
        inputs=[{"provider": "s3.default", "path": "photos/in"}, {"provider": "minio.default", "path": "elsewhere/in"}],
        outputs=[{"provider": "s3.default", "path": "small"}],
    )
    policy = json.loads(recorder.inputs("resize-role-policy")["policy"])
    assert [(statement["Action"], statement["Resource"]) for statement in policy["Statement"]] == [
        (
            ["logs:CreateLogStream", "logs:PutLogEvents"],
            ["arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/resize:*"],
        ),
        (["s3:GetObject"], ["arn:aws:s3:::photos/in/*"]),
        (["s3:AbortMultipartUpload", "s3:PutObject"], ["arn:aws:s3:::small/*"]),
    ]


def test_the_function_gets_what_was_asked_for(recorder: Recorder) -> None:
    function(
        image_uri=IMAGE,
        memory=2048,
        timeout=60,
        ephemeral_storage=1024,
        architecture="arm64",
        environment={"SIZE": "160x160"},
        reserved_concurrency=3,
        tags={"team": "photos"},
    )
    declared = recorder.inputs("resize-function")
    assert declared["name"] == "resize"
    assert declared["packageType"] == "Image"
    assert declared["imageUri"] == IMAGE
    assert declared["memorySize"] == 2048
    assert declared["timeout"] == 60
    assert declared["ephemeralStorage"] == {"size": 1024}
    assert declared["architectures"] == ["arm64"]
    assert declared["reservedConcurrentExecutions"] == 3
    assert declared["environment"]["variables"]["SIZE"] == "160x160"
    assert declared["tags"] == {"team": "photos"}
    assert recorder.inputs("resize-log-group")["log_retention"] == 30


def test_failed_events_go_where_they_are_told_to_and_the_role_allows_it(recorder: Recorder) -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:failed"
    function(image_uri=IMAGE, failure_destination=queue, maximum_retry_attempts=0)
    declared = recorder.inputs("resize-event-invoke-config")
    assert declared["destinationConfig"] == {"onFailure": {"destination": queue}}
    assert declared["maximumRetryAttempts"] == 0
    statements = json.loads(recorder.inputs("resize-role-policy")["policy"])["Statement"]
    assert statements[-1]["Action"] == ["sqs:SendMessage"]
    assert statements[-1]["Resource"] == [queue]


def test_a_function_in_a_network_may_attach_to_it(recorder: Recorder) -> None:
    function(image_uri=IMAGE, subnet_ids=["subnet-1"], security_group_ids=["sg-1"])
    assert recorder.inputs("resize-function")["vpcConfig"] == {"subnetIds": ["subnet-1"], "securityGroupIds": ["sg-1"]}
    statements = json.loads(recorder.inputs("resize-role-policy")["policy"])["Statement"]
    assert "ec2:CreateNetworkInterface" in statements[-1]["Action"]


def test_storage_settings_are_named_by_their_place_which_the_role_may_read(recorder: Recorder) -> None:
    places = {
        "minio.mine": "ssm:/scar/minio",
        "webdav.dcache": "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:d",
    }
    function(image_uri=IMAGE, storage_providers=places)
    environment = recorder.inputs("resize-function")["environment"]["variables"]
    assert json.loads(environment["SCAR_FUNCTION"])["storage_providers"] == places
    statements = json.loads(recorder.inputs("resize-role-policy")["policy"])["Statement"]
    assert [(entry["Action"], entry["Resource"]) for entry in statements[-2:]] == [
        (["ssm:GetParameter"], ["arn:aws:ssm:*:123456789012:parameter/scar/minio"]),
        (["secretsmanager:GetSecretValue"], [places["webdav.dcache"].partition(":")[2]]),
    ]


def test_storage_settings_themselves_are_refused() -> None:
    with pytest.raises(pulumi.RunError, match=r"minio\.mine: does not name a parameter or a secret"):
        supervisor_configuration("resize", {"storage_providers": {"minio.mine": '{"secret_key": "x"}'}})


def test_the_supervisor_is_told_of_its_jobs_and_formats() -> None:
    batch = {"job_queue": "queue", "job_definition": "definition:1"}
    outputs = [{"provider": "s3.default", "path": "out", "per_request": True}]
    arguments = cast(LambdaContainerFunctionArgs, {"log_format": "json", "file_stage_in": True, "outputs": outputs})
    assert json.loads(supervisor_configuration("resize", arguments, "lambda-batch", batch)) == {
        "name": "resize",
        "log_format": "json",
        "file_stage_in": True,
        "outputs": [{"storage_provider": "s3.default", "path": "out", "per_request": True}],
        "execution_mode": "lambda-batch",
        "batch": batch,
    }


def test_the_supervisor_is_told_only_what_differs_from_its_defaults() -> None:
    configuration = supervisor_configuration(
        "resize", {"outputs": [{"provider": "s3.default", "path": "small/out", "suffix": [".jpg"]}]}
    )
    assert json.loads(configuration) == {
        "name": "resize",
        "outputs": [{"storage_provider": "s3.default", "path": "small/out", "suffix": [".jpg"]}],
    }
