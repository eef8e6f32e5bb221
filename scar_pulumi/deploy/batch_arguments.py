"""What FDL says of AWS Batch in AWS's words; nothing is declared here, so that checking a file stays quick."""

from collections.abc import Iterator
from typing import Any, cast

import pulumi

from scar_components._batch.job_documents import check_job
from scar_components._batch.machines import check_machines
from scar_components.batch_job_arguments import FunctionBatch
from scar_pulumi.fdl import Function
from scar_pulumi.fdl.model import Batch

_SPOT_ATTEMPTS = 5
"""Spot instances are taken away: https://docs.aws.amazon.com/batch/latest/userguide/bestpractice6.html"""


def batch_problems(function: Function) -> Iterator[str]:
    """Say what Batch would refuse of a function."""
    if function.batch is None:
        return
    for check, arguments in (
        (check_machines, environment_arguments(function)),
        (check_job, job_arguments(function.batch)),
    ):
        try:
            check(function.name, arguments)
        except pulumi.RunError as error:
            yield from (line.partition(": ")[2].removeprefix("batch.") for line in str(error).splitlines())


def environment_arguments(function: Function) -> dict[str, Any]:
    """Return a function's compute environment as its component takes it."""
    batch = cast(Batch, function.batch)
    resources = batch.compute_resources
    arguments: dict[str, Any] = {
        "type": resources.type,
        # All nodes of a job run at once; SCAR's default, 2, would let none start.
        "max_vcpus": max(resources.max_v_cpus, (batch.number_nodes or 0) * batch.vcpus),
        "subnet_ids": list(resources.subnets) or None,
        "security_group_ids": list(resources.security_group_ids) or None,
        "service_role": batch.service_role,
        "management": batch.type,
        "state": batch.state,
        "region": function.region,
    }
    if not _is_serverless(batch):
        arguments |= {
            "instance_types": list(resources.instance_types),
            "min_vcpus": resources.min_v_cpus,
            "desired_vcpus": resources.desired_v_cpus or None,
            "instance_role": resources.instance_role,
        }
    return {key: value for key, value in arguments.items() if value is not None}


def job_arguments(batch: Batch) -> FunctionBatch:
    """Return a function's jobs as its component takes them, as far as the file says it in words of its own."""
    arguments: dict[str, Any] = {
        "platform": "FARGATE" if _is_serverless(batch) else "EC2",
        "vcpus": batch.vcpus,
        "memory": batch.memory,
        "gpus": 1 if batch.enable_gpu else None,
        "number_nodes": batch.number_nodes,
        "main_node_index": batch.main_node_index if batch.number_nodes else None,
        # Without a public address, nothing in a default network reaches ECR.
        "assign_public_ip": True if _is_serverless(batch) and not batch.compute_resources.subnets else None,
    }
    if batch.compute_resources.type == "SPOT":
        arguments |= {"attempts": _SPOT_ATTEMPTS, "retry_only_if_host_ends": True}
    return cast(FunctionBatch, {key: value for key, value in arguments.items() if value is not None})


def _is_serverless(batch: Batch) -> bool:
    return batch.compute_resources.type.startswith("FARGATE")
