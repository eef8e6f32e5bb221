"""Secrets of a file: references are filled in; storage settings become parameters that only their functions may read.

A parameter of the Parameter Store costs nothing, and whoever may look at a function does not see it.
https://docs.aws.amazon.com/systems-manager/latest/userguide/systems-manager-parameter-store.html
"""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import pulumi
from pulumi import Input, Output

from scar_components.lambda_container_function_arguments import LambdaContainerFunctionArgs
from scar_components.naming import legal_name, stack_identity
from scar_foundation.errors import InputError
from scar_foundation.limits import SSM_STANDARD_BYTES
from scar_pulumi.fdl import Fdl, Function, Reference, split_references

if TYPE_CHECKING:
    import pulumi_aws as aws


def with_values(variables: Mapping[str, str]) -> dict[str, Input[str]]:
    """Return variables with what their references stand for; those without any stay plain text."""
    return {name: _filled(text) for name, text in variables.items()}


def filled(settings: Mapping[str, Any]) -> dict[str, Input[Any]]:
    """Return settings with what their references stand for; those that are not text stay as they are."""
    return {**settings, **with_values({key: value for key, value in settings.items() if isinstance(value, str)})}


def known_text(text: str) -> str | None:
    """Return a text with what its references stand for; None if only the deployment tells, as of the Parameter Store.

    It may be a secret.
    """
    parts = split_references(text)
    known = [_known(part) if isinstance(part, Reference) else part for part in parts]
    return None if None in known else "".join(str(part) for part in known)


def _known(reference: Reference) -> str | None:
    if reference.source == "env":
        return os.environ.get(reference.name)
    namespace, _, key = reference.name.rpartition(":")
    return pulumi.Config(namespace or None).get(key) if reference.source == "config" else None


def _filled(text: str) -> Input[str]:
    parts = split_references(text)
    if not any(isinstance(part, Reference) for part in parts):
        return "".join(str(part) for part in parts)
    return Output.secret(Output.concat(*(_value_of(part) if isinstance(part, Reference) else part for part in parts)))


def _value_of(reference: Reference) -> Input[str]:
    if reference.source == "env":
        # The file was checked with the same environment, unless somebody else deploys its data.
        if reference.name not in os.environ:
            raise InputError(f"the environment variable {reference.name} is not set; the FDL file refers to it")
        return os.environ[reference.name]
    if reference.source == "config":
        namespace, _, key = reference.name.rpartition(":")
        return pulumi.Config(namespace or None).require_secret(key)
    import pulumi_aws as aws  # noqa: PLC0415 - checks before a deployment do without it

    return aws.ssm.get_parameter_output(name=reference.name, with_decryption=True).value


VERSIONS = "SCAR_STORAGE_VERSIONS"
"""Variable that changes with the settings, so that warm containers with the old ones are replaced."""

_NAME_CHARACTERS, _LONGEST_NAME = "a-zA-Z0-9_.", 128  # of a provider in the parameter's name


class FunctionStorages(NamedTuple):
    """The storages of one function: the parameter of each provider such as `minio.mine`."""

    parameters: Mapping[str, "aws.ssm.Parameter"]

    def given_to(self, arguments: LambdaContainerFunctionArgs) -> LambdaContainerFunctionArgs:
        """Return a function's arguments with where the settings of its storages are, and never what they are."""
        if not self.parameters:
            return arguments
        versions = [Output.format("{}:{}", name, parameter.version) for name, parameter in self.parameters.items()]
        return {
            **arguments,
            "storage_providers": {name: f"ssm:{parameter_name(name, stack_identity())}" for name in self.parameters},
            "environment": {
                **arguments.get("environment", {}),
                VERSIONS: Output.all(*versions).apply(lambda known: ",".join(map(str, known))),
            },
        }

    @property
    def options(self) -> pulumi.ResourceOptions:
        """What makes a function wait for its parameters: the first event may come at once."""
        return pulumi.ResourceOptions(depends_on=list(self.parameters.values()))


def declare_storage_providers(fdl: Fdl) -> dict[str, FunctionStorages]:
    """Declare a parameter for each provider that a function uses, in the function's region; return them by function."""
    made: dict[tuple[str, str | None], aws.ssm.Parameter] = {}
    found: dict[str, FunctionStorages] = {}
    for function in fdl.functions:
        names = providers(fdl, function)
        for name in names:
            if (name, function.region) not in made:
                made[name, function.region] = _parameter(fdl, name, function.region)
        found[function.name] = FunctionStorages(
            {name: made[name, function.region] for name in providers(fdl, function)}
        )
    return found


def providers(fdl: Fdl, function: Function) -> list[str]:
    """Return the providers of a function's inputs and outputs that need settings, such as `minio.mine`.

    Rucio keeps its files on WebDAV servers, which have credentials of their own.
    """
    paths = (*function.input, *function.output)
    names = {f"{path.provider}.{path.provider_id}" for path in paths}
    if any(path.provider == "rucio" for path in paths):
        names |= {f"webdav.{name}" for name in fdl.storage_providers.get("webdav", {})}
    return sorted(names - {"s3.default"})


def parameter_name(provider: str, identity: str) -> str:
    """Return the name of the parameter that holds a provider's settings for a stack: see `stack_identity`."""
    return f"/scar-pulumi/{identity}/{legal_name(provider, _LONGEST_NAME, _NAME_CHARACTERS)}"


def _parameter(fdl: Fdl, provider: str, region: str | None) -> "aws.ssm.Parameter":
    import pulumi_aws as aws  # noqa: PLC0415 - as above

    kind, _, identifier = provider.partition(".")
    return aws.ssm.Parameter(
        f"{provider}-settings" + (f"-{region}" if region else ""),
        name=parameter_name(provider, stack_identity()),
        type="SecureString",
        value=_secret_json(provider, filled(fdl.storage_providers[kind][identifier])),
        description=f"How functions reach the storage {provider}",
        region=region,
    )


def _secret_json(provider: str, settings: Mapping[str, Input[Any]]) -> Output[str]:
    def document(values: Mapping[str, Any]) -> str:
        text = json.dumps(values)
        if (size := len(text.encode())) > SSM_STANDARD_BYTES:
            raise InputError(
                f"storage_providers.{provider}: the settings take {size:,} bytes; a parameter of AWS Systems Manager "
                f"has at most {SSM_STANDARD_BYTES:,}; use a shorter token or password"
            )
        return text

    known: Output[dict[str, Any]] = Output.secret(Output.all(**settings))
    return known.apply(document)
