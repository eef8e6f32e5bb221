"""A stack's outputs as plain data: its functions, buckets, OSCAR clusters and their services."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_foundation.errors import InputError, ScarError


@dataclass(frozen=True)
class StoragePath:
    """A place in a storage."""

    provider: str
    path: str
    prefix: tuple[str, ...] = ()
    suffix: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The place as `put` and `get` write it."""
        return self.path if self.provider == "s3.default" else f"{self.provider}/{self.path}"


def read_paths(entries: Any) -> tuple[StoragePath, ...]:
    """Read the inputs or outputs of a function or service in a stack's outputs."""
    return tuple(
        StoragePath(
            entry.get("provider", "s3.default"),
            entry.get("path", ""),
            tuple(entry.get("prefix") or ()),
            tuple(entry.get("suffix") or ()),
        )
        for entry in entries or ()
    )


MASKED = "[secret]"
"""Stands in outputs for a secret that was not asked for."""


@dataclass(frozen=True)
class DeployedService:
    """A service on an OSCAR cluster; `synchronous` when the cluster answers calls, where others only queue jobs."""

    cluster: str
    name: str
    synchronous: bool
    run_url: str
    job_url: str
    inputs: tuple[StoragePath, ...] = ()
    outputs: tuple[StoragePath, ...] = ()
    token: str = field(default=MASKED, repr=False)


@dataclass(frozen=True)
class DeployedCluster:
    """An OSCAR cluster, its storages by provider such as `minio.default`, and its services by name."""

    name: str
    endpoint: str
    user: str
    verify: bool
    services: Mapping[str, DeployedService]
    password: str = field(default=MASKED, repr=False)
    storage: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def is_masked(self) -> bool:
        """Whether the secrets that the cluster asks for are missing here."""
        return MASKED in (self.password, *(service.token for service in self.services.values()))


def read_clusters(outputs: Any) -> dict[str, DeployedCluster]:
    """Read the output `oscar`; a stack without it has no clusters."""
    return {name: _read_cluster(name, entry) for name, entry in sorted((outputs or {}).items())}


def _read_cluster(name: str, entry: Mapping[str, Any]) -> DeployedCluster:
    storage = entry.get("storage")
    return DeployedCluster(
        name=name,
        endpoint=str(entry.get("endpoint") or "").rstrip("/"),
        user=str(entry.get("user") or ""),
        verify=entry.get("verify") is not False,
        services={
            service: _read_service(name, service, found) for service, found in (entry.get("services") or {}).items()
        },
        password=str(entry.get("password") or ""),
        storage=storage if isinstance(storage, Mapping) else {},
    )


def _read_service(cluster: str, name: str, entry: Mapping[str, Any]) -> DeployedService:
    return DeployedService(
        cluster=cluster,
        name=name,
        synchronous=bool(entry.get("synchronous")),
        run_url=str(entry.get("runUrl") or ""),
        job_url=str(entry.get("jobUrl") or ""),
        inputs=read_paths(entry.get("inputs")),
        outputs=read_paths(entry.get("outputs")),
        token=str(entry.get("token") or ""),
    )


@dataclass(frozen=True)
class BatchPlace:
    """Where a function's jobs run and log; the job definition is the revision that the function submits."""

    job_queue: str
    job_definition: str
    log_group: str


@dataclass(frozen=True)
class DeployedFunction:
    """A deployed function.

    `url` is its HTTP endpoint, empty without one; `auth` is how calls of it are authorized: `NONE`, `AWS_IAM` or `JWT`.
    `async_url` takes asynchronous calls; it is empty where a header on `url` asks for one. `page` is for browsers.
    `method` is the only method of the endpoint, empty where it takes any.
    """

    name: str
    arn: str
    region: str
    log_group: str
    image: str
    execution_mode: str
    inputs: tuple[StoragePath, ...]
    outputs: tuple[StoragePath, ...]
    url: str = ""
    auth: str = "NONE"
    async_url: str = ""
    batch: BatchPlace | None = None
    page: str = ""
    method: str = ""


@dataclass(frozen=True)
class DeployedMapReduce:
    """A deployed MapReduce: its state machine, the functions of its stages, and where runs keep what they are at.

    `functions` and `memory` (MB of a task) are by stage: `plan`, `map`, `reduce` and `commit`; in AWS Batch, `map` and
    `reduce` are jobs in `job_queue` instead. `architecture` is the instruction set of the tasks.
    """

    name: str
    arn: str
    region: str
    functions: Mapping[str, str]
    inputs: tuple[StoragePath, ...]
    outputs: tuple[StoragePath, ...]
    reducers: int
    engine: str
    work_bucket: str
    memory: Mapping[str, int] = field(default_factory=dict)
    architecture: str = "x86_64"
    job_queue: str = ""

    def log_group(self, stage: str) -> str:
        """Return the log group of a stage."""
        kind = "lambda" if stage in self.functions else "batch"
        return f"/aws/{kind}/{self.arn.rpartition(':')[2]}-{stage}"


