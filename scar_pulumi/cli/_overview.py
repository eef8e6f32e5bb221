"""`ls` without a bucket: what is deployed."""

import dataclasses
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scar_pulumi.cli._target import DeployedStack, deployed_stacks, is_local, open_clients
from scar_pulumi.cli.console import Console
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.outputs import DeployedFunction, DeployedService, StoragePath


def overview(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """List functions, services and buckets; those of the local cloud include what destroyed stacks have left."""
    stacks = deployed_stacks(arguments)
    functions = [(stack, function) for stack in stacks for function in stack.deployed.functions.values()]
    services = [(stack, service) for stack in stacks for service in stack.deployed.services()]
    buckets: list[dict[str, Any]] = [
        {"name": bucket.name, "managed": bucket.managed, "project": stack.project, "stack": stack.name}
        for stack in stacks
        for bucket in stack.deployed.buckets
    ]
    if is_local(arguments.stack):
        known = {bucket["name"] for bucket in buckets}
        left = [name for name in _local_buckets(arguments, console) if name not in known]
        buckets += [{"name": name, "managed": None, "project": None, "stack": None} for name in left]
    _show([*functions, *services], buckets, console)
    return {
        "functions": [_document(stack, function) for stack, function in functions],
        "services": [_service(stack, service) for stack, service in services],
        "buckets": buckets,
    }


def _local_buckets(arguments: Namespace, console: Console) -> list[str]:
    s3 = open_clients(arguments.stack, console).client("s3")
    with about("buckets"):
        return sorted(bucket["Name"] for bucket in s3.list_buckets()["Buckets"])


def _document(stack: DeployedStack, function: DeployedFunction) -> dict[str, Any]:
    return {
        "name": function.name,
        "project": stack.project,
        "stack": stack.name,
        "arn": function.arn,
        "region": function.region,
        "logGroup": function.log_group,
        "image": function.image,
        "executionMode": function.execution_mode,
        "url": function.url or None,
        "page": function.page or None,
        "inputs": [dataclasses.asdict(path) for path in function.inputs],
        "outputs": [dataclasses.asdict(path) for path in function.outputs],
    }


def _service(stack: DeployedStack, service: DeployedService) -> dict[str, Any]:
    return {
        "name": service.name,
        "cluster": service.cluster,
        "project": stack.project,
        "stack": stack.name,
        "synchronous": service.synchronous,
        "inputs": [dataclasses.asdict(path) for path in service.inputs],
        "outputs": [dataclasses.asdict(path) for path in service.outputs],
    }


def _show(
    functions: Sequence[tuple[DeployedStack, DeployedFunction | DeployedService]],
    buckets: Sequence[Mapping[str, Any]],
    console: Console,
) -> None:
    if not functions and not buckets:
        console.note("nothing is deployed; `scar-pulumi up FILE` does that")
    rows = [
        (_name(item), stack.project, _paths(item.inputs), _paths(item.outputs), _url(item)) for stack, item in functions
    ]
    for line in table(("FUNCTION", "PROJECT", "INPUT", "OUTPUT", "URL"), rows):
        console.say(line)
    if functions and buckets:
        console.say("")
    for line in table(("BUCKET", "PROJECT"), [(item["name"], item["project"] or "-") for item in buckets]):
        console.say(line)


def _name(item: DeployedFunction | DeployedService) -> str:
    return f"{item.cluster}/{item.name}" if isinstance(item, DeployedService) else item.name


def _url(item: DeployedFunction | DeployedService) -> str:
    return (item.url if isinstance(item, DeployedFunction) else "") or "-"


def _paths(paths: Iterable[StoragePath]) -> str:
    return ", ".join(path.place for path in paths) or "-"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lay out rows under a head, each column as wide as it has to be; no rows, no lines."""
    if not rows:
        return []
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows)]
    return [line.rstrip() for line in lines]
