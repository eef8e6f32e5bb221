"""The jobs of a function on AWS Batch, as declared."""

import json
from typing import Any, cast

import pulumi
import pytest

from scar_components import LambdaContainerFunction, LambdaContainerFunctionArgs
from scar_components.host import COMPONENTS, Host
from tests.world.pulumi_mocks import Recorder, run_program

IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64
QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/gpus"
DEFINITION = "arn:aws:batch:eu-west-1:123456789012:job-definition/split-job-definition"


def function(batch: dict[str, Any], **arguments: Any) -> None:
    """Declare a function with jobs and wait for everything that it declares."""
    given = {"image_uri": IMAGE, "batch": {"job_queue": QUEUE, **batch}, **arguments}
    run_program(lambda: LambdaContainerFunction("split", cast(LambdaContainerFunctionArgs, given)).arn)


def container(recorder: Recorder) -> dict[str, Any]:
    properties: dict[str, Any] = json.loads(recorder.inputs("split-job-definition")["containerProperties"])
    return properties


def rights(recorder: Recorder, policy: str) -> list[tuple[list[str], list[str]]]:
    statements = json.loads(recorder.inputs(policy)["policy"])["Statement"]
    return [(statement["Action"], statement["Resource"]) for statement in statements]


def test_jobs_add_exactly_these_children(recorder: Recorder) -> None:
    function({})
    assert recorder.types() == {
        "split": "scar:index:LambdaContainerFunction",
        "split-log-group": "scar:index:LogGroup",
        "split-role": "aws:iam/role:Role",
        "split-role-policy": "aws:iam/rolePolicy:RolePolicy",
        "split-function": "aws:lambda/function:Function",
        "split-job-log-group": "scar:index:LogGroup",
        "split-job-role": "aws:iam/role:Role",
        "split-job-role-policy": "aws:iam/rolePolicy:RolePolicy",
        "split-job-definition": "aws:batch/jobDefinition:JobDefinition",
    }


def test_a_job_is_the_functions_own_image_with_what_it_was_given(recorder: Recorder) -> None:
    function(
        {"vcpus": 4, "memory": 8192, "gpus": 1, "environment": {"MODE": "job"}, "shared_memory": 2048},
        environment={"MODE": "function", "SIZE": "1"},
        log_retention=7,
        inputs=[{"provider": "s3.default", "path": "videos/in"}],
    )
    declared = container(recorder)
    assert declared["image"] == IMAGE
    assert declared["resourceRequirements"] == [
        {"type": "VCPU", "value": "4"},
        {"type": "MEMORY", "value": "8192"},
        {"type": "GPU", "value": "1"},
    ]
    assert declared["linuxParameters"] == {"sharedMemorySize": 2048}
    variables = {pair["name"]: pair["value"] for pair in declared["environment"]}
    assert {name: variables[name] for name in ("MODE", "SIZE", "AWS_REGION", "AWS_LAMBDA_FUNCTION_NAME")} == {
        "MODE": "job",
        "SIZE": "1",
        "AWS_REGION": "eu-west-1",
        "AWS_LAMBDA_FUNCTION_NAME": "split",
    }
    # A job runs its event; it hands nothing over.
    assert json.loads(variables["SCAR_FUNCTION"]) == {
        "name": "split",
        "inputs": [{"storage_provider": "s3.default", "path": "videos/in"}],
    }
    options = declared["logConfiguration"]["options"]
    assert (options["awslogs-group"], options["awslogs-region"]) == ("/aws/batch/split", "eu-west-1")
    assert recorder.inputs("split-job-log-group")["log_retention"] == 7
    assert recorder.inputs("split-job-definition")["platformCapabilities"] == ["EC2"]


