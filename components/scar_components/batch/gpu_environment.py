"""Where long and GPU jobs run: a compute environment of AWS Batch with its queue, shared by any number of functions."""

import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, Optional, TypedDict

import pulumi
import pulumi_aws as aws
from pulumi import ComponentResource, Input, Output, ResourceOptions

from scar_components.arguments import check_arguments
from scar_components.batch.compute import (
    Network,
    changes_in_place,
    check_machines,
    encoded_user_data,
    image_types,
)
from scar_components.iam_policies import INSTANCE_ASSUME_ROLE
from scar_components.naming import batch_name, bucket_prefix, role_name, stack_identity
from scar_foundation.batch_rules import ALLOCATION_STRATEGIES, ON_INSTANCES


class BatchGpuEnvironmentArgs(TypedDict):
    """Arguments of a BatchGpuEnvironment."""

    type: NotRequired[str]
    """What jobs run on: `EC2`, `SPOT`, `FARGATE` or `FARGATE_SPOT`. Only `EC2` and `SPOT` have GPUs. Default: `EC2`."""
    instance_types: NotRequired[Sequence[str]]
    """Instance types or families, all of one architecture. Default: `g4dn.xlarge` on `EC2` and `SPOT`."""
    min_vcpus: NotRequired[Input[int]]
    """vCPUs that always run, and cost money, even without jobs. Default: 0."""
    desired_vcpus: NotRequired[Input[int]]
    """vCPUs at the start; Batch changes them later. Default: as many as the jobs need."""
    max_vcpus: NotRequired[Input[int]]
    """Maximum number of vCPUs, 1 or more. Default: 16."""
    allocation_strategy: NotRequired[str]
    """How Batch chooses instances. With `BEST_FIT`, most changes replace the environment. Default:
    `BEST_FIT_PROGRESSIVE` for `EC2`, `SPOT_PRICE_CAPACITY_OPTIMIZED` for `SPOT`."""
    bid_percentage: NotRequired[Input[int]]
    """Maximum price of a `SPOT` instance in percent of its on-demand price. Default: 100."""
    subnet_ids: NotRequired[Sequence[Input[str]]]
    """Subnets of the jobs; they need access to ECR, S3 and CloudWatch Logs. Default: those of the default VPC."""
    security_group_ids: NotRequired[Sequence[Input[str]]]
    """Security groups of the jobs. Default: the default security group of the subnets' VPC."""
    disk_size: NotRequired[Input[int]]
    """Disk size of each instance in GiB. Default: that of the machine image, 30."""
    user_data: NotRequired[str]
    """Shell script, or MIME document, that each instance runs when it starts. Default: none."""
    image_id: NotRequired[Input[str]]
    """Machine image of the instances. Default: AWS's latest for ECS, with NVIDIA drivers for types with GPUs."""
    instance_role: NotRequired[Input[str]]
    """ARN of the instance profile. Default: a new one with the rights that ECS instances need."""
    service_role: NotRequired[Input[str]]
    """ARN of Batch's role. With one of your own, most changes replace the environment. Default: AWS's service-linked
    role."""
    spot_fleet_role_arn: NotRequired[Input[str]]
    """ARN of the spot fleet role, which `SPOT` with `BEST_FIT` requires. Default: none."""
    management: NotRequired[str]
    """`MANAGED`, or `UNMANAGED` for instances that you register yourself. Default: `MANAGED`."""
    priority: NotRequired[Input[int]]
    """Priority of the queue among those of one environment; higher ones go first. Default: 1."""
    state: NotRequired[str]
    """`ENABLED`, or `DISABLED` for a queue that accepts no jobs. Default: `ENABLED`."""
    event_expiration: NotRequired[Input[int]]
    """Days for which events that are too large for a job are kept. Default: 30."""
    region: NotRequired[Input[str]]
    """Region of all resources. Default: the aws provider's."""
    tags: NotRequired[Input[Mapping[str, Input[str]]]]
    """Tags of all resources, including the instances. Default: none."""


