"""From an FDL file to a stack: what `pulumi up` in the project and `scar-pulumi up FILE` both run."""

import dataclasses
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import pulumi

from scar_components import BucketTriggers, LambdaContainerFunction, StorageBucket
from scar_components.bucket_triggers import BucketTriggersArgs, Trigger
from scar_components.function_arguments import FunctionStorage, LambdaContainerFunctionArgs, base_image
from scar_components.supervised_image import planned_digest
from scar_pulumi._configuration import check_configuration
from scar_pulumi.deployable import undeployable
from scar_pulumi.errors import InputError, ScarError
from scar_pulumi.fdl import Fdl, FdlError, Function, StoragePath, load
from scar_pulumi.local import is_local_stack
from scar_pulumi.reference_values import with_values


def deploy(fdl: Fdl | None = None) -> None:
    """Declare every resource of an FDL file and export the stack's outputs.

    Without a file given, `scar:fdl` of the stack configuration names it, relative to the project's root directory, and
    `scar:overrides` changes values in it.

    Raises:
        pulumi.RunError: A mistake in the file or the configuration; the engine prints it without a traceback.
    """
    try:
        _deploy(fdl or _configured())
    except ScarError as error:
        raise pulumi.RunError(str(error)) from None


def _deploy(fdl: Fdl) -> None:
    if problems := undeployable(fdl):
        raise FdlError(problems)
    for warning in fdl.warnings:
        pulumi.log.warn(str(warning))
    arguments = {function.name: _arguments(function) for function in fdl.functions}
    for name, argument in arguments.items():
        planned_digest(name, base_image(argument))  # a broken image is told before anything is made
    buckets = {name: _bucket(fdl, name) for name in _bucket_names(fdl)}
    functions = {name: LambdaContainerFunction(name, argument) for name, argument in arguments.items()}
    for name, bucket in buckets.items():
        if triggers := _triggers(fdl, name, functions):
            given: BucketTriggersArgs = {"bucket": name, "triggers": triggers, "region": _region(fdl, name)}
            BucketTriggers(f"{name}-triggers", given, pulumi.ResourceOptions(depends_on=[bucket]))
    pulumi.export(
        "functions", {function.name: _outputs(function, functions[function.name]) for function in fdl.functions}
    )
    pulumi.export("buckets", [{"name": name, "managed": bucket.managed} for name, bucket in buckets.items()])


def _configured() -> Fdl:
    _check_stack()
    config = pulumi.Config("scar")
    path = config.get("fdl")
    if path is None:
        raise InputError(
            f"stack {pulumi.get_stack()}: scar:fdl is missing; say which FDL file it deploys, such as "
            "`pulumi config set scar:fdl stacks/examples/cowsay/cowsay.yaml`"
        )
    root = Path(pulumi.get_root_directory() or Path.cwd())
    return load(root / path, config.get_object("overrides"), overrides_from="scar:overrides")


def _check_stack() -> None:
    """Check what `scar-pulumi` checks by itself and plain `pulumi` cannot."""
    check_configuration(pulumi.get_stack(), json.loads(os.environ.get("PULUMI_CONFIG", "{}")))
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname
    if is_local_stack(pulumi.get_stack()) and host not in {"127.0.0.1", "localhost", "::1"}:
        raise InputError(
            f"stack {pulumi.get_stack()}: it belongs on the local cloud, which this shell does not lead to; run "
            'eval "$(scar-pulumi local env)" first'
        )


def _arguments(function: Function) -> LambdaContainerFunctionArgs:
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
        "inputs": [_storage(path) for path in function.input],
        "outputs": [_storage(path) for path in function.output],
        "log_level": function.log_level,
        "log_retention": function.log_retention,
        "timeout_threshold": function.timeout_threshold,
        "role_arn": function.role,
        "tags": function.tags,
        "subnet_ids": function.vpc and list(function.vpc.subnet_ids),
        "security_group_ids": function.vpc and list(function.vpc.security_group_ids),
        "file_system": function.file_system and dataclasses.asdict(function.file_system),
    }
    given = {key: value for key, value in arguments.items() if value is not None}
    return cast(LambdaContainerFunctionArgs, given)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _storage(path: StoragePath) -> FunctionStorage:
    storage: FunctionStorage = {
        "provider": f"{path.provider}.{path.provider_id}",
        "path": str(path),
        "prefix": path.prefix,
        "suffix": path.suffix,
    }
    if path.per_request:
        storage["per_request"] = True
    return storage


def _bucket_names(fdl: Fdl) -> list[str]:
    paths = [path for function in fdl.functions for path in (*function.input, *function.output)]
    # Buckets of other accounts (`s3.<id>`) are theirs to make.
    return sorted({path.bucket for path in paths if (path.provider, path.provider_id) == ("s3", "default")})


def _bucket(fdl: Fdl, name: str) -> StorageBucket:
    return StorageBucket(name, {"bucket": name, "region": _region(fdl, name)})


def _region(fdl: Fdl, bucket: str) -> str | None:
    """Return the region of the functions that read or write a bucket: it has to be the bucket's own."""
    for function in fdl.functions:
        if function.region and any(path.bucket == bucket for path in (*function.input, *function.output)):
            return function.region
    return None


def _triggers(fdl: Fdl, bucket: str, functions: Mapping[str, LambdaContainerFunction]) -> list[Trigger]:
    """Return the triggers of a bucket: one for each pair of prefix and suffix, as S3's rules hold one of each."""
    return [
        {
            "function_name": function.name,
            "function_arn": functions[function.name].arn,
            "prefix": path.key_prefix + start,
            "suffix": end,
        }
        for function in fdl.functions
        for path in function.input
        if path.provider == "s3" and path.bucket == bucket
        for start in path.prefix or ("",)
        for end in path.suffix or ("",)
    ]


def _outputs(function: Function, component: LambdaContainerFunction) -> dict[str, Any]:
    """Return what the data plane needs to know of a function; the contract of stack outputs."""
    return {
        "arn": component.arn,
        "region": component.arn.apply(lambda arn: arn.split(":")[3]),
        "logGroup": component.log_group,
        "image": component.image_uri,
        "executionMode": function.execution_mode,
        "inputs": [_storage(path) for path in function.input],
        "outputs": [_storage(path) for path in function.output],
    }
