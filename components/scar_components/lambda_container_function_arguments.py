"""The arguments of a LambdaContainerFunction, and the supervisor's configuration that follows from them."""

import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, Optional, TypedDict, cast

import pulumi
from pulumi import Input

from scar_components.supervised_image import BaseImageArgs


class FunctionStorage(TypedDict):
    """Where the input files of a function come from, or its output files go."""

    provider: str
    """Storage provider and its id, such as `s3.default`."""
    path: Input[str]
    """Bucket and prefix, such as `photos/in`, or a bucket alone."""
    prefix: NotRequired[Sequence[str]]
    """File name prefixes; only files with one of them are used. Default: none; all files are used."""
    suffix: NotRequired[Sequence[str]]
    """File name suffixes; only files with one of them are used. Default: none; all files are used."""
    per_request: NotRequired[bool]
    """Whether the output files of each request go to a folder of their own, named by the request id. Default: false."""


class FunctionFileSystem(TypedDict):
    """An EFS access point that the function mounts."""

    arn: Input[str]
    """ARN of the access point."""
    local_mount_path: Input[str]
    """Mount path in the container, such as `/mnt/data`. It starts with `/mnt/` and has up to 160 characters."""


class FunctionPage(TypedDict):
    """A web page for trying the function, at the URL of its endpoint followed by a slash or `/ui`."""

    description: NotRequired[str]
    """Description of the function on the page. Default: none."""
    token: NotRequired[bool]
    """Whether the page asks for the access token that the endpoint requires. Default: false."""


class JobFileSystem(TypedDict):
    """An EFS file system that a job mounts."""

    file_system_id: Input[str]
    """Id of the file system, `fs-…`."""
    access_point_id: NotRequired[Input[str]]
    """Id of an access point, `fsap-…`. Default: none; the root of the file system is mounted."""
    mount_path: str
    """Mount path in the container."""
    read_only: NotRequired[bool]
    """Whether the file system is mounted read-only. Default: false."""


class FunctionBatch(TypedDict):
    """AWS Batch for the events of a function: the job queue, and what each job gets."""

    job_queue: Input[str]
    """ARN of the job queue, such as `job_queue_arn` of a BatchGpuEnvironment."""
    event_path: NotRequired[Input[str]]
    """Bucket and prefix for events of more than 24 KiB, too large for a job. Default: none; such events fail."""
    platform: NotRequired[str]
    """Platform of the queue's compute environments: `EC2` (also for spot instances) or `FARGATE`. Default: `EC2`."""
    vcpus: NotRequired[Input[float]]
    """vCPUs of a job: 1 to 1000 on `EC2`; 0.25, 0.5, 1, 2, 4, 8 or 16 on `FARGATE`. Default: 1."""
    memory: NotRequired[Input[int]]
    """Memory of a job in MB, 4 or more; on `FARGATE` what AWS offers with the vCPUs. Default: 1024, on `FARGATE`
    2048."""
    gpus: NotRequired[Input[int]]
    """GPUs of a job, on `EC2` only. Default: 0."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Environment variables of a job; they override those of the function. Default: none."""
    secrets: NotRequired[Mapping[str, str]]
    """Environment variables whose values are fetched when a job starts: ARNs of secrets or parameters, or names of
    parameters. Default: none."""
    attempts: NotRequired[Input[int]]
    """Number of times that a job is tried, 1 to 10. Default: 1."""
    retry_only_if_host_ends: NotRequired[bool]
    """Whether a job is retried only if its instance was terminated, as spot instances may be, and not if the job itself
    failed. Default: false."""
    timeout: NotRequired[Input[int]]
    """Time limit of an attempt in seconds, 60 or more. Default: none."""
    ephemeral_storage: NotRequired[Input[int]]
    """Disk of a job in GiB, 21 to 200, on `FARGATE` only; for `EC2` see `disk_size` of BatchGpuEnvironment.
    Default: 20."""
    shared_memory: NotRequired[Input[int]]
    """Size of `/dev/shm` in MB, on `EC2` only; programs on GPUs often need more. Default: 64."""
    file_systems: NotRequired[Sequence[JobFileSystem]]
    """File systems to mount. Default: none."""
    number_nodes: NotRequired[int]
    """Nodes of a multi-node parallel job, 1 to 1000, on `EC2` only. Default: none; jobs run on one node."""
    main_node_index: NotRequired[int]
    """Index of the main node, from 0. Default: 0."""
    assign_public_ip: NotRequired[bool]
    """Whether jobs on `FARGATE` get a public IP address, which they need in public subnets. Default: false."""
    job_role_arn: NotRequired[Input[str]]
    """ARN of the role of the jobs. Default: a new one with the function's rights to files."""
    execution_role_arn: NotRequired[Input[str]]
    """ARN of the role that starts the containers, needed for secrets and on `FARGATE`. Default: a new one if needed."""


