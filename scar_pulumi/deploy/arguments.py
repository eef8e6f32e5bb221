"""From FDL data to the arguments of components, in AWS's words; nothing is declared here."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from scar_components.lambda_container_function_arguments import (
    FunctionBatch,
    FunctionPage,
    FunctionStorage,
    LambdaContainerFunctionArgs,
)
from scar_foundation.directories import image_cache
from scar_foundation.files import mark_used, remove_unused, written
from scar_foundation.limits import HTTP_API_PATH
from scar_pulumi.deploy.secrets import with_values
from scar_pulumi.fdl import Function, StoragePath
from scar_pulumi.fdl.model import ApiGateway, Batch, MapReduce

if TYPE_CHECKING:  # these bring pulumi-aws, which checks before a deployment do without
    from scar_components import LambdaContainerFunction
    from scar_components.api_gateway_endpoint import ApiGatewayEndpointArgs, EndpointFunction


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
    """Return what the component takes of a function, except for Batch.

    Settings that the component calls like the file's data are passed on by their names; the others are listed.
    """
    arguments = {
        **shared_arguments(function, LambdaContainerFunctionArgs),
        **_image(function),
        "role_arn": function.role,
        # The container's variables win: they are the more specific ones.
        "environment": with_values({**function.environment, **_variables_in_lambda(function)}),
        "inputs": [function_storage(path) for path in function.input],
        "outputs": [function_storage(path) for path in function.output],
        "asynchronous_http": function.api_gateway is not None or None,
        "page": _page(function),
        "batch": None,
        **(_plain(function.vpc) if function.vpc else {}),
    }
    return cast(LambdaContainerFunctionArgs, given_arguments(arguments))


def _variables_in_lambda(function: Function) -> Mapping[str, str]:
    return {} if function.execution_mode == "batch" else function.container_environment


def _image(function: Function) -> dict[str, str | None]:
    if not function.create_image:
        return {"image_uri": function.image, "image": None}
    return {"script": script_file(function.init_script)}


def script_file(script: Path | str | None) -> str | None:
    """Return the path of a script; one that the FDL file holds itself is written to the cache."""
    if not isinstance(script, str):
        return None if script is None else str(script)
    path = image_cache("scripts") / hashlib.sha256(script.encode()).hexdigest()
    if not mark_used(path):
        remove_unused(path.parent)
        with written(path) as file:
            file.write(script.encode())
    return str(path)


def shared_arguments(data: Any, arguments: type) -> dict[str, Any]:
    """Return the fields of data that a component takes under the same names."""
    names = arguments.__annotations__.keys()
    return {field.name: _plain(getattr(data, field.name)) for field in fields(data) if field.name in names}


def _plain(value: Any) -> Any:
    """Return a value of the file's data as components take it: paths as text, dataclasses as maps, tuples as lists."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return given_arguments(shared_arguments(value, type(value))) if is_dataclass(value) else value


def given_arguments(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments that have a value."""
    return {name: value for name, value in arguments.items() if value is not None}


def _page(function: Function) -> FunctionPage | None:
    if function.api_gateway is None or not function.api_gateway.ui:
        return None
    return {"description": function.description, "token": function.api_gateway.authorization != "NONE"}


_OF_INSTANCES = ("instance_types", "min_vcpus", "desired_vcpus", "instance_role")
"""Settings that FDL always has, and that a compute environment without instances refuses."""
_SPOT_ATTEMPTS = 5
"""Spot instances are taken away: https://docs.aws.amazon.com/batch/latest/userguide/bestpractice6.html"""


def environment_arguments(function: Function | MapReduce) -> dict[str, Any]:
    """Return a function's compute environment as its component takes it."""
    batch = cast(Batch, function.batch)
    arguments = {
        **_plain(batch.compute_resources),
        # All nodes of a job run at once; SCAR's default, 2, would let none start.
        "max_vcpus": max(batch.compute_resources.max_vcpus, (batch.number_nodes or 0) * batch.vcpus),
        "service_role": batch.service_role,
        "management": batch.type,
        "state": batch.state,
        "region": function.region,
    }
    for key in ("subnet_ids", "security_group_ids", "desired_vcpus"):
        arguments[key] = arguments[key] or None
    if _is_serverless(batch):
        arguments |= dict.fromkeys(_OF_INSTANCES)
    return given_arguments(arguments)


def job_arguments(batch: Batch) -> FunctionBatch:
    """Return a function's jobs as its component takes them, except for what is known only when it is declared."""
    arguments = {
        **shared_arguments(batch, FunctionBatch),
        "platform": "FARGATE" if _is_serverless(batch) else "EC2",
        "gpus": 1 if batch.enable_gpu else None,
        "number_nodes": batch.number_nodes,
        "main_node_index": batch.multi_node_parallel.main_node_index if batch.number_nodes else None,
        "environment": None,
        # Without a public address, nothing in a default network reaches ECR.
        "assign_public_ip": True if _is_serverless(batch) and not batch.compute_resources.subnet_ids else None,
    }
    if batch.compute_resources.type == "SPOT":
        arguments |= {"attempts": _SPOT_ATTEMPTS, "retry_only_if_host_ends": True}
    return cast(FunctionBatch, given_arguments(arguments))


def _is_serverless(batch: Batch) -> bool:
    return batch.compute_resources.type.startswith("FARGATE")


def endpoint_arguments(
    group: Sequence[Function], functions: Mapping[str, "LambdaContainerFunction"]
) -> "ApiGatewayEndpointArgs":
    """Return what the component takes of the functions behind one API."""
    apis = [api_of(function) for function in group]
    first = apis[0]
    # One of the functions gives what an API has once; the language has checked that they do not contradict each other.
    tokens = next((api.tokens for api in apis if api.tokens), None)
    shared = sum(api.path_part == HTTP_API_PATH for api in apis) > 1
    arguments = {
        "api_name": first.name,
        "stage": first.stage_name,
        "functions": [_function(function, functions[function.name], shared=shared) for function in group],
        "tokens": tokens and {"issuer": tokens.issuer, "audience": list(tokens.audience)},
        "cors": _plain(next((api.cors for api in apis if api.cors), None)),
        "throttling": _plain(next((api.throttling for api in apis if api.throttling), None)),
        "domain": _plain(next((api.domain for api in apis if api.domain), None)),
        "log_retention": group[0].log_retention,
        "region": group[0].region,
        "tags": {key: value for key, value in group[0].tags.items() if _all_have(group, key, value)},
    }
    return cast("ApiGatewayEndpointArgs", {key: value for key, value in arguments.items() if value})


def _function(function: Function, component: "LambdaContainerFunction", *, shared: bool) -> "EndpointFunction":
    """Return a function of an endpoint; of several that want every path, each has those below its name."""
    api = api_of(function)
    given: EndpointFunction = {
        "function_name": function.name,
        "function_arn": component.arn,
        "path": function.name if shared and api.path_part == HTTP_API_PATH else api.path_part,
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
