"""From an FDL file to a stack: what `pulumi up` in the project and `scar-pulumi up FILE` both run."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pulumi

from scar_components import LambdaContainerFunction
from scar_components.lambda_container_function_arguments import base_image
from scar_components.supervised_image import planned_digest
from scar_foundation.errors import InputError, ScarError
from scar_foundation.loopback import is_loopback
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deploy.arguments import function_arguments
from scar_pulumi.deploy.aws import (
    Started,
    batch_arguments,
    batch_outputs,
    declare_buckets,
    declare_endpoints,
    declare_environments,
    declare_triggers,
    function_outputs,
)
from scar_pulumi.deploy.checks import UNIQUE_NAMES, check_configuration, undeployable
from scar_pulumi.deploy.cluster_storage import with_local_storage
from scar_pulumi.deploy.mapreduce import check_images, declare_mapreduces
from scar_pulumi.deploy.oscar import DeclaredServices
from scar_pulumi.deploy.quotas import Surroundings
from scar_pulumi.deploy.secrets import declare_storage_providers
from scar_pulumi.deploy.unique_names import with_unique_names
from scar_pulumi.fdl import Fdl, FdlError, load


def deploy(fdl: Fdl | None = None) -> None:
    """Declare every resource of an FDL file and export the stack's outputs.

    Without a file given, `scar:fdl` of the stack configuration names it, relative to the project's root directory, and
    `scar:overrides` changes values in it.

    Raises:
        pulumi.RunError: A mistake in the file or the configuration; the engine prints it without a traceback.
    """
    try:
        _deploy(_named(fdl or _configured()))
    except ScarError as error:
        raise pulumi.RunError(str(error)) from None


def _named(fdl: Fdl) -> Fdl:
    """Return the file with names of the stack's own, if the configuration says so, and note that in the outputs."""
    if not pulumi.Config("scar").get_bool(UNIQUE_NAMES):
        return fdl
    pulumi.export(UNIQUE_NAMES, True)
    return with_unique_names(fdl, pulumi.get_stack())


def _deploy(fdl: Fdl) -> None:
    around = Surroundings(pulumi.get_project(), pulumi.get_stack(), organization=pulumi.get_organization())
    if problems := undeployable(fdl, around):
        raise FdlError(problems)
    for warning in fdl.warnings:
        pulumi.log.warn(str(warning))
    arguments = {function.name: function_arguments(function) for function in fdl.functions}
    for name, argument in arguments.items():
        if "image_uri" not in argument:
            planned_digest(name, base_image(argument))  # report a broken image before anything is made
    check_images(fdl)
    services = DeclaredServices(fdl)
    buckets = declare_buckets(fdl)
    storages = declare_storage_providers(with_local_storage(fdl) if is_local_stack(pulumi.get_stack()) else fdl)
    environments = declare_environments(fdl)
    functions = {
        function.name: LambdaContainerFunction(
            function.name,
            storages[function.name].given_to(arguments[function.name]) | batch_arguments(function, environments),
            storages[function.name].options,
        )
        for function in fdl.functions
    }
    mapreduces = declare_mapreduces(fdl, environments)
    started = {name: Started(name, component.arn) for name, component in functions.items()}
    declare_triggers(fdl, buckets, started | {name: one.started for name, one in mapreduces.items()})
    endpoints = declare_endpoints(fdl, functions)
    outputs = {
        function.name: function_outputs(function, functions[function.name])
        | batch_outputs(function, environments, functions[function.name])
        | endpoints.get(function.name, {})
        for function in fdl.functions
    }
    if fdl.oscar:
        pulumi.export("oscar", services.declare())
    if mapreduces:
        pulumi.export("mapreduce", {name: one.outputs for name, one in mapreduces.items()})
    pulumi.export("functions", outputs)
    pulumi.export("buckets", [{"name": name, "managed": bucket.managed} for name, bucket in buckets.items()])


def _configured() -> Fdl:
    _check_stack()
    config = pulumi.Config("scar")
    path = config.get("fdl")
    if path is None:
        raise InputError(
            f"stack {pulumi.get_stack()}: scar:fdl is missing; name the FDL file, for example with "
            "`pulumi config set scar:fdl stacks/examples/cowsay/cowsay.yaml`"
        )
    root = Path(pulumi.get_root_directory() or Path.cwd())
    return load(root / path, config.get_object("overrides"), overrides_from="scar:overrides")


def _check_stack() -> None:
    """Check what `scar-pulumi` has checked already and plain `pulumi` cannot."""
    check_configuration(pulumi.get_stack(), json.loads(os.environ.get("PULUMI_CONFIG", "{}")))
    host = urlsplit(os.environ.get("AWS_ENDPOINT_URL", "")).hostname or ""
    if is_local_stack(pulumi.get_stack()) and not is_loopback(host):
        raise InputError(
            f"stack {pulumi.get_stack()}: it belongs on the local cloud, which AWS_ENDPOINT_URL does not point to; run "
            'eval "$(scar-pulumi local env)" first'
        )