class LambdaContainerFunctionArgs(TypedDict):
    """Arguments of a LambdaContainerFunction."""

    function_name: NotRequired[str]
    """Name of the function: 1 to 64 letters, digits, `-` and `_`. Default: the component's name."""
    image: NotRequired[str]
    """Base image: a registry reference, such as `debian:12`. Exactly one of `image`, `image_file` and `image_uri` is
    given."""
    image_file: NotRequired[str]
    """Base image: path of a `docker save` archive, an OCI image layout, or a directory with a Dockerfile."""
    image_uri: NotRequired[Input[str]]
    """Image in ECR that already has a Lambda runtime interface client: it is used as it is, and no image is made."""
    script: NotRequired[str]
    """Path of the script that runs for each input file. Default: what the base image starts."""
    architecture: NotRequired[str]
    """Instruction set: `x86_64` or `arm64`. Default: `x86_64`."""
    region: NotRequired[Input[str]]
    """Region of the function and of all resources made for it. Default: the aws provider's."""
    memory: NotRequired[Input[int]]
    """Memory in MB, 128 to 10240. Default: 512."""
    timeout: NotRequired[Input[int]]
    """Time limit of an invocation in seconds, 1 to 900. Default: 300."""
    ephemeral_storage: NotRequired[Input[int]]
    """Size of `/tmp` in MB, 512 to 10240. Default: 512."""
    description: NotRequired[Input[str]]
    """Description of the function, up to 256 characters. Default: none."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Environment variables of the container, up to 4 KiB with the supervisor's configuration. Default: none."""
    inputs: NotRequired[Sequence[FunctionStorage]]
    """Storage that the function may read. BucketTriggers declares what starts it. Default: none."""
    outputs: NotRequired[Sequence[FunctionStorage]]
    """Storage that the container's output files go to. Default: none."""
    log_level: NotRequired[str]
    """Level of the supervisor's own log lines: `DEBUG`, `INFO`, `WARNING`, `ERROR` or `CRITICAL`. Default: `INFO`."""
    log_format: NotRequired[str]
    """Format of the supervisor's own log lines: `text` or `json`. Default: `text`."""
    storage_providers: NotRequired[Mapping[str, str]]
    """Where the settings of storage providers other than the function's own S3 are kept, by name such as `minio.mine`.

    `ssm:/name` is a parameter and `secretsmanager:ARN` a secret that holds a JSON object such as
    `{"endpoint": …, "access_key": …}`. The settings themselves are not accepted, because everybody who may describe a
    function can read its environment. Default: none.
    """
    file_stage_in: NotRequired[bool]
    """Whether input files stay in their storage, for the script to fetch. Default: false."""
    report_batch_item_failures: NotRequired[bool]
    """Whether the function reports which messages of a queue failed, so that the queue redelivers only those.

    The event source mapping must have `ReportBatchItemFailures` among its function response types; otherwise it takes
    the report for a success. Default: false.
    """
    page: NotRequired[FunctionPage]
    """Web page for trying the function, if it has an HTTP endpoint. Default: none."""
    asynchronous_http: NotRequired[bool]
    """Whether the function accepts asynchronous calls over HTTP: it answers 202 and runs the call as an event.

    The function invokes itself for that, which its role must allow; a role that is made does. Default: false.
    """
    log_retention: NotRequired[Input[int]]
    """Days for which the log is kept. Default: 30."""
    timeout_threshold: NotRequired[int]
    """Seconds before the time limit at which the container is stopped, so that the supervisor can report it.
    Default: 10, or half of a timeout below 20."""
    role_arn: NotRequired[Input[str]]
    """ARN of the function's role. Default: a new one with the least rights that the function needs."""
    tags: NotRequired[Input[Mapping[str, Input[str]]]]
    """Tags of all resources made for the function. Default: none."""
    maximum_retry_attempts: NotRequired[Input[int]]
    """How often Lambda retries a failed asynchronous event, 0 to 2. Default: 2."""
    failure_destination: NotRequired[Input[str]]
    """ARN of the queue, topic, event bus, function or bucket that receives asynchronous events that failed for good.
    Default: none."""
    reserved_concurrency: NotRequired[Input[int]]
    """Number of invocations that are reserved for the function and that it may not exceed. Default: none."""
    subnet_ids: NotRequired[Sequence[Input[str]]]
    """Subnets that the function is attached to, up to 16. Default: none."""
    security_group_ids: NotRequired[Sequence[Input[str]]]
    """Security groups of the attachment, up to 5; required with `subnet_ids`. Default: none."""
    file_system: NotRequired[FunctionFileSystem]
    """File system to mount; requires `subnet_ids`. Default: none."""
    execution_mode: NotRequired[str]
    """Where events run: `lambda`, `batch`, or `lambda-batch` to run in Batch what does not finish in Lambda.
    Default: `batch` if `batch` is given, else `lambda`."""
    batch: NotRequired[FunctionBatch]
    """AWS Batch, for the execution modes that use it. Default: none."""
    mapreduce: NotRequired[Input[str]]
    """What the function is in a MapReduce, as JSON; that component gives it. Default: none."""