def test_the_function_submits_to_the_revision_it_was_deployed_with(recorder: Recorder) -> None:
    function({"event_path": "events/split"}, execution_mode="lambda-batch")
    configuration = json.loads(recorder.inputs("split-function")["environment"]["variables"]["SCAR_FUNCTION"])
    assert configuration["execution_mode"] == "lambda-batch"
    assert configuration["batch"] == {
        "job_queue": QUEUE,
        "job_definition": f"{DEFINITION}:4",
        "event_path": "events/split",
    }
    # Until the function is updated itself, it goes on with the revision before.
    assert recorder.inputs("split-job-definition")["deregisterOnNewRevision"] is False


def test_the_function_may_hand_over_to_its_own_queue_as_its_own_job_only(recorder: Recorder) -> None:
    function({"event_path": "events/split"})
    assert rights(recorder, "split-role-policy")[1:] == [
        (["batch:SubmitJob"], [QUEUE, DEFINITION, f"{DEFINITION}:*"]),
        (["batch:ListJobs"], ["*"]),
        (["s3:PutObject"], ["arn:aws:s3:::events/split/*"]),
    ]


def test_a_job_may_do_with_files_what_the_function_may(recorder: Recorder) -> None:
    function(
        {
            "event_path": "events/split",
            "file_systems": [{"file_system_id": "fs-1", "access_point_id": "fsap-1", "mount_path": "/mnt/m"}],
        },
        inputs=[{"provider": "s3.default", "path": "videos/in"}],
        outputs=[{"provider": "s3.default", "path": "frames"}],
        storage_providers={"minio.mine": "ssm:/scar/minio"},
    )
    assert rights(recorder, "split-job-role-policy") == [
        (["s3:GetObject"], ["arn:aws:s3:::videos/in/*"]),
        (["s3:AbortMultipartUpload", "s3:PutObject"], ["arn:aws:s3:::frames/*"]),
        (["ssm:GetParameter"], ["arn:aws:ssm:*:123456789012:parameter/scar/minio"]),
        (
            ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            ["arn:aws:elasticfilesystem:*:123456789012:file-system/fs-1"],
        ),
        (["s3:GetObject"], ["arn:aws:s3:::events/split/*"]),
    ]
    trust = json.loads(recorder.inputs("split-job-role")["assumeRolePolicy"])["Statement"][0]
    assert trust["Principal"] == {"Service": "ecs-tasks.amazonaws.com"}
    declared = container(recorder)
    assert declared["mountPoints"] == [{"sourceVolume": "efs-0", "containerPath": "/mnt/m"}]
    assert declared["volumes"][0]["efsVolumeConfiguration"]["authorizationConfig"] == {
        "accessPointId": "fsap-1",
        "iam": "ENABLED",
    }


def test_secrets_stay_where_they_are_until_a_job_starts(recorder: Recorder) -> None:
    secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"
    function({"secrets": {"PASSWORD": f"{secret}:password::", "TOKEN": "/scar/token"}}, environment={"TOKEN": "old"})
    declared = container(recorder)
    assert declared["secrets"] == [
        {"name": "PASSWORD", "valueFrom": f"{secret}:password::"},
        {"name": "TOKEN", "valueFrom": "/scar/token"},
    ]
    assert "TOKEN" not in {pair["name"] for pair in declared["environment"]}
    assert declared["executionRoleArn"] == recorder.arn("split-job-start-role")
    log = "arn:aws:logs:eu-west-1:123456789012:log-group:/aws/batch/split:*"
    assert rights(recorder, "split-job-start-role-policy")[1:] == [
        (
            ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ["arn:aws:ecr:eu-west-1:123456789012:repository/ready"],
        ),
        (["logs:CreateLogStream", "logs:PutLogEvents"], [log]),
        (["ssm:GetParameters"], ["arn:aws:ssm:eu-west-1:123456789012:parameter/scar/token"]),
        (["secretsmanager:GetSecretValue"], [secret]),
    ]


