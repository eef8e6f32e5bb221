"""What a container function is declared with."""

from collections.abc import Mapping, Sequence
from typing import NotRequired, TypedDict

from pulumi import Input

from scar_components.batch_job_arguments import FunctionBatch
from scar_components.supervised_image import BaseImageArgs


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
