"""A stack's outputs as plain data: the functions and buckets that can be talked to."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.clusters import Cluster, Service, read_clusters
from scar_pulumi.client.storage_path import StoragePath, read_paths


@dataclass(frozen=True)
class BatchPlace:
    """Where a function's jobs run and log; the definition is the revision that the function submits to."""

    job_queue: str
    job_definition: str
    log_group: str


@dataclass(frozen=True)
class Function:
    """A deployed function.

    `url` is its HTTP endpoint, empty without one; `auth` says who may call there: `NONE`, `AWS_IAM` or `JWT`.
    `async_url` is where calls go that nobody waits for; empty where a header on `url` says so. `page` is for browsers.
    `method` is the only one that the endpoint answers, empty where it answers each.
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
class Bucket:
    """A bucket that a stack uses; `managed` when the stack created it."""

    name: str
    managed: bool


@dataclass(frozen=True)
class Deployed:
    """What a stack holds."""

    functions: Mapping[str, Function]
    buckets: tuple[Bucket, ...]
    clusters: Mapping[str, Cluster] = field(default_factory=dict)

    @classmethod
    def read(cls, outputs: Mapping[str, Any]) -> "Deployed":
        """Read stack outputs; outputs that are not ours are left alone.

        Raises:
            ScarError: There is no output `functions`, so this stack was not made by scar-pulumi.
        """
        functions = outputs.get("functions")
        if not isinstance(functions, Mapping):
            raise ScarError(
                "functions: the stack has no such output; its program has to call scar_pulumi.deploy.program.deploy()"
            )
        buckets = outputs.get("buckets") or ()
        return cls(
            {name: _function(name, entry) for name, entry in sorted(functions.items())},
            tuple(Bucket(entry["name"], bool(entry.get("managed"))) for entry in buckets),
            read_clusters(outputs.get("oscar")),
        )

    def services(self, name: str = "") -> list[Service]:
        """Return the services on OSCAR clusters, or those of a name: `NAME` or `CLUSTER/NAME`."""
        found = [service for cluster in self.clusters.values() for service in cluster.services.values()]
        return [item for item in found if name in ("", item.name, f"{item.cluster}/{item.name}")]

    def function(self, name: str) -> Function:
        """Return a function by its name.

        Raises:
            InputError: There is none; the message lists what there is.
        """
        try:
            return self.functions[name]
        except KeyError:
            raise InputError(unknown_function(name, self.functions)) from None


def unknown_function(name: str, known: Mapping[str, Any]) -> str:
    """Say that a function is not there, which ones are, and which one may have been meant."""
    if not known:
        return f"{name}: no such function; the stack has none"
    close = difflib.get_close_matches(name, known, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    return f"{name}: no such function{meant} (there are: {', '.join(sorted(known))})"


def _function(name: str, entry: Mapping[str, Any]) -> Function:
    arn = str(entry.get("arn", ""))
    return Function(
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
        batch=_batch(entry.get("batch")),
        page=entry.get("page") or "",
        method=entry.get("method") or "",
    )


def _batch(entry: Any) -> BatchPlace | None:
    if not entry:
        return None
    return BatchPlace(entry["jobQueue"], entry.get("jobDefinition", ""), entry.get("logGroup") or "/aws/batch/job")
