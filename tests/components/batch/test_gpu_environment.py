"""A compute environment and its queue, as declared."""

import base64
from collections.abc import Callable
from typing import Any, cast

import pulumi
import pytest
from pulumi.errors import InputPropertyError

from scar_components import BatchGpuEnvironment, BatchGpuEnvironmentArgs
from scar_components.batch.compute import check_machines, image_types
from scar_components.host import COMPONENTS, Host
from tests.world.pulumi_mocks import Recorder, run_program

NETWORK = {"subnet_ids": ["subnet-1"], "security_group_ids": ["sg-1"]}


def environment(**arguments: Any) -> None:
    """Declare an environment and wait for everything that it declares."""
    run_program(lambda: BatchGpuEnvironment("yolo", cast(BatchGpuEnvironmentArgs, arguments)).job_queue_arn)


def test_the_children_of_an_environment_are_exactly_these(recorder: Recorder) -> None:
    environment()
    assert recorder.types() == {
        "yolo": "scar:index:BatchGpuEnvironment",
        "yolo-instance-role": "aws:iam/role:Role",
        "yolo-instance-role-policy": "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "yolo-instance-profile": "aws:iam/instanceProfile:InstanceProfile",
        "yolo-compute-environment": "aws:batch/computeEnvironment:ComputeEnvironment",
        "yolo-queue": "aws:batch/jobQueue:JobQueue",
        "yolo-events": "aws:s3/bucket:Bucket",
        "yolo-events-lifecycle": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
    }


def test_left_to_itself_it_has_gpus_in_the_default_network_and_costs_nothing_when_idle(recorder: Recorder) -> None:
    environment()
    declared = recorder.inputs("yolo-compute-environment")
    assert declared["type"] == "MANAGED"
    assert "name" not in declared
    assert "serviceRole" not in declared
    assert declared["computeResources"] == {
        "type": "EC2",
        "allocationStrategy": "BEST_FIT_PROGRESSIVE",
        "minVcpus": 0,
        "maxVcpus": 16,
        "instanceTypes": ["g4dn.xlarge"],
        "ec2Configurations": [{"imageType": "ECS_AL2023_NVIDIA"}],
        "instanceRole": "arn:aws:iam::123456789012:instance-profile/" + recorder.inputs("yolo-instance-role")["name"],
        "subnets": ["subnet-default-a", "subnet-default-b"],
        "securityGroupIds": ["sg-default"],
    }
    # Jobs that run while the environment is changed are given six hours to end.
    assert declared["updatePolicy"] == {"jobExecutionTimeoutMinutes": 360, "terminateJobsOnUpdate": False}
    order = [{"order": 1, "computeEnvironment": recorder.arn("yolo-compute-environment")}]
    queue = recorder.inputs("yolo-queue")
    assert (queue["computeEnvironmentOrders"], queue["priority"], queue["state"]) == (order, 1, "ENABLED")
    assert recorder.inputs("yolo-events-lifecycle")["rules"][0]["expiration"] == {"days": 30}
    assert recorder.inputs("yolo-events")["bucketPrefix"] == "yolo-events-"


def test_what_is_given_is_used_and_nothing_is_made_for_it(recorder: Recorder) -> None:
    profile, role = ("arn:aws:iam::123456789012:" + name for name in ("instance-profile/mine", "role/batch"))
    environment(
        instance_role=profile, service_role=role, tags={"team": "vision"}, priority=7, state="DISABLED", **NETWORK
    )
    assert not [name for name in recorder.resources if "instance" in name]
    declared = recorder.inputs("yolo-compute-environment")
    assert declared["serviceRole"] == role
    assert "updatePolicy" not in declared
    assert declared["computeResources"]["instanceRole"] == profile
    assert declared["computeResources"]["subnets"] == ["subnet-1"]
    assert declared["computeResources"]["securityGroupIds"] == ["sg-1"]
    assert declared["computeResources"]["tags"] == declared["tags"] == {"team": "vision"}
    assert (recorder.inputs("yolo-queue")["priority"], recorder.inputs("yolo-queue")["state"]) == (7, "DISABLED")


def test_given_subnets_bring_the_default_group_of_their_own_network(recorder: Recorder) -> None:
    environment(subnet_ids=["subnet-1"])
    assert recorder.inputs("yolo-compute-environment")["computeResources"]["securityGroupIds"] == ["sg-of-vpc-mine"]


def test_spot_instances_are_chosen_by_price_and_capacity(recorder: Recorder) -> None:
    environment(type="SPOT", bid_percentage=60, **NETWORK)
    resources = recorder.inputs("yolo-compute-environment")["computeResources"]
    assert (resources["allocationStrategy"], resources["bidPercentage"]) == ("SPOT_PRICE_CAPACITY_OPTIMIZED", 60)