@dataclass(frozen=True)
class DeployedBucket:
    """A bucket that a stack uses; `managed` when the stack created it."""

    name: str
    managed: bool


@dataclass(frozen=True)
class StackOutputs:
    """What a stack has deployed."""

    functions: Mapping[str, DeployedFunction]
    buckets: tuple[DeployedBucket, ...]
    clusters: Mapping[str, DeployedCluster] = field(default_factory=dict)
    mapreduces: Mapping[str, DeployedMapReduce] = field(default_factory=dict)

    @classmethod
    def read(cls, outputs: Mapping[str, Any]) -> "StackOutputs":
        """Read stack outputs; other outputs are ignored.

        Raises:
            ScarError: There is no output `functions`, so scar-pulumi did not deploy this stack.
        """
        functions = outputs.get("functions")
        if not isinstance(functions, Mapping):
            raise ScarError(
                "functions: the stack has no such output; its program must call scar_pulumi.deploy.deploy()"
            )
        buckets = outputs.get("buckets") or ()
        return cls(
            {name: _read_function(name, entry) for name, entry in sorted(functions.items())},
            tuple(DeployedBucket(entry["name"], bool(entry.get("managed"))) for entry in buckets),
            read_clusters(outputs.get("oscar")),
            _read_mapreduces(outputs.get("mapreduce")),
        )

    @classmethod
    def read_any(cls, outputs: Mapping[str, Any]) -> "StackOutputs":
        """Read the outputs of any stack; one that scar-pulumi did not deploy has nothing."""
        return cls.read(outputs) if "functions" in outputs else cls({}, ())

    def services(self, name: str = "") -> list[DeployedService]:
        """Return the services on OSCAR clusters, or those of a name: `NAME` or `CLUSTER/NAME`."""
        found = [service for cluster in self.clusters.values() for service in cluster.services.values()]
        return [item for item in found if name in ("", item.name, f"{item.cluster}/{item.name}")]

    def function(self, name: str) -> DeployedFunction:
        """Return a function by its name.

        Raises:
            InputError: There is none; the message lists those that exist.
        """
        try:
            return self.functions[name]
        except KeyError:
            raise InputError(unknown_function(name, self.functions)) from None


def unknown_function(name: str, known: Mapping[str, Any]) -> str:
    """Return the message about an unknown function: which ones exist, and which one may have been meant."""
    if not known:
        return f"{name}: no such function; the stack has none"
    from difflib import get_close_matches  # noqa: PLC0415 - help needs none of it

    close = get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{name}: no such function{meant} (there are: {', '.join(sorted(known))})"


def _read_function(name: str, entry: Mapping[str, Any]) -> DeployedFunction:
    arn = str(entry.get("arn", ""))
    return DeployedFunction(
        name=name,
        arn=arn,
        region=entry.get("region") or (arn.split(":")[3] if arn.count(":") >= 3 else ""),
        log_group=entry.get("logGroup") or f"/aws/lambda/{name}",
        image=entry.get("image", ""),
        execution_mode=entry.get("executionMode", "lambda"),
        inputs=read_paths(entry.get("inputs")),
        outputs=read_paths(entry.get("outputs")),
        url=entry.get("url") or "",
        auth=entry.get("auth") or "NONE",
        async_url=entry.get("asyncUrl") or "",
        batch=_read_batch(entry.get("batch")),
        page=entry.get("page") or "",
        method=entry.get("method") or "",
    )


def _read_mapreduces(outputs: Any) -> dict[str, DeployedMapReduce]:
    entries = outputs if isinstance(outputs, Mapping) else {}
    # One that an `up` could not finish has no state machine.
    return {name: _read_mapreduce(name, entry) for name, entry in sorted(entries.items()) if entry.get("arn")}


def _read_mapreduce(name: str, entry: Mapping[str, Any]) -> DeployedMapReduce:
    arn = str(entry.get("arn", ""))
    return DeployedMapReduce(
        name=name,
        arn=arn,
        region=entry.get("region") or (arn.split(":")[3] if arn.count(":") >= 3 else ""),
        functions={stage: str(one) for stage, one in (entry.get("functions") or {}).items() if one},
        inputs=read_paths(entry.get("inputs")),
        outputs=read_paths(entry.get("outputs")),
        reducers=int(entry.get("reducers") or 1),
        engine=entry.get("engine") or "lambda",
        work_bucket=entry.get("workBucket") or "",
        memory={stage: int(size) for stage, size in (entry.get("memory") or {}).items()},
        architecture=entry.get("architecture") or "x86_64",
        job_queue=(entry.get("batch") or {}).get("jobQueue") or "",
    )


def _read_batch(entry: Any) -> BatchPlace | None:
    if not entry:
        return None
    return BatchPlace(entry["jobQueue"], entry.get("jobDefinition", ""), entry.get("logGroup") or "/aws/batch/job")
