"""What the jobs of a function are declared with."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from pulumi import Input


class JobFileSystem(TypedDict):
    """An EFS file system that a job mounts."""

    file_system_id: Input[str]
    """Id of the file system, `fs-…`."""
    access_point_id: NotRequired[Input[str]]
    """Id of an access point, `fsap-…`. Default: none, the root of the file system."""
    mount_path: str
    """Where the job sees it."""
    read_only: NotRequired[bool]
    """Whether it can only be read. Default: no."""


class FunctionBatch(TypedDict):
    """AWS Batch for the events of a function: the queue that takes them, and what a job gets."""

    job_queue: Input[str]
    """ARN of the queue, such as `job_queue_arn` of a BatchGpuEnvironment."""
    event_path: NotRequired[Input[str]]
    """Bucket and prefix that keep events of more than 24 KB for their job. Default: none; such events fail."""
    platform: NotRequired[str]
    """What the queue's environments are made of: `EC2`, also for spot instances, or `FARGATE`. Default: `EC2`."""
    vcpus: NotRequired[Input[float]]
    """vCPUs of a job; fractions on `FARGATE` only. Default: 1."""
    memory: NotRequired[Input[int]]
    """Memory of a job in MB. Default: 1024, on `FARGATE` 2048."""
    gpus: NotRequired[Input[int]]
    """GPUs of a job, on `EC2` only. Default: 0."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Variables of the job, over those of the function."""
    secrets: NotRequired[Mapping[str, str]]
    """Variables whose values are fetched when a job starts: ARNs of secrets or parameters, or names of parameters."""
    attempts: NotRequired[Input[int]]
    """How often a job is tried, 1 to 10. Default: 1."""
    retry_only_if_host_ends: NotRequired[bool]
    """Try again only where the instance was taken away, as spot instances are; not when the job fails. Default: no."""
    timeout: NotRequired[Input[int]]
    """Seconds that an attempt may take, 60 or more. Default: no limit."""
    ephemeral_storage: NotRequired[Input[int]]
    """Disk of a job in GB, 21 to 200, on `FARGATE` only; elsewhere see `disk_size` of the environment. Default: 20."""
    shared_memory: NotRequired[Input[int]]
    """Size of `/dev/shm` in MB, on `EC2` only; programs on GPUs often need more. Default: 64."""
    file_systems: NotRequired[Sequence[JobFileSystem]]
    """File systems to mount. Default: none."""
    number_nodes: NotRequired[int]
    """Nodes of a multi-node parallel job, on `EC2` only. Default: jobs on one node."""
    main_node_index: NotRequired[int]
    """Which of the nodes is the main one, from 0. Default: 0."""
    assign_public_ip: NotRequired[bool]
    """Whether jobs on `FARGATE` get a public address, which they need in public subnets. Default: no."""
    job_role_arn: NotRequired[Input[str]]
    """Role of the jobs. Default: one is made that may do with files what the function may."""
    execution_role_arn: NotRequired[Input[str]]
    """Role that starts the containers, for secrets and on `FARGATE`. Default: one is made where it is needed."""
