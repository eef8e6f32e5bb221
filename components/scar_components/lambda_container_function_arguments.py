"""The arguments of a LambdaContainerFunction, and the supervisor's configuration that follows from them."""

import json
from collections.abc import Mapping, Sequence
from typing import NotRequired, Optional, TypedDict

import pulumi
from pulumi import Input

from scar_components.supervised_image import BaseImageArgs


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


class FunctionStorage(TypedDict):
    """Where a function's input files come from or its output files go."""

    provider: str
    """Storage provider and its id, such as `s3.default`."""
    path: str
    """Bucket and prefix, such as `photos/in`, or a bucket alone."""
    prefix: NotRequired[Sequence[str]]
    """Only files whose names start with one of these. Default: all."""
    suffix: NotRequired[Sequence[str]]
    """Only files whose names end with one of these. Default: all."""
    per_request: NotRequired[bool]
    """Put each request's output files into a folder of their own, named by the request id. Default: no."""


class FunctionFileSystem(TypedDict):
    """An EFS access point that the function mounts."""

    arn: Input[str]
    """ARN of the access point."""
    local_mount_path: Input[str]
    """Where to mount it; starts with `/mnt/`."""


class FunctionPage(TypedDict):
    """A page that the function answers with when a browser asks: the address of its endpoint and a slash, or `/ui`."""

    description: NotRequired[str]
    """What the page says of the function. Default: nothing."""
    token: NotRequired[bool]
    """Ask for an access token, which the endpoint wants. Default: no."""


class LambdaContainerFunctionArgs(TypedDict):
    """Arguments of a LambdaContainerFunction."""

    function_name: NotRequired[str]
    """Name of the function. Default: the component's name."""
    image: NotRequired[str]
    """Base image: a registry reference. One of `image`, `image_file` and `image_uri` is needed."""
    image_file: NotRequired[str]
    """Base image: a docker-save tar, an OCI directory or a directory with a Dockerfile."""
    image_uri: NotRequired[Input[str]]
    """An image in ECR that already holds a Lambda runtime interface: used as it is, nothing is built."""
    script: NotRequired[str]
    """Path of the script that runs for each input file. Default: the image's own entry point."""
    architecture: NotRequired[str]
    """`x86_64` or `arm64`. Default: `x86_64`."""
    region: NotRequired[Input[str]]
    """Region of the function and of all that is made for it. Default: the provider's."""
    memory: NotRequired[Input[int]]
    """Memory in MB, 128 to 10240. Default: 512."""
    timeout: NotRequired[Input[int]]
    """Time limit of an invocation in seconds, 1 to 900. Default: 300."""
    ephemeral_storage: NotRequired[Input[int]]
    """Size of `/tmp` in MB, 512 to 10240. Default: 512."""
    description: NotRequired[Input[str]]
    """Description of the function."""
    environment: NotRequired[Mapping[str, Input[str]]]
    """Environment variables of the container."""
    inputs: NotRequired[Sequence[FunctionStorage]]
    """What the function may read. Triggers are declared with BucketTriggers."""
    outputs: NotRequired[Sequence[FunctionStorage]]
    """Where the files that the container writes go."""
    log_level: NotRequired[str]
    """Level of the supervisor's own log lines. Default: `INFO`."""
    log_format: NotRequired[str]
    """`text` or `json`: how the supervisor writes its own log lines. Default: `text`."""
    storage_providers: NotRequired[Mapping[str, str]]
    """Where the settings of storages other than the function's own S3 are kept, by name such as `minio.mine`.

    `ssm:/name` is a parameter, `secretsmanager:ARN` a secret: a JSON object such as `{"endpoint": …, "access_key": …}`.
    Never the settings themselves: whoever may look at a function sees its environment.
    """
    file_stage_in: NotRequired[bool]
    """Leave the input in its storage, for the script to fetch. Default: no."""
    report_batch_item_failures: NotRequired[bool]
    """Answer a queue with the messages that failed, so that it gives only those again. Default: no.

    Its event source mapping has to have `ReportBatchItemFailures` among its function response types: one that has not
    takes such an answer for a success.
    """
    page: NotRequired[FunctionPage]
    """Let people try the function in a browser, where it has an HTTP endpoint. Default: no."""
    asynchronous_http: NotRequired[bool]
    """Answer calls over HTTP that ask for it with 202 at once, and run them as events of their own. Default: no.

    The function invokes itself for that, which its role then allows; a role that is given has to.
    """
    log_retention: NotRequired[Input[int]]
    """Days that the log is kept. Default: 30."""
    timeout_threshold: NotRequired[int]
    """Seconds before the time limit at which the container is stopped, to report it. Default: 10."""
    role_arn: NotRequired[Input[str]]
    """Role of the function. Default: one is made that may do no more than the function needs."""
    tags: NotRequired[Mapping[str, Input[str]]]
    """Tags of everything that is made for the function."""
    maximum_retry_attempts: NotRequired[Input[int]]
    """How often a failed event is tried again, 0 to 2. Default: 2, which is AWS's."""
    failure_destination: NotRequired[str]
    """ARN of the queue, topic, bus or function that gets events which failed for good."""
    reserved_concurrency: NotRequired[Input[int]]
    """How many invocations may run at once. Default: no reservation."""
    subnet_ids: NotRequired[Sequence[Input[str]]]
    """Subnets to attach the function to. Default: none."""
    security_group_ids: NotRequired[Sequence[Input[str]]]
    """Security groups of the attachment; needed with `subnet_ids`."""
    file_system: NotRequired[FunctionFileSystem]
    """File system to mount; needs `subnet_ids`. Default: none."""
    execution_mode: NotRequired[str]
    """Where events run: `lambda`, `batch`, or `lambda-batch` for those in Batch that Lambda has no time for.
    Default: `batch` where `batch` is given, else `lambda`."""
    batch: NotRequired[FunctionBatch]
    """AWS Batch for the modes that use it: the queue and what a job gets. Default: none."""


def base_image(args: LambdaContainerFunctionArgs) -> BaseImageArgs:
    """Return those of a function's arguments that say what its image is made of."""
    base: BaseImageArgs = {}
    for key in ("image", "image_file", "script", "architecture"):
        if key in args:
            base[key] = args[key]
    return base


def supervisor_configuration(
    function_name: str,
    args: LambdaContainerFunctionArgs,
    execution_mode: Optional[str] = None,
    batch: Optional[Mapping[str, object]] = None,
) -> str:
    """Return the supervisor's configuration, the value of `SCAR_FUNCTION`; defaults are left out: 4 KB hold it all.

    `execution_mode` is `lambda`, `batch` or `lambda-batch`; `batch` has `job_queue`, `job_definition`, `event_path`
    (bucket and prefix for events too large for a job) and `multi_node`.

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
                f"storage_providers: {name}: is not the place of its settings; keep them in a parameter or a secret "
                "and give `ssm:/name` or `secretsmanager:ARN`"
            )
    return dict(providers)
