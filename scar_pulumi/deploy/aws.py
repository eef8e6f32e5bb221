"""What the functions of an FDL file become on AWS: buckets, triggers, Batch environments, HTTP endpoints, outputs."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple, cast

import pulumi
import pulumi_aws as aws
from pulumi import Output

from scar_components import (
    ApiGatewayEndpoint,
    BatchGpuEnvironment,
    BatchGpuEnvironmentArgs,
    BucketTriggers,
    LambdaContainerFunction,
    StorageBucket,
)
from scar_components.bucket_triggers import BucketTriggersArgs, Trigger
from scar_components.lambda_container_function_arguments import (
    FunctionBatch,
    JobFileSystem,
    LambdaContainerFunctionArgs,
)
from scar_pulumi.deploy.arguments import (
    api_of,
    endpoint_arguments,
    environment_arguments,
    function_storage,
    job_arguments,
)
from scar_pulumi.deploy.secrets import with_values
from scar_pulumi.fdl import Fdl, Function, StoragePath
from scar_pulumi.fdl.model import MapReduce


def declare_buckets(fdl: Fdl) -> dict[str, StorageBucket]:
    """Declare every bucket of the deploying account that the file names; return them by name."""
    return {name: _declare_bucket(fdl, name) for name in _bucket_names(fdl)}


class Started(NamedTuple):
    """A function that new files start."""

    name: str
    arn: Output[str]


def declare_triggers(fdl: Fdl, buckets: Mapping[str, StorageBucket], started: Mapping[str, Started]) -> None:
    """Declare one notification for each bucket that starts functions, because S3 has one for each bucket.

    `started` says by the name of a function or a MapReduce which function that is.
    """
    for name, bucket in buckets.items():
        if triggers := _triggers(fdl, name, started):
            given: BucketTriggersArgs = {"bucket": name, "triggers": triggers, "region": _region_of_bucket(fdl, name)}
            BucketTriggers(f"{name}-triggers", given, pulumi.ResourceOptions(depends_on=[bucket]))


def _bucket_names(fdl: Fdl) -> list[str]:
    paths = [path for user in fdl.on_aws for path in (*user.input, *user.output)]
    # Buckets of other accounts (`s3.<id>`) are theirs to make.
    return sorted({path.bucket for path in paths if (path.provider, path.provider_id) == ("s3", "default")})


def _declare_bucket(fdl: Fdl, name: str) -> StorageBucket:
    starts = any(_uses(user.input, name) for user in fdl.on_aws)
    return StorageBucket(name, {"bucket": name, "region": _region_of_bucket(fdl, name), "any_region": not starts})


def _region_of_bucket(fdl: Fdl, bucket: str) -> str | None:
    """Return the region of the functions that a bucket starts, which has to be its own; else of the first writer."""
    readers = [user for user in fdl.on_aws if _uses(user.input, bucket)]
    users = readers or [user for user in fdl.on_aws if _uses(user.output, bucket)]
    return next((user.region for user in users if user.region), None)


def _uses(paths: tuple[StoragePath, ...], bucket: str) -> bool:
    return any((path.provider, path.provider_id, path.bucket) == ("s3", "default", bucket) for path in paths)


def _triggers(fdl: Fdl, bucket: str, started: Mapping[str, Started]) -> list[Trigger]:
    """Return the triggers of a bucket: one for each pair of prefix and suffix, as S3's rules hold one of each."""
    return [
        {
            "function_name": started[user.name].name,
            "function_arn": started[user.name].arn,
            "prefix": path.key_prefix + start,
            "suffix": end,
        }
        for user in fdl.on_aws
        for path in user.input
        if path.provider == "s3" and path.bucket == bucket
        for start in path.prefix or ("",)
        for end in path.suffix or ("",)
    ]


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
        # The container's variables win: they are the more specific ones.
        "environment": with_values({**function.batch.environment, **function.container_environment}),
        "file_systems": _file_systems(function),
    }
    return {"batch": job}


def batch_outputs(
    function: Function, environments: Mapping[str, BatchGpuEnvironment], component: LambdaContainerFunction
) -> dict[str, Any]:
    """Return what the data plane needs to know of a function's jobs."""
    if function.batch is None:
        return {}
    queue = environments[function.name].job_queue_arn
    definition, log_group = component.job_definition_arn, component.job_log_group
    return {"batch": {"jobQueue": queue, "jobDefinition": definition, "logGroup": log_group}}


def _sharing(fdl: Fdl) -> list[list[Function | MapReduce]]:
    groups: dict[Any, list[Function | MapReduce]] = {}
    for function in fdl.on_aws:
        if batch := function.batch:
            key = (batch.compute_resources, batch.type, batch.service_role, batch.state, function.region)
            groups.setdefault(key, []).append(function)
    return list(groups.values())


def _common_tags(functions: Sequence[Function | MapReduce]) -> dict[str, str]:
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


def declare_endpoints(fdl: Fdl, functions: Mapping[str, LambdaContainerFunction]) -> dict[str, dict[str, Any]]:
    """Declare every API; return what the data plane needs to know of it, by function."""
    having = sorted((function for function in fdl.functions if function.api_gateway), key=_place)
    groups = [(place, list(group)) for place, group in groupby(having, key=_place)]
    names = [name for (name, _), _ in groups]
    found: dict[str, dict[str, Any]] = {}
    for (name, region), group in groups:
        whole = f"{name}-{region}" if names.count(name) > 1 else name
        endpoint = ApiGatewayEndpoint(f"{whole}-endpoint", endpoint_arguments(group, functions))
        found |= {function.name: _endpoint_outputs(function, endpoint) for function in group}
    return found


def _endpoint_outputs(function: Function, endpoint: ApiGatewayEndpoint) -> dict[str, Any]:
    name, api = function.name, api_of(function)
    found: dict[str, Any] = {
        "url": endpoint.function_urls.apply(lambda urls: urls[name]),
        "asyncUrl": endpoint.async_urls.apply(lambda urls: urls[name]),
        "auth": api.authorization,
    }
    if api.http_method != "ANY":
        found["method"] = api.http_method
    if api.ui:
        found["page"] = Output.concat(found["url"], "/ui" if api.authorization == "JWT" else "/")
    return {**found, "domain": {"name": api.domain.name, "target": endpoint.domain_target}} if api.domain else found


def _place(function: Function) -> tuple[str, str]:
    return api_of(function).name, function.region or ""


def function_outputs(function: Function, component: LambdaContainerFunction) -> dict[str, Any]:
    """Return what the data plane needs to know of a function; the contract of stack outputs."""
    return {
        "arn": component.arn,
        "region": component.arn.apply(lambda arn: arn.split(":")[3]),
        "logGroup": component.log_group,
        "image": component.image_uri,
        "executionMode": function.execution_mode,
        "inputs": [function_storage(path) for path in function.input],
        "outputs": [function_storage(path) for path in function.output],
    }
