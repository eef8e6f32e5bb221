"""What a compute environment is declared with."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from pulumi import Input


class BatchGpuEnvironmentArgs(TypedDict):
    """Arguments of a BatchGpuEnvironment."""

    type: NotRequired[str]
    """What jobs run on: `EC2`, `SPOT`, `FARGATE` or `FARGATE_SPOT`. GPUs are on `EC2` and `SPOT`. Default: `EC2`."""
    instance_types: NotRequired[Sequence[str]]
    """Instance types or families of one architecture. Default: `g4dn.xlarge` on `EC2` and `SPOT`."""
    min_vcpus: NotRequired[Input[int]]
    """vCPUs that run, and cost money, even without jobs. Default: 0."""
    desired_vcpus: NotRequired[Input[int]]
    """vCPUs to start with; later on, Batch chooses. Default: as many as jobs need."""
    max_vcpus: NotRequired[Input[int]]
    """Most vCPUs at once. Default: 16."""
    allocation_strategy: NotRequired[str]
    """How instances are chosen. Default: `BEST_FIT_PROGRESSIVE`, for `SPOT` `SPOT_PRICE_CAPACITY_OPTIMIZED`.
    With `BEST_FIT`, most changes replace the environment."""
    bid_percentage: NotRequired[Input[int]]
    """Highest price of a `SPOT` instance, in percent of the price on demand. Default: no limit but that price."""
    subnet_ids: NotRequired[Sequence[Input[str]]]
    """Subnets of the jobs; they need a way to ECR, S3 and CloudWatch Logs. Default: those of the default VPC."""
    security_group_ids: NotRequired[Sequence[Input[str]]]
    """Security groups of the jobs. Default: the default one of the subnets' VPC."""
    disk_size: NotRequired[Input[int]]
    """Size of the disk of each instance in GB. Default: the machine image's, 30."""
    user_data: NotRequired[str]
    """Shell script, or MIME document, that each instance runs when it starts. Default: none."""
    image_id: NotRequired[Input[str]]
    """Machine image of the instances. Default: AWS's newest for ECS, with NVIDIA's driver where a type has GPUs."""
    instance_role: NotRequired[Input[str]]
    """ARN of the instance profile. Default: one is made that lets instances join and do nothing else."""
    service_role: NotRequired[Input[str]]
    """ARN of Batch's role. Default: AWS's service-linked one, without which most changes replace the environment."""
    spot_fleet_role_arn: NotRequired[Input[str]]
    """ARN of the spot fleet role, which `SPOT` needs with `BEST_FIT`. Default: none."""
    management: NotRequired[str]
    """`MANAGED`, or `UNMANAGED` for instances that you register yourself. Default: `MANAGED`."""
    priority: NotRequired[Input[int]]
    """Priority of the queue. Default: 1."""
    state: NotRequired[str]
    """`ENABLED`, or `DISABLED` for a queue that takes no jobs. Default: `ENABLED`."""
    event_expiration: NotRequired[Input[int]]
    """Days that events too large for a job are kept for it. Default: 30."""
    region: NotRequired[Input[str]]
    """Region of all that is made. Default: the provider's."""
    tags: NotRequired[Mapping[str, Input[str]]]
    """Tags of everything that is made, the instances among them."""
