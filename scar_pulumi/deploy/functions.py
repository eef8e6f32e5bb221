"""The Lambda functions of an FDL file."""

import dataclasses
from pathlib import Path
from typing import cast

from scar_components.function_arguments import FunctionPage, LambdaContainerFunctionArgs
from scar_pulumi.deploy.reference_values import with_values
from scar_pulumi.deploy.storage_paths import function_storage
from scar_pulumi.fdl import Function


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