_DEFAULT_INSTANCE_TYPES = ["g4dn.xlarge"]
_DISK = "/dev/xvda"
"""Root device of Amazon's images for ECS: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/al2023.html"""

# Keep jobs running during an update for the longest time that AWS allows; its default is half an hour.
# https://docs.aws.amazon.com/batch/latest/APIReference/API_UpdatePolicy.html
_PATIENT: aws.batch.ComputeEnvironmentUpdatePolicyArgsDict = {
    "job_execution_timeout_minutes": 360,
    "terminate_jobs_on_update": False,
}


class BatchGpuEnvironment(ComponentResource):
    """A compute environment of AWS Batch, with GPUs or without, and its job queue.

    Without jobs it costs nothing, unless `min_vcpus` is set. Changes that AWS cannot make in place create a new
    environment, and the queue moves there before the old one is drained and deleted.
    """

    job_queue_arn: Output[str]
    """ARN of the job queue."""
    compute_environment_arn: Output[str]
    """ARN of the compute environment."""
    event_bucket: Output[str]
    """Name of the bucket for events that are too large for a job."""

    def __init__(self, name: str, args: BatchGpuEnvironmentArgs, opts: Optional[ResourceOptions] = None) -> None:
        """Declare the roles, the compute environment, the job queue and the bucket."""
        check_arguments(name, args, BatchGpuEnvironmentArgs)
        check_machines(name, args)
        super().__init__("scar:index:BatchGpuEnvironment", name, None, opts)
        self._name, self._args = name, args
        self._type = args.get("type", "EC2")
        environment = self._environment()
        self.compute_environment_arn = environment.arn
        self.job_queue_arn = self._queue(environment).arn
        self.event_bucket = self._event_bucket()
        self.register_outputs({key: getattr(self, key) for key in BatchGpuEnvironment.__annotations__})

    def _child(self, *depends_on: pulumi.Resource, ignore_changes: Optional[list[str]] = None) -> ResourceOptions:
        return ResourceOptions(parent=self, depends_on=list(depends_on) or None, ignore_changes=ignore_changes)

    def _environment(self) -> aws.batch.ComputeEnvironment:
        args = self._args
        is_managed = args.get("management", "MANAGED") == "MANAGED"
        resources, grants = self._compute_resources() if is_managed else (None, [])
        # Without a fixed name: a replacement exists beside the old environment until the queue has moved.
        return aws.batch.ComputeEnvironment(
            batch_name(self._name, "compute-environment"),
            type=args.get("management", "MANAGED"),
            service_role=args.get("service_role"),
            compute_resources=resources,
            update_policy=_PATIENT if changes_in_place(args) else None,
            region=args.get("region"),
            tags=args.get("tags"),
            # Batch changes it continually.
            opts=self._child(*grants, ignore_changes=["computeResources.desiredVcpus"]),
        )

    def _compute_resources(
        self,
    ) -> tuple[aws.batch.ComputeEnvironmentComputeResourcesArgsDict, list[pulumi.Resource]]:
        args = self._args
        network = Network(
            self._name,
            args.get("subnet_ids"),
            args.get("security_group_ids"),
            args.get("region"),
            pulumi.InvokeOutputOptions(parent=self),
        )
        resources: aws.batch.ComputeEnvironmentComputeResourcesArgsDict = {
            "type": self._type,
            "max_vcpus": args.get("max_vcpus", 16),
            "subnets": network.subnet_ids,
            "security_group_ids": network.security_group_ids,
        }
        if self._type not in ON_INSTANCES:
            return resources, []
        profile, grants = self._instance_profile()
        types = list(args.get("instance_types", _DEFAULT_INSTANCE_TYPES))
        return {
            **resources,
            "allocation_strategy": args.get("allocation_strategy", ALLOCATION_STRATEGIES[self._type][0]),
            "bid_percentage": args.get("bid_percentage"),
            "min_vcpus": args.get("min_vcpus", 0),
            "desired_vcpus": args.get("desired_vcpus"),
            "instance_types": types,
            "instance_role": profile,
            "spot_iam_fleet_role": args.get("spot_fleet_role_arn"),
            "ec2_configurations": [
                {"image_type": one, "image_id_override": args.get("image_id")} for one in image_types(types)
            ],
            "launch_template": self._launch_template(),
            "tags": args.get("tags"),
        }, grants

    def _instance_profile(self) -> tuple[Input[str], list[pulumi.Resource]]:
        """Return the ARN of the instance profile, and what must exist before instances can use it."""
        if given := self._args.get("instance_role"):
            return given, []
        role = aws.iam.Role(
            f"{self._name}-instance-role",
            name=role_name(f"{self._name}-instance", stack_identity()),
            assume_role_policy=json.dumps(INSTANCE_ASSUME_ROLE),
            tags=self._args.get("tags"),
            # A renamed environment keeps its role, and so its instances.
            opts=self._child(ignore_changes=["name"]),
        )
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        policy = aws.iam.RolePolicyAttachment(
            f"{self._name}-instance-role-policy",
            role=role.name,
            # https://docs.aws.amazon.com/batch/latest/userguide/instance_IAM_role.html
            policy_arn=Output.format(
                "arn:{0}:iam::aws:policy/service-role/AmazonEC2ContainerServiceforEC2Role", partition
            ),
            opts=self._child(),
        )
        profile = aws.iam.InstanceProfile(
            f"{self._name}-instance-profile",
            name=role.name,
            role=role.name,
            tags=self._args.get("tags"),
            opts=self._child(ignore_changes=["name"]),
        )
        return profile.arn, [policy]

    def _launch_template(self) -> Optional[aws.batch.ComputeEnvironmentComputeResourcesLaunchTemplateArgsDict]:
        args = self._args
        if "disk_size" not in args and "user_data" not in args:
            return None
        disk: aws.ec2.LaunchTemplateBlockDeviceMappingArgsDict = {
            "device_name": _DISK,
            "ebs": {"volume_size": args.get("disk_size"), "volume_type": "gp3", "encrypted": "true"},
        }
        template = aws.ec2.LaunchTemplate(
            batch_name(self._name, "launch-template"),
            block_device_mappings=[disk] if "disk_size" in args else None,
            user_data=encoded_user_data(args["user_data"]) if "user_data" in args else None,
            region=args.get("region"),
            tags=args.get("tags"),
            opts=self._child(),
        )
        # By number, because an environment resolves `$Latest` only once.
        return {"launch_template_id": template.id, "version": template.latest_version.apply(str)}

    def _queue(self, environment: aws.batch.ComputeEnvironment) -> aws.batch.JobQueue:
        return aws.batch.JobQueue(
            batch_name(self._name, "queue"),
            priority=self._args.get("priority", 1),
            state=self._args.get("state", "ENABLED"),
            compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}],
            region=self._args.get("region"),
            tags=self._args.get("tags"),
            opts=self._child(),
        )

    def _event_bucket(self) -> Output[str]:
        args = self._args
        bucket = aws.s3.Bucket(
            f"{self._name}-events",
            # The environment's name may have what a bucket's cannot have, and more of it.
            bucket_prefix=bucket_prefix(f"{self._name}-events"),
            force_destroy=True,
            region=args.get("region"),
            tags=args.get("tags"),
            # A renamed environment keeps its bucket, and so the events of the jobs in its queue.
            opts=self._child(ignore_changes=["bucketPrefix"]),
        )
        aws.s3.BucketLifecycleConfiguration(
            f"{self._name}-events-lifecycle",
            bucket=bucket.bucket,
            rules=[
                {
                    "id": "expire",
                    "status": "Enabled",
                    "filter": {"prefix": ""},
                    "expiration": {"days": args.get("event_expiration", 30)},
                }
            ],
            region=args.get("region"),
            opts=self._child(),
        )
        return bucket.bucket
