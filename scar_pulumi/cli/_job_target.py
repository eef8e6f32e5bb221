"""Finding the job that a verb means: by its id, or as the newest one of a function."""

from argparse import Namespace
from dataclasses import dataclass
from typing import Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli._target import DeployedStack, deployed_stacks, find_function, open_clients, stack_hint
from scar_pulumi.cli.console import Console
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.jobs import BatchJob, belongs_to, find_job, list_jobs, no_jobs
from scar_pulumi.client.outputs import DeployedFunction


@dataclass(frozen=True)
class FoundJob:
    """A job as Batch describes it, the function that it is of, and clients for both."""

    detail: dict[str, Any]
    function: str
    region: str
    clients: Clients


def functions_with_jobs(
    arguments: Namespace, console: Console, name: str | None
) -> tuple[list[DeployedFunction], Clients]:
    """Return the functions that use Batch, or the named one.

    Raises:
        InputError: The named one does not.
    """
    if name is not None:
        function, clients = find_function(name, arguments, console)
        if function.batch is None:
            raise no_jobs(function)
        return [function], clients
    stacks = deployed_stacks(arguments)
    if not stacks:
        command = f"scar-pulumi up FILE{stack_hint(arguments.stack)}"
        raise ScarError(f"stack {arguments.stack}: nothing is deployed; `{command}` does that")
    found = [function for stack in stacks for function in stack.deployed.functions.values() if function.batch]
    return found, open_clients(arguments.stack, console)


def is_function(name: str, stacks: list[DeployedStack]) -> bool:
    """Tell whether a name is a function's."""
    return any(name in stack.deployed.functions for stack in stacks)


def jobs_of(function: DeployedFunction, clients: Clients) -> list[BatchJob]:
    """Return the jobs of a function, newest first."""
    with about(f"jobs of {function.name}"):
        return list_jobs(clients.client("batch", function.region), function)


def one_job(target: str, arguments: Namespace, console: Console, function: str | None = None) -> FoundJob:
    """Find a job by its id, or the newest one of the function of that name.

    Raises:
        InputError: There is none.
    """
    if function is None and is_function(target, deployed_stacks(arguments)):
        (named,), clients = functions_with_jobs(arguments, console, target)
        jobs = jobs_of(named, clients)
        if not jobs:
            raise InputError(f"{target}: the function has no jobs yet")
        target, functions = jobs[0].id, [named]
    else:
        functions, clients = functions_with_jobs(arguments, console, function)
    for region in dict.fromkeys(found.region for found in functions):
        with about(f"job {target}"):
            detail = find_job(clients.client("batch", region), target)
        if detail is not None:
            owner = next((found.name for found in functions if belongs_to(detail, found)), None)
            if owner is not None:
                return FoundJob(detail, owner, region, clients)
    of = f" of {function}" if function else ""
    raise InputError(f"{target}: no such job{of}; `scar-pulumi jobs ls` lists those of the last week")