def test_fargate_has_no_instances_and_no_roles_for_them(recorder: Recorder) -> None:
    environment(type="FARGATE_SPOT", max_vcpus=8, **NETWORK)
    assert recorder.inputs("yolo-compute-environment")["computeResources"] == {
        "type": "FARGATE_SPOT",
        "maxVcpus": 8,
        "subnets": ["subnet-1"],
        "securityGroupIds": ["sg-1"],
    }
    assert "yolo-instance-role" not in recorder.resources


def test_an_unmanaged_environment_has_no_compute_resources(recorder: Recorder) -> None:
    environment(management="UNMANAGED")
    assert "computeResources" not in recorder.inputs("yolo-compute-environment")


def test_a_launch_template_is_made_for_disk_and_user_data_only(recorder: Recorder) -> None:
    environment(disk_size=200, user_data="#!/bin/sh\nmount /scratch\n", **NETWORK)
    template = recorder.inputs("yolo-launch-template")
    assert template["blockDeviceMappings"] == [
        {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 200, "volumeType": "gp3", "encrypted": "true"}}
    ]
    document = base64.b64decode(template["userData"]).decode()
    assert document.startswith("MIME-Version: 1.0\nContent-Type: multipart/mixed")
    assert "#!/bin/sh\nmount /scratch\n" in document
    used = recorder.inputs("yolo-compute-environment")["computeResources"]["launchTemplate"]
    assert used == {"launchTemplateId": "yolo-launch-template-id", "version": "3"}


@pytest.mark.parametrize(
    ("types", "images"),
    [
        (["g4dn.xlarge", "p5"], ["ECS_AL2023_NVIDIA"]),
        (["p3.2xlarge"], ["ECS_AL2_NVIDIA"]),
        (["gr6.4xlarge", "m5.large"], ["ECS_AL2023", "ECS_AL2023_NVIDIA"]),
        (["g4ad.xlarge"], ["ECS_AL2023"]),
        (["optimal"], ["ECS_AL2023"]),
        (["a1.medium"], ["ECS_AL2"]),
    ],
)
def test_instances_start_from_the_image_for_their_type(types: list[str], images: list[str]) -> None:
    assert image_types(types) == images


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"type": "EC3"}, "type: 'EC3' is unknown; use one of EC2, SPOT, FARGATE, FARGATE_SPOT"),
        ({"management": "MINE"}, "management: 'MINE' is unknown"),
        ({"min_vcpus": 8, "max_vcpus": 4}, "min_vcpus: 8 is more than max_vcpus, 4"),
        ({"desired_vcpus": 8, "max_vcpus": 4}, "desired_vcpus: 8 is not between"),
        ({"max_vcpus": 0}, "max_vcpus: 0 lets no job start"),
        ({"type": "FARGATE", "instance_types": ["g4dn.xlarge"]}, "instance_types: FARGATE has no instances"),
        ({"type": "SPOT", "allocation_strategy": "BEST_FIT"}, "give spot_fleet_role_arn"),
        ({"allocation_strategy": "CHEAPEST"}, "allocation_strategy: 'CHEAPEST' is not available for EC2"),
        ({"instance_types": []}, "instance_types: an empty list"),
        (
            {"instance_types": ["g5g.xlarge"]},
            "no machine image with GPUs for g5g.xlarge; use another type, or give the component image_id",
        ),
    ],
)
def test_a_combination_that_batch_refuses_is_told_before_anything_is_made(
    recorder: Recorder, arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(pulumi.RunError) as error:
        environment(**arguments)
    assert sentence in str(error.value)
    assert recorder.resources == {}


def test_other_languages_declare_an_environment_in_their_own_words(recorder: Recorder) -> None:
    host = Host(COMPONENTS, "0.0.0")
    inputs = {"type": "SPOT", "maxVcpus": pulumi.Output.from_input(8.0), "minVcpus": 2.0, "subnetIds": ["subnet-1"]}
    run_program(lambda: host.construct("yolo", "scar:index:BatchGpuEnvironment", inputs).urn)
    resources = recorder.inputs("yolo-compute-environment")["computeResources"]
    assert (resources["type"], resources["minVcpus"], resources["maxVcpus"]) == ("SPOT", 2, 8)
    with pytest.raises(InputPropertyError) as error:
        host.construct("bad", "scar:index:BatchGpuEnvironment", {"type": "EC3"})
    assert "type: 'EC3' is unknown" in error.value.reason


def test_every_refused_combination_is_told_at_once() -> None:
    with pytest.raises(pulumi.RunError) as error:
        check_machines("yolo", {"min_vcpus": 9, "max_vcpus": 4, "allocation_strategy": "X", "instance_types": []})
    assert len(str(error.value).splitlines()) == 3


def test_an_account_without_a_default_network_is_told_what_to_give(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    known: Callable[..., Any] = recorder.call

    def call(args: pulumi.runtime.MockCallArgs) -> Any:
        return ({"ids": []}, []) if args.token == "aws:ec2/getVpcs:getVpcs" else known(args)

    monkeypatch.setattr(recorder, "call", call)
    with pytest.raises(pulumi.RunError, match=r"yolo: the account has no default VPC .*; give subnet_ids"):
        environment()
