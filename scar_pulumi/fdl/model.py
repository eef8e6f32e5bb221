"""What an FDL file says, as plain immutable data: every default filled in, every path absolute."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from scar_pulumi.fdl.problems import Mark, Problem


@dataclass(frozen=True, slots=True)
class Tokens:
    """Whose tokens an endpoint accepts; a token needs one of the scopes, if there are any."""

    issuer: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiGateway:
    """An HTTP endpoint in front of a function.

    Attributes:
        name: Name of the API.
        http_method: Method that is answered, or "ANY".
        authorization: "NONE" lets everybody call; "AWS_IAM", "JWT" or "CUSTOM".
        path_part: Path below the stage.
        stage_name: Name of the stage, part of the URL.
        ui: Whether there is a page to try the function in a browser.
        tokens: Whose tokens count with "JWT".
        cors: Which pages of other origins may call, in the file's words; empty for none.
        throttling: `rate_limit` (calls per second) and `burst_limit` (calls at once), as far as given.
        domain: `domain_name` and `certificate_arn` of a domain of one's own; empty for none.
    """

    name: str
    http_method: str
    authorization: str
    path_part: str
    stage_name: str
    ui: bool = False
    tokens: Tokens | None = None
    cors: Mapping[str, Any] = field(default_factory=dict)
    throttling: Mapping[str, int] = field(default_factory=dict)
    domain: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StoragePath:
    """One `input` or `output` of a function: a place in a bucket and which files of it are meant.

    Attributes:
        provider: Type of the storage provider: "s3".
        provider_id: Which of that type; "default" is the function's own account.
        bucket: The bucket's name.
        path: Folder inside the bucket, without leading or trailing slash; "" is the whole bucket.
        prefix: Names must start with one of these; empty accepts all.
        suffix: Names must end with one of these; empty accepts all.
        per_request: Whether result files of each event go into a folder of their own, named by its request id.
    """

    provider: str
    provider_id: str
    bucket: str
    path: str
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()
    per_request: bool = False

    @property
    def key_prefix(self) -> str:
        """What the keys of all objects in this place start with: "folder/", or "" for the whole bucket."""
        return f"{self.path}/" if self.path else ""

    def __str__(self) -> str:
        return f"{self.bucket}/{self.path}".rstrip("/")


@dataclass(frozen=True, slots=True)
class Vpc:
    """The network that a function is attached to."""

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileSystem:
    """An EFS access point and where it is mounted."""

    arn: str
    local_mount_path: str


@dataclass(frozen=True, slots=True)
class ComputeResources:
    """What Batch jobs run on; empty subnets and security groups leave the choice to the stack."""

    type: str
    min_v_cpus: int
    desired_v_cpus: int
    max_v_cpus: int
    instance_types: tuple[str, ...]
    subnets: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    instance_role: str | None


@dataclass(frozen=True, slots=True)
class Batch:
    """AWS Batch for a function whose execution mode uses it.

    Attributes:
        vcpus: vCPUs of a job.
        memory: Memory of a job in MB.
        enable_gpu: Whether a job gets a GPU.
        environment: Variables of the job, below the container's own.
        state: Whether the queue takes jobs: "ENABLED" or "DISABLED".
        type: "MANAGED" or "UNMANAGED".
        service_role: ARN of the service's role; None is AWS's own.
        compute_resources: What the jobs run on.
        number_nodes: Nodes of a job; None for jobs on one node.
        main_node_index: Which node is the main one.
    """

    vcpus: int
    memory: int
    enable_gpu: bool
    environment: Mapping[str, str] = field(repr=False)
    state: str
    type: str
    service_role: str | None
    compute_resources: ComputeResources
    number_nodes: int | None
    main_node_index: int


@dataclass(frozen=True, slots=True)
class Function:
    """One container function.

    Attributes:
        name: Name of the function in AWS and of its parts in the stack.
        description: Shown in AWS's console.
        memory: Memory in MB.
        timeout: Seconds until Lambda stops an invocation.
        ephemeral_storage: Size of /tmp in MB.
        log_level: Level of the supervisor's own log lines, upper case.
        log_format: Of those lines: "text" or "json".
        path: Place in the document, "functions.aws[1]"; `Fdl.mark` tells line and column.
        execution_mode: Where events run: "lambda", "batch", or "lambda-batch" for Batch after Lambda's timeout.
        image: Registry reference of the base image, or None.
        image_file: Base image as an archive or a directory, or None; one of the two is set.
        init_script: Script that runs for each event; None runs what the image itself starts.
        environment: Variables of the Lambda function; values may hold references (see `split_references`).
        container_environment: Variables of the user's process.
        timeout_threshold: Seconds of the timeout kept for storing outputs.
        input: Places whose new files start the function.
        output: Places where result files go.
        tags: AWS tags.
        role: ARN of the execution role; None has one generated.
        region: AWS region; None takes the stack's.
        architecture: Instruction set of the image.
        log_retention: Days that log lines are kept.
        allow_loop: Whether outputs may start the function again, directly or through others.
        file_stage_in: Whether input files stay where they are, for the script to fetch.
        vpc: Network to attach it to, or None.
        file_system: File system to mount, or None.
        api_gateway: HTTP endpoint, or None.
        batch: AWS Batch, set where the execution mode uses it.
    """

    name: str
    description: str
    memory: int
    timeout: int
    ephemeral_storage: int
    log_level: str
    log_format: Literal["text", "json"]
    execution_mode: str
    image: str | None
    image_file: Path | None
    init_script: Path | None
    environment: Mapping[str, str] = field(repr=False)
    container_environment: Mapping[str, str] = field(repr=False)
    timeout_threshold: int
    input: tuple[StoragePath, ...]
    output: tuple[StoragePath, ...]
    tags: Mapping[str, str]
    role: str | None
    region: str | None
    architecture: Literal["x86_64", "arm64"]
    log_retention: int
    allow_loop: bool = False
    file_stage_in: bool = False
    path: str = ""
    vpc: Vpc | None = None
    file_system: FileSystem | None = None
    api_gateway: ApiGateway | None = None
    batch: Batch | None = None


@dataclass(frozen=True, slots=True)
class OscarService:
    """A service on an OSCAR cluster.

    Attributes:
        cluster: Id of the cluster.
        name: Name of the service.
        path: Place in the document, "functions.oscar[0].my_oscar".
        script: Script that runs for each event, or None.
        image_file: Base image as an archive or a directory, which local stacks run, or None.
        input: Places whose new files start the service.
        output: Places where result files go.
        definition: What OSCAR's interface takes, in its own words, except the script; may hold secrets.
        endpoint: URL of the cluster given with the service, or None; see `Fdl.clusters`, too.
        auth_user: User of the cluster's interface, or None.
        auth_password: Password of that user, or None.
        ssl_verify: Whether the cluster's certificate is verified.
        allow_loop: Whether outputs may start the service again.
    """

    cluster: str
    name: str
    path: str
    script: Path | None
    image_file: Path | None
    input: tuple[StoragePath, ...]
    output: tuple[StoragePath, ...]
    definition: Mapping[str, Any] = field(repr=False)
    endpoint: str | None
    auth_user: str | None
    auth_password: str | None = field(repr=False)
    ssl_verify: bool
    allow_loop: bool = False


@dataclass(frozen=True, slots=True)
class Fdl:
    """A checked FDL file.

    Attributes:
        path: The file, absolute.
        functions: In the order of the file.
        storage_providers: Type, then id, then settings; may hold secrets, so it is left out of `repr`.
        warnings: What is accepted but has no effect here, or is likely to surprise.
        oscar: Services on OSCAR clusters, in the order of the file.
        clusters: How OSCAR clusters are reached, by id; may hold secrets.
        places: Where the value at each path stands; defaults stand nowhere.
    """

    path: Path
    functions: tuple[Function, ...]
    storage_providers: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(repr=False)
    warnings: tuple[Problem, ...] = ()
    oscar: tuple[OscarService, ...] = ()
    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    places: Mapping[str, Mark] = field(default_factory=dict, repr=False)

    def mark(self, path: str) -> Mark:
        """Where the value at a path stands, or what it is part of."""
        while path not in self.places and "." in path:
            path = path.rpartition(".")[0]
        return self.places.get(path, Mark(str(self.path)))