def test_a_job_on_fargate_says_what_fargate_needs(recorder: Recorder) -> None:
    batch = {"platform": "FARGATE", "vcpus": 0.5, "memory": 1024, "ephemeral_storage": 40, "assign_public_ip": True}
    function(batch, architecture="arm64")
    declared = container(recorder)
    assert declared["resourceRequirements"] == [{"type": "VCPU", "value": "0.5"}, {"type": "MEMORY", "value": "1024"}]
    assert declared["networkConfiguration"] == {"assignPublicIp": "ENABLED"}
    assert declared["runtimePlatform"] == {"operatingSystemFamily": "LINUX", "cpuArchitecture": "ARM64"}
    assert declared["ephemeralStorage"] == {"sizeInGiB": 40}
    assert declared["executionRoleArn"] == recorder.arn("split-job-start-role")
    assert recorder.inputs("split-job-definition")["platformCapabilities"] == ["FARGATE"]


def test_a_multi_node_job_runs_the_same_container_on_each_node(recorder: Recorder) -> None:
    function({"number_nodes": 3, "main_node_index": 1, "vcpus": 2, "memory": 1_234_567})
    definition = recorder.inputs("split-job-definition")
    nodes = json.loads(definition["nodeProperties"])
    assert (definition["type"], "containerProperties" in definition) == ("multinode", False)
    assert (nodes["numNodes"], nodes["mainNode"]) == (3, 1)
    asked = nodes["nodeRangeProperties"][0]["container"]["resourceRequirements"]
    assert asked == [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "1234567"}]
    assert [group["targetNodes"] for group in nodes["nodeRangeProperties"]] == ["0:"]
    assert nodes["nodeRangeProperties"][0]["container"]["image"] == IMAGE
    configuration = json.loads(recorder.inputs("split-function")["environment"]["variables"]["SCAR_FUNCTION"])
    assert configuration["batch"]["multi_node"] is True


def test_retries_and_time_limits_are_the_jobs_own(recorder: Recorder) -> None:
    function({"attempts": 5, "retry_only_if_host_ends": True, "timeout": 7200})
    definition = recorder.inputs("split-job-definition")
    assert definition["timeout"] == {"attemptDurationSeconds": 7200}
    assert definition["retryStrategy"] == {
        "attempts": 5,
        "evaluateOnExits": [
            {"onStatusReason": "Host EC2*", "action": "RETRY"},
            {"onReason": "*", "action": "EXIT"},
        ],
    }


def test_a_given_role_gets_nothing_and_the_user_is_told_what_it_needs(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("pulumi.log.info", lambda message, *_: said.append(message))
    function({}, role_arn="arn:aws:iam::123456789012:role/mine")
    assert "split-role-policy" not in recorder.resources
    assert [QUEUE in message and "batch:SubmitJob" in message for message in said] == [True]


def test_a_given_job_role_is_used_and_none_is_made(recorder: Recorder) -> None:
    role = "arn:aws:iam::123456789012:role/jobs"
    function({"job_role_arn": role})
    assert container(recorder)["jobRoleArn"] == role
    assert "split-job-role" not in recorder.resources


def test_other_languages_declare_jobs_in_their_own_words(recorder: Recorder) -> None:
    host = Host(COMPONENTS, "0.0.0")
    later = pulumi.Output.from_input
    batch = {"jobQueue": later(QUEUE), "vcpus": 2.0, "memory": later(2048.0), "numberNodes": 2.0, "mainNodeIndex": 1.0}
    inputs = {"imageUri": IMAGE, "batch": batch}
    run_program(lambda: host.construct("split", "scar:index:LambdaContainerFunction", inputs).urn)
    nodes = json.loads(recorder.inputs("split-job-definition")["nodeProperties"])
    assert (nodes["numNodes"], nodes["mainNode"]) == (2, 1)
    assert nodes["nodeRangeProperties"][0]["container"]["resourceRequirements"] == [
        {"type": "VCPU", "value": "2"},
        {"type": "MEMORY", "value": "2048"},
    ]
