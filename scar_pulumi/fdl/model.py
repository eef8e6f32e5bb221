"""What an FDL file says, as plain immutable data: every default filled in, every path absolute.

Fields have the names and the meaning of their keys in `scar_pulumi.fdl.tables`. Where a field has another name than its
key, or no key, it is described here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from scar_pulumi.fdl.problems import Mark, Problem


@dataclass(frozen=True, slots=True)
class StoragePath:
    """An `input` or `output`: a bucket, or a folder in it, and which of its files are meant.

    Attributes:
        provider: Type of the storage provider: "s3".
        provider_id: Which of that type; "default" is the function's own account.
        bucket: The bucket's name.
        path: Folder inside the bucket, without leading or trailing slash; "" is the whole bucket.
        prefix: File names must start with one of these; empty accepts all.
        suffix: File names must end with one of these; empty accepts all.
        per_request: Whether the result files of each event go into a folder of their own, named by its request id.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Vpc:
    """The network that a function is attached to."""

    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSystem:
    """An EFS access point and where it is mounted."""

    arn: str
    local_mount_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The access tokens that an endpoint accepts."""

    issuer: str
    audience: tuple[str, ...]
    scopes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cors:
    """What web pages of other origins may do."""

    allow_origins: tuple[str, ...]
    allow_methods: tuple[str, ...] | None = None
    allow_headers: tuple[str, ...] | None = None
    expose_headers: tuple[str, ...] | None = None
    allow_credentials: bool | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """How many calls an endpoint accepts."""

    rate_limit: int | None = None
    burst_limit: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """A custom domain and its certificate."""

    name: str
    certificate_arn: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiGateway:
    """An HTTP endpoint in front of a function.

    Attributes:
        authorization_type: Who may call, in the file's words.
        tokens: What `jwt` says.
    """

    name: str
    http_method: str
    authorization_type: str
    path_part: str
    stage_name: str
    ui: bool
    tokens: Tokens | None = None
    cors: Cors | None = None
    throttling: Throttling | None = None
    domain: Domain | None = None

    @property
    def authorization(self) -> str:
        """The authorization as HTTP APIs know it: to them, a user pool is an issuer of tokens like any other."""
        return "JWT" if self.authorization_type == "COGNITO_USER_POOLS" else self.authorization_type


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputeResources:
    """What Batch jobs run on; empty subnets and security groups leave the choice to the stack."""

    type: str
    min_vcpus: int
    desired_vcpus: int
    max_vcpus: int
    instance_types: tuple[str, ...]
    subnet_ids: tuple[str, ...]
    security_group_ids: tuple[str, ...]
    instance_role: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiNodeParallel:
    """Jobs that run on several nodes at once."""

    enabled: bool
    number_nodes: int
    main_node_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """AWS Batch for a function whose execution mode uses it.

    Attributes:
        environment: Variables of the job, below the container's own.
        service_role: ARN of the service's role; None is AWS's own.
    """

    vcpus: float
    memory: int
    enable_gpu: bool
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    state: str
    type: str
    service_role: str | None = None
    compute_resources: ComputeResources
    multi_node_parallel: MultiNodeParallel

    @property
    def number_nodes(self) -> int | None:
        """Nodes of a job; None for jobs on one node."""
        return self.multi_node_parallel.number_nodes if self.multi_node_parallel.enabled else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A container function on AWS.

    Attributes:
        path: Place in the document, "functions.aws[1]"; `Fdl.mark` tells line and column.
        image: Registry reference of the base image; None where `image_file` is given.
        init_script: Script that runs for each event, a file or its content; None runs what the image itself starts.
        environment: Variables of the Lambda function; values may hold references (see `split_references`).
        container_environment: Variables of the user's process, likewise.
        role: ARN of the execution role; None has one generated.
        region: AWS region; None takes the stack's.
        log_retention: Days that log lines are kept.
        failure_destination: ARN of what gets events that failed for good.
        api_gateway: HTTP endpoint; None without one.
        batch: AWS Batch; None unless the execution mode uses it.
    """

    path: str
    name: str
    description: str
    memory: int
    timeout: int
    ephemeral_storage: int
    log_level: str
    log_format: Literal["text", "json"]
    execution_mode: str
    image: str | None = None
    image_file: Path | None = None
    create_image: bool
    init_script: Path | str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    container_environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    timeout_threshold: int
    input: tuple[StoragePath, ...]
    output: tuple[StoragePath, ...]
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str | None = None
    region: str | None = None
    architecture: Literal["x86_64", "arm64"]
    log_retention: int
    allow_loop: bool
    file_stage_in: bool
    failure_destination: str | None = None
    vpc: Vpc | None = None
    file_system: FileSystem | None = None
    api_gateway: ApiGateway | None = None
    batch: Batch | None = None


