"""The job definition that Batch gets, as plain data, and the checks of its arguments.

https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Optional

import pulumi

from scar_foundation.batch_rules import job_refusals
from scar_foundation.limits import BATCH_FARGATE_DEFAULT_MEMORY, BATCH_MEMORY, BATCH_VCPUS


def check_job(name: str, batch: Mapping[str, Any]) -> None:
    """Raise RunError with everything in a job's arguments that Batch refuses."""
    if found := list(job_refusals(batch)):
        raise pulumi.RunError("\n".join(f"{name}: batch.{refusal}" for refusal in found))


def container_properties(batch: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the container of a job.

    `batch` has the function's arguments for jobs, with known values. `facts` has `image`, `environment`, `job_role`,
    `execution_role`, `log_group`, `region`, `name` and `architecture`.
    """
    is_fargate = batch.get("platform") == "FARGATE"
    container = {
        "image": facts["image"],
        "jobRoleArn": facts["job_role"],
        "executionRoleArn": facts["execution_role"],
        "environment": _pairs(facts["environment"], "value"),
        "secrets": _pairs(batch.get("secrets", {}), "valueFrom"),
        "resourceRequirements": _requirements(batch, is_fargate=is_fargate),
        "logConfiguration": _log(facts),
        "volumes": [_volume(index, one) for index, one in enumerate(batch.get("file_systems", ()))],
        "mountPoints": [_mount(index, one) for index, one in enumerate(batch.get("file_systems", ()))],
        "linuxParameters": {"sharedMemorySize": batch["shared_memory"]} if batch.get("shared_memory") else None,
        **(_fargate(batch, facts) if is_fargate else {}),
    }
    return {key: value for key, value in container.items() if value not in (None, [], {})}


def node_properties(container: Mapping[str, Any], number_nodes: int, main_node_index: int) -> dict[str, Any]:
    """Return a multi-node parallel job whose nodes all run the same container."""
    nodes = [{"targetNodes": "0:", "container": container}]
    return {"numNodes": number_nodes, "mainNode": main_node_index, "nodeRangeProperties": nodes}


def retry_strategy(batch: Mapping[str, Any]) -> Optional[dict[str, Any]]:
    """Return how often a job is tried, and after which failures.

    https://docs.aws.amazon.com/batch/latest/userguide/best-practices.html#bestpractice6
    """
    if batch.get("attempts") is None:
        return None
    only = [{"on_status_reason": "Host EC2*", "action": "RETRY"}, {"on_reason": "*", "action": "EXIT"}]
    return {
        "attempts": batch["attempts"],
        "evaluate_on_exits": only if batch.get("retry_only_if_host_ends") else None,
    }


def document(properties: Mapping[str, Any]) -> str:
    """Return properties as JSON text, the same text for the same properties."""
    return json.dumps(properties, sort_keys=True, separators=(",", ":"))


def _pairs(variables: Mapping[str, str], value: str) -> list[dict[str, str]]:
    return [{"name": name, value: text} for name, text in sorted(variables.items())]


def _requirements(batch: Mapping[str, Any], *, is_fargate: bool) -> list[dict[str, str]]:
    wanted = {
        "VCPU": batch.get("vcpus", BATCH_VCPUS.default),
        "MEMORY": batch.get("memory", BATCH_FARGATE_DEFAULT_MEMORY if is_fargate else BATCH_MEMORY.default),
        "GPU": batch.get("gpus", 0),
    }
    return [{"type": kind, "value": f"{number:.12g}"} for kind, number in wanted.items() if number]


def _log(facts: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        "awslogs-group": facts["log_group"],
        "awslogs-region": facts["region"],
        "awslogs-stream-prefix": facts["name"],
    }
    return {"logDriver": "awslogs", "options": options}


def _volume(index: int, given: Mapping[str, Any]) -> dict[str, Any]:
    point = given.get("access_point_id")
    # AWS accepts an access point only with encryption in transit.
    through = {"authorizationConfig": {"accessPointId": point, "iam": "ENABLED"}} if point else {}
    efs = {"fileSystemId": given["file_system_id"], "transitEncryption": "ENABLED", **through}
    return {"name": f"efs-{index}", "efsVolumeConfiguration": efs}


def _mount(index: int, given: Mapping[str, Any]) -> dict[str, Any]:
    only = {"readOnly": True} if given.get("read_only") else {}
    return {"sourceVolume": f"efs-{index}", "containerPath": given["mount_path"], **only}


def _fargate(batch: Mapping[str, Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    disk = batch.get("ephemeral_storage")
    return {
        "networkConfiguration": {"assignPublicIp": "ENABLED" if batch.get("assign_public_ip") else "DISABLED"},
        "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
        "runtimePlatform": {"operatingSystemFamily": "LINUX", "cpuArchitecture": facts["architecture"].upper()},
        "ephemeralStorage": {"sizeInGiB": disk} if disk else None,
    }


def secret_places(batch: Mapping[str, Any]) -> Sequence[str]:
    """Return the ARNs or names of a job's secrets and parameters, each once."""
    return sorted(set(batch.get("secrets", {}).values()))
