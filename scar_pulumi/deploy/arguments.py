"""From FDL data to the arguments of components, in AWS's words; nothing is declared here."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pulumi

from scar_components.api_gateway_endpoint import ApiGatewayEndpointArgs, EndpointFunction
from scar_components.batch.compute import check_machines
from scar_components.batch.job_definition import check_job
from scar_components.lambda_container_function_arguments import (
    FunctionBatch,
    FunctionPage,
    FunctionStorage,
    LambdaContainerFunctionArgs,
)
from scar_pulumi.deploy.secrets import with_values
from scar_pulumi.fdl import Function, StoragePath
from scar_pulumi.fdl.model import ApiGateway, Batch

if TYPE_CHECKING:
    from scar_components import LambdaContainerFunction


def function_storage(path: StoragePath) -> FunctionStorage:
    """Return a storage path of FDL as components take it."""
    storage: FunctionStorage = {
        "provider": f"{path.provider}.{path.provider_id}",
        "path": str(path),
        "prefix": path.prefix,
        "suffix": path.suffix,
    }
    if path.per_request:
        storage["per_request"] = True
    return storage


def function_arguments(function: Function) -> LambdaContainerFunctionArgs:
    """Return what the component takes, in AWS's words, of what FDL says of a function."""
    arguments = {
        "image": function.image,
        "image_file": _text(function.image_file),
        "script": _text(function.init_script),
        "architecture": function.architecture,
        "region": function.region,
        "memory": function.memory,
        "timeout": function.timeout,
        "ephemeral_storage": function.ephemeral_storage,
        "description": function.description,
        # The container's variables are the more particular ones, so they win.
        "environment": with_values({**function.environment, **function.container_environment}),
        "inputs": [function_storage(path) for path in function.input],
        "outputs": [function_storage(path) for path in function.output],
        "log_level": function.log_level,
        "log_format": function.log_format,
        "file_stage_in": function.file_stage_in,
        "asynchronous_http": function.api_gateway is not None or None,
        "log_retention": function.log_retention,
        "page": _page(function),
        "timeout_threshold": function.timeout_threshold,
        "role_arn": function.role,
        "tags": function.tags,
        "subnet_ids": function.vpc and list(function.vpc.subnet_ids),
        "security_group_ids": function.vpc and list(function.vpc.security_group_ids),
        "file_system": function.file_system and dataclasses.asdict(function.file_system),
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    return cast(LambdaContainerFunctionArgs, given)


def _page(function: Function) -> FunctionPage | None:
    if function.api_gateway is None or not function.api_gateway.ui:
        return None
    return {"description": function.description, "token": function.api_gateway.authorization != "NONE"}


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


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


_EVERYTHING = "{proxy+}"


def endpoint_arguments(
    group: Sequence[Function], functions: Mapping[str, "LambdaContainerFunction"]
) -> ApiGatewayEndpointArgs:
    """Return what the component takes of the functions behind one API."""
    apis = [api_of(function) for function in group]
    first = apis[0]
    # What an API has once, one of its functions gives; the language has checked that they do not contradict each other.
    tokens = next((api.tokens for api in apis if api.tokens), None)
    domain = next((api.domain for api in apis if api.domain), None)
    shared = sum(api.path_part == _EVERYTHING for api in apis) > 1
    arguments = {
        "api_name": first.name,
        "stage": first.stage_name,
        "functions": [_function(function, functions[function.name], shared=shared) for function in group],
        "tokens": tokens and {"issuer": tokens.issuer, "audience": list(tokens.audience)},
        "cors": next((api.cors for api in apis if api.cors), None),
        "throttling": next((api.throttling for api in apis if api.throttling), None),
        "domain": domain and {"name": domain["domain_name"], "certificate_arn": domain["certificate_arn"]},
        "log_retention": group[0].log_retention,
        "region": group[0].region,
        "tags": {key: value for key, value in group[0].tags.items() if _all_have(group, key, value)},
    }
    return cast(ApiGatewayEndpointArgs, {key: value for key, value in arguments.items() if value})


def _function(function: Function, component: "LambdaContainerFunction", *, shared: bool) -> EndpointFunction:
    """Return a function of an endpoint; of several that want every path, each has those below its name."""
    api = api_of(function)
    given: EndpointFunction = {
        "function_name": function.name,
        "function_arn": component.arn,
        "path": function.name if shared and api.path_part == _EVERYTHING else api.path_part,
        "method": api.http_method,
        "authorization": api.authorization,
    }
    if api.tokens and api.tokens.scopes:
        given["scopes"] = list(api.tokens.scopes)
    if api.ui:
        given["page"] = True
    return given


def api_of(function: Function) -> ApiGateway:
    """Return the endpoint of a function that has one."""
    assert function.api_gateway is not None, function.name
    return function.api_gateway


def _all_have(group: Sequence[Function], key: str, value: str) -> bool:
    return all(function.tags.get(key) == value for function in group)
