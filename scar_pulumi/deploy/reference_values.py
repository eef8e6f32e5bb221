"""Filling in `${env:NAME}`, `${config:key}` and `${ssm:/path}` when a stack is deployed: all of it secret."""

import os
from collections.abc import Mapping

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output

from scar_foundation.errors import InputError
from scar_pulumi.fdl import Reference, split_references


def with_values(variables: Mapping[str, str]) -> dict[str, Input[str]]:
    """Variables with what their references stand for; those without any stay plain text."""
    return {name: _filled(text) for name, text in variables.items()}


def _filled(text: str) -> Input[str]:
    parts = split_references(text)
    if not any(isinstance(part, Reference) for part in parts):
        return "".join(str(part) for part in parts)
    return Output.secret(Output.concat(*(_value(part) if isinstance(part, Reference) else part for part in parts)))


def _value(reference: Reference) -> Input[str]:
    if reference.source == "env":
        # The file was checked with the same environment, unless somebody else deploys its data.
        if reference.name not in os.environ:
            raise InputError(f"the environment variable {reference.name} is not set; the FDL file refers to it")
        return os.environ[reference.name]
    if reference.source == "config":
        namespace, _, key = reference.name.rpartition(":")
        return pulumi.Config(namespace or None).require_secret(key)
    return aws.ssm.get_parameter_output(name=reference.name, with_decryption=True).value
