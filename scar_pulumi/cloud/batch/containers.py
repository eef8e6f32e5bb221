"""A job's container as the runner runs it: its variables, secrets, volumes and log.

https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.cloud.batch.capacity import Allocation
from scar_pulumi.cloud.batch.job_definitions import required
from scar_pulumi.cloud.batch.store import BatchJob
from scar_pulumi.cloud.ministack.upstream import Upstream, json_request
from scar_pulumi.cloud.runner import ContainerRun, Volume
from scar_pulumi.cloud.signature import Caller

_LOG_GROUP = "/aws/batch/job"
_STORAGE = 8192  # megabytes, where a job does not say: an instance's disk is 30 GB, which not every machine can spare


class SecretValuesError(Exception):
    """A secret could not be read."""


class SecretValues:
    """Reads secrets from MiniStack."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def read(self, entries: Iterable[Mapping[str, str]], caller: Caller) -> dict[str, str]:
        """Return the values by variable. Raises SecretValuesError."""
        return {entry["name"]: await self._value(entry["valueFrom"], caller) for entry in entries}

    async def _value(self, source: str, caller: Caller) -> str:
        if ":secretsmanager:" not in source:
            name = source.partition(":parameter")[2] or source
            found = await self._ask("ssm", "AmazonSSM.GetParameter", {"Name": name, "WithDecryption": True}, caller)
            return str(found["Parameter"]["Value"])
        # arn:aws:secretsmanager:region:account:secret:NAME[:json-key:version-stage:version-id]
        parts = source.split(":")
        document = {"SecretId": ":".join(parts[:7])}
        found = await self._ask("secretsmanager", "secretsmanager.GetSecretValue", document, caller)
        key = parts[7] if len(parts) > 7 else ""
        return str(json.loads(found["SecretString"])[key] if key else found["SecretString"])

    async def _ask(self, service: str, target: str, document: Mapping[str, Any], caller: Caller) -> Any:
        request = json_request(service, target, document, account=caller.account, region=caller.region)
        answer = await self._upstream.request(request, lasting=False)
        if not answer.succeeded:
            raise SecretValuesError(f"unable to pull secrets: {answer.body.decode('utf-8', 'replace')[:300]}")
        return json.loads(answer.body)


@dataclass(frozen=True)
class JobContainer:
    """The container of a job that starts, or of one of its nodes."""

    job: BatchJob
    spec: Mapping[str, Any]
    attempt: int
    task_id: str
    node: int | None = None

    @property
    def container(self) -> Mapping[str, Any]:
        """The container properties, as Batch has them."""
        return dict(self.spec["container"] if self.node is None else self.spec["nodes"][self.node])


@dataclass(frozen=True)
class ContainerContext:
    """What a container gets beside its definition; `volumes` is the folder of all jobs' volumes."""

    caller: Caller
    endpoint: Mapping[str, str]
    secrets: Mapping[str, str]
    volumes: Path


def log_group(container: Mapping[str, Any]) -> str:
    """Return the log group of a container's output."""
    return str(((container.get("logConfiguration") or {}).get("options") or {}).get("awslogs-group", _LOG_GROUP))


def log_stream(part: JobContainer) -> str:
    """Return the log stream of one attempt. https://docs.aws.amazon.com/batch/latest/userguide/using_awslogs.html"""
    options = (part.container.get("logConfiguration") or {}).get("options") or {}
    definition = part.spec["jobDefinition"].rpartition("/")[2].partition(":")[0]
    return f"{options.get('awslogs-stream-prefix') or definition}/default/{part.task_id}"