def base_image(args: LambdaContainerFunctionArgs) -> BaseImageArgs:
    """Return the arguments of a function that its image is made of."""
    base: BaseImageArgs = {}
    for key in ("image", "image_file", "script", "architecture"):
        if key in args:
            base[key] = args[key]
    return base


def known_arguments(args: LambdaContainerFunctionArgs) -> pulumi.Output[LambdaContainerFunctionArgs]:
    """Return the arguments once the paths of the storage and the failure destination are known."""
    later = {key: args.get(key) for key in ("inputs", "outputs", "failure_destination", "mapreduce") if key in args}
    return pulumi.Output.from_input(later).apply(lambda known: cast(LambdaContainerFunctionArgs, {**args, **known}))


def supervisor_configuration(
    function_name: str,
    args: LambdaContainerFunctionArgs,
    execution_mode: Optional[str] = None,
    batch: Optional[Mapping[str, object]] = None,
) -> str:
    """Return the supervisor's configuration, the value of `SCAR_FUNCTION`.

    Defaults are left out, because all environment variables together have 4 KiB. `batch` has `job_queue`,
    `job_definition`, `event_path` (bucket and prefix for events too large for a job) and `multi_node`.

    https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
    """
    configuration = {
        "name": function_name,
        "log_level": args.get("log_level"),
        "log_format": args.get("log_format") if args.get("log_format") != "text" else None,
        "timeout_threshold": args.get("timeout_threshold"),
        "inputs": [_storage_entry(entry) for entry in args.get("inputs", ())],
        "outputs": [_storage_entry(entry) for entry in args.get("outputs", ())],
        "storage_providers": _references(args.get("storage_providers", {})),
        "file_stage_in": args.get("file_stage_in"),
        "report_batch_item_failures": args.get("report_batch_item_failures"),
        "asynchronous_http": args.get("asynchronous_http"),
        "execution_mode": execution_mode,
        "batch": batch,
        "page": _page_entry(args),
        "mapreduce": json.loads(str(args["mapreduce"])) if "mapreduce" in args else None,
    }
    given = {key: value for key, value in configuration.items() if value not in (None, [], {}) and value is not False}
    return json.dumps(given, separators=(",", ":"), ensure_ascii=False)


def _storage_entry(entry: FunctionStorage) -> dict[str, object]:
    filters = {key: list(entry[key]) for key in ("prefix", "suffix") if entry.get(key)}
    folder = {"per_request": True} if entry.get("per_request") else {}
    return {"storage_provider": entry["provider"], "path": entry["path"], **filters, **folder}


def _page_entry(args: LambdaContainerFunctionArgs) -> Optional[dict[str, object]]:
    page = args.get("page")
    return None if page is None else {"description": page.get("description", ""), "token": bool(page.get("token"))}


def _references(providers: Mapping[str, str]) -> dict[str, str]:
    for name, reference in providers.items():
        if not str(reference).startswith(("ssm:", "secretsmanager:")):
            raise pulumi.RunError(
                f"storage_providers: {name}: does not name a parameter or a secret; keep the settings in one and give "
                "`ssm:/name` or `secretsmanager:ARN`"
            )
    return dict(providers)
