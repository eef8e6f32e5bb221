"""AWS Batch for the functions of an FDL file: functions with equal compute resources share one environment."""

from collections.abc import Mapping
from typing import Any, cast

import pulumi
import pulumi_aws as aws

from scar_components import BatchGpuEnvironment, BatchGpuEnvironmentArgs, LambdaContainerFunction
from scar_components.batch_job_arguments import FunctionBatch, JobFileSystem
from scar_components.function_arguments import LambdaContainerFunctionArgs
from scar_pulumi.deploy.batch_arguments import environment_arguments, job_arguments
from scar_pulumi.deploy.reference_values import with_values
from scar_pulumi.fdl import Fdl, Function


def declare_environments(fdl: Fdl) -> dict[str, BatchGpuEnvironment]:
    """Declare the compute environments; return that of each function that uses Batch, by the function's name."""
    environments: dict[str, BatchGpuEnvironment] = {}
    for sharing in _sharing(fdl):
        names = [f"{function.name}-environment" for function in sharing]
        # Another function may come to be the first: the environment, and the jobs in its queue, are the same.
        aliases: list[str | pulumi.Alias] = [pulumi.Alias(name=name) for name in names[1:]]
        most = max(environment_arguments(function)["max_vcpus"] for function in sharing)
        given = {**environment_arguments(sharing[0]), "max_vcpus": most, "tags": _common_tags(sharing) or None}
        arguments = {key: value for key, value in given.items() if value is not None}
        made = BatchGpuEnvironment(
            names[0], cast(BatchGpuEnvironmentArgs, arguments), pulumi.ResourceOptions(aliases=aliases or None)
        )
        environments.update({function.name: made for function in sharing})
    return environments


def batch_arguments(function: Function, environments: Mapping[str, BatchGpuEnvironment]) -> LambdaContainerFunctionArgs:
    """Return what the function's component takes for Batch: nothing where the function does not use it."""
    if function.batch is None:
        return {}
    environment = environments[function.name]
    job: FunctionBatch = {
        **job_arguments(function.batch),
        "job_queue": environment.job_queue_arn,
        "event_path": pulumi.Output.concat(environment.event_bucket, "/", function.name),
        # The container's variables are the more particular ones, so they win.
        "environment": with_values({**function.batch.environment, **function.container_environment}),
        "file_systems": _file_systems(function),
    }
    return {"execution_mode": function.execution_mode, "batch": job}


def batch_outputs(
    function: Function, environments: Mapping[str, BatchGpuEnvironment], component: LambdaContainerFunction
) -> dict[str, Any]:
    """Return what the data plane needs to know of a function's jobs."""
    if function.batch is None:
        return {}
    queue = environments[function.name].job_queue_arn
    definition, log_group = component.job_definition_arn, component.job_log_group
    return {"batch": {"jobQueue": queue, "jobDefinition": definition, "logGroup": log_group}}


def _sharing(fdl: Fdl) -> list[list[Function]]:
    groups: dict[Any, list[Function]] = {}
    for function in fdl.functions:
        if batch := function.batch:
            key = (batch.compute_resources, batch.type, batch.service_role, batch.state, function.region)
            groups.setdefault(key, []).append(function)
    return list(groups.values())


def _common_tags(functions: list[Function]) -> dict[str, str]:
    first, *others = (function.tags for function in functions)
    return {key: value for key, value in first.items() if all(tags.get(key) == value for tags in others)}


def _file_systems(function: Function) -> list[JobFileSystem]:
    if function.file_system is None:
        return []
    point = function.file_system.arn.rpartition("/")[2]
    # A function is given the access point alone, a job the file system with it.
    found = aws.efs.get_access_point_output(access_point_id=point, region=function.region)
    mount = function.file_system.local_mount_path
    return [{"file_system_id": found.file_system_id, "access_point_id": point, "mount_path": mount}]