STAGES = ("plan", "map", "reduce", "commit")
"""Stages of a MapReduce. Each is a function or job whose name is the MapReduce's, a hyphen and this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One of the two stages of a MapReduce, and what each of its tasks gets.

    Attributes:
        image: Registry reference of its own base image; without one, it has that of the MapReduce.
        environment: Variables of the process; values may hold references (see `split_references`).
    """

    image: str | None = None
    image_file: Path | None = None
    init_script: Path | str | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    memory: int
    timeout: int
    ephemeral_storage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ReduceStage(Stage):
    """The reduce stage of a MapReduce."""

    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Combiner:
    """What reduces the pairs of a map task: the reducer, a script, or nothing."""

    by: str | None = None
    init_script: Path | str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFormat:
    """How files are divided into records; sizes in MB."""

    type: str
    header: str
    separator: str | None = None
    quote: str | None = None
    escape: str | None = None
    max_record: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """How files are divided among map tasks; sizes in MB."""

    size: int
    max_parallel: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MapReduce:
    """A mapper and a reducer over the records of files, on AWS.

    Attributes:
        path: Place in the document, "functions.aws[1]".
        output: One place.
        image: Registry reference of both stages' base image; None where `image_file` or their own are given.
        environment: Variables of both stages; those of a stage win over them.
        role: ARN of the role of all stages; None has them generated.
        batch: AWS Batch; None unless the engine is that.
    """

    path: str
    name: str
    input: tuple[StoragePath, ...]
    output: tuple[StoragePath, ...]
    image: str | None = None
    image_file: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    mapper: Stage
    reducer: ReduceStage
    combiner: Combiner | None = None
    format: RecordFormat
    split: Split
    partition: str
    pairs: str
    contract: str
    bad_pairs: str
    engine: str
    allow_loop: bool
    architecture: Literal["x86_64", "arm64"]
    log_level: str
    log_format: Literal["text", "json"]
    log_retention: int
    tags: Mapping[str, str] = field(default_factory=dict)
    role: str | None = None
    region: str | None = None
    batch: Batch | None = None

    @property
    def function_names(self) -> tuple[str, ...]:
        """Names of the functions and jobs that it consists of."""
        return tuple(f"{self.name}-{stage}" for stage in STAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class OscarService:
    """A service on an OSCAR cluster.

    Attributes:
        cluster: Id of the cluster.
        path: Place in the document, "functions.oscar[0].my_oscar".
        definition: The other keys, as OSCAR's interface takes them; may hold secrets.
        endpoint: URL of the cluster, if it is given with the service; see `Fdl.clusters`, too.
    """

    cluster: str
    path: str
    name: str
    image: str | None = None
    image_file: Path | None = None
    script: Path | str | None = None
    input: tuple[StoragePath, ...]
    output: tuple[StoragePath, ...]
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False)
    endpoint: str | None = None
    auth_user: str | None = None
    auth_password: str | None = field(default=None, repr=False)
    ssl_verify: bool
    allow_loop: bool


@dataclass(frozen=True, slots=True)
class Fdl:
    """A checked FDL file.

    Attributes:
        path: The file, absolute.
        functions: In the order of the file.
        storage_providers: Type, then id, then settings; may hold secrets, so it is left out of `repr`.
        warnings: What is accepted but has no effect here, or is likely to surprise.
        elsewhere: What is accepted on local stacks only.
        oscar: Services on OSCAR clusters, in the order of the file.
        mapreduces: In the order of the file.
        clusters: How OSCAR clusters are reached, by id; may hold secrets.
        places: Where the value at each path stands; defaults stand nowhere.
    """

    path: Path
    functions: tuple[Function, ...]
    storage_providers: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(repr=False)
    warnings: tuple[Problem, ...] = ()
    elsewhere: tuple[Problem, ...] = ()
    oscar: tuple[OscarService, ...] = ()
    mapreduces: tuple[MapReduce, ...] = ()
    clusters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    places: Mapping[str, Mark] = field(default_factory=dict, repr=False)

    @property
    def on_aws(self) -> tuple[Function | MapReduce, ...]:
        """What reads and writes buckets on AWS."""
        return (*self.functions, *self.mapreduces)

    def mark(self, path: str) -> Mark:
        """Return where the value at a path stands, or what it is part of."""
        while path not in self.places and "." in path:
            path = path.rpartition(".")[0]
        return self.places.get(path, Mark(str(self.path)))