def task(part: JobContainer, digest: str, allocation: Allocation, surroundings: ContainerContext) -> ContainerRun:
    """Return what the runner is to run."""
    container = part.container
    linux = container.get("linuxParameters") or {}
    limits = {item["name"]: item["softLimit"] for item in container.get("ulimits") or ()}
    storage = (container.get("ephemeralStorage") or {}).get("sizeInGiB", 0) * 1024
    return ContainerRun(
        name=part.job.name,
        image=digest,
        memory=int(required(container, "MEMORY")),
        storage=_storage(storage),
        log_group=log_group(container),
        log_stream=log_stream(part),
        command=tuple(container["command"]) if container.get("command") else None,
        user=container.get("user", ""),
        shared_memory=linux.get("sharedMemorySize", 64),
        open_files=int(limits.get("nofile", 1024)),
        read_only=bool(container.get("readonlyRootFilesystem")),
        volumes=_volumes(container, surroundings.volumes),
        gpus=allocation.devices if required(container, "GPU") else (),
        environment=_environment(part, allocation, surroundings),
    )


def _storage(wanted: int) -> int:
    text = os.environ.get("SCAR_LOCAL_JOB_STORAGE", "")
    return int(text) if text.isdecimal() else wanted or _STORAGE


def _environment(part: JobContainer, allocation: Allocation, surroundings: ContainerContext) -> dict[str, str]:
    own = {entry.get("name", ""): entry.get("value", "") for entry in part.container.get("environment") or ()}
    region = dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), surroundings.caller.region)
    gpus = {"NVIDIA_VISIBLE_DEVICES": ",".join(map(str, allocation.devices))} if allocation.devices else {}
    merged = {**surroundings.endpoint, **region, **own, **surroundings.secrets, **gpus, **_batch(part, allocation)}
    return {name: value for name, value in merged.items() if name and "=" not in name and "\0" not in name + value}


def _batch(part: JobContainer, allocation: Allocation) -> dict[str, str]:
    job, spec = part.job, part.spec
    variables = {
        "AWS_BATCH_JOB_ID": job.id if part.node is None else f"{job.id}#{part.node}",
        "AWS_BATCH_JOB_ATTEMPT": str(part.attempt),
        "AWS_BATCH_JQ_NAME": job.queue.rpartition("/")[2],
        "AWS_BATCH_CE_NAME": allocation.environment.rpartition("/")[2],
        "AWS_EXECUTION_ENV": "AWS_ECS_EC2",
    }
    if job.kind == "child":
        size = str(spec["arrayProperties"]["size"])
        variables |= {"AWS_BATCH_JOB_ARRAY_INDEX": str(job.number), "AWS_BATCH_JOB_ARRAY_SIZE": size}
    if part.node is not None:
        main = str(spec["mainNode"])
        variables |= {
            "AWS_BATCH_JOB_NODE_INDEX": str(part.node),
            "AWS_BATCH_JOB_NUM_NODES": str(len(spec["nodes"])),
            "AWS_BATCH_JOB_MAIN_NODE_INDEX": main,
        }
        if str(part.node) != main:
            variables["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = "127.0.0.1"
    return variables


def _volumes(container: Mapping[str, Any], folder: Path) -> tuple[Volume, ...]:
    """Return folders of the state directory that stand in for those of an instance or of EFS: jobs share them."""
    named = {volume.get("name"): volume for volume in container.get("volumes") or ()}
    found = []
    for mount in container.get("mountPoints") or ():
        source = folder / _folder(named[mount["sourceVolume"]])
        source.mkdir(parents=True, exist_ok=True)
        source.chmod(0o777)
        found.append(Volume(source, mount["containerPath"], bool(mount.get("readOnly"))))
    return tuple(found)


def _folder(volume: Mapping[str, Any]) -> str:
    if efs := volume.get("efsVolumeConfiguration"):
        place = f"{efs['fileSystemId']}{efs.get('rootDirectory') or '/'}"
        return f"efs/{efs['fileSystemId']}-{hashlib.sha256(place.encode()).hexdigest()[:12]}"
    host = (volume.get("host") or {}).get("sourcePath", "")
    return f"host/{hashlib.sha256((host or volume['name']).encode()).hexdigest()[:24]}"
