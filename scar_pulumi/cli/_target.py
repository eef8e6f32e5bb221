"""Which stack a verb of the data plane talks to, and how.

A function is looked for by its name: in the project that `--fdl` or `--project` names; else in the project of the
current directory; else in every stack of that name that was deployed from this machine.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import Console
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.outputs import DeployedFunction, DeployedService, StackOutputs, unknown_function
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deployments.source_files import files_of

if TYPE_CHECKING:
    from scar_foundation.aws_session import AwsSession

DEFAULT_STACK = "local"


@dataclass(frozen=True)
class DeployedStack:
    """A stack and what its outputs say; `near` when it belongs to the project of the current directory."""

    project: str
    name: str
    deployed: StackOutputs
    near: bool = False


@dataclass(frozen=True)
class CalledService:
    """A service on an OSCAR cluster, and the stack that has it."""

    stack: DeployedStack
    service: DeployedService


def stack_options(parser: argparse.ArgumentParser, *, search: bool) -> None:
    """Add `--stack`, and what tells projects apart for verbs that look for a function."""
    stack_option(parser)
    if search:
        project = parser.add_mutually_exclusive_group()
        project.add_argument("-F", "--fdl", metavar="FILE", type=Path, help="the FDL file that was deployed")
        project.add_argument("--project", metavar="NAME", help="the Pulumi project that was deployed")


def stack_option(parser: argparse.ArgumentParser) -> None:
    """Add `--stack`."""
    parser.add_argument(
        "-s", "--stack", metavar="STACK", default=DEFAULT_STACK, help=f"the stack (default: {DEFAULT_STACK})"
    )


def stack_hint(stack: str) -> str:
    """Return the option that suggested commands need for a stack; empty for the default one."""
    return "" if stack == DEFAULT_STACK else f" --stack {stack}"


def is_local(stack: str) -> bool:
    """Whether a stack lives on this machine's local cloud."""
    return is_local_stack(stack)


def open_clients(stack: str, console: Console) -> Clients:
    """Return clients for a stack's cloud; the local one is started if it does not run."""
    if not is_local(stack):
        return Clients(session=_configured_session(stack))
    from scar_pulumi.cloud import LocalCloud  # noqa: PLC0415 - the user's own cloud needs nothing of it

    cloud = LocalCloud()
    cloud.start(console.note)
    return Clients(cloud.environment())


def _configured_session(stack: str) -> "AwsSession":
    """Return the account as the stack's configuration has it: in this project, or where it was deployed from."""
    from scar_foundation.aws_session import configured_session  # noqa: PLC0415 - brings pulumi
    from scar_pulumi.engine.project import find_target  # noqa: PLC0415 - reads YAML

    settings: Mapping[str, Any] = {}
    for file in [None, *files_of(stack)]:
        try:
            settings = find_target(file, stack, {}, Path.cwd()).config()
        except InputError:  # in no project, or the file is gone
            continue
        break

    def get(key: str) -> str | None:
        value = settings.get(key)
        return value if value is None or isinstance(value, str) else json.dumps(value)

    return configured_session(get)


def find_function(name: str, arguments: argparse.Namespace, console: Console) -> tuple[DeployedFunction, Clients]:
    """Find a function and the way to it.

    Raises:
        InputError: No stack has it, or several have.
        ScarError: Nothing is deployed.
    """
    found, clients = find_called(name, arguments, console)
    if isinstance(found, CalledService):
        raise InputError(f"{name}: is a service on the OSCAR cluster {found.service.cluster}, not a function")
    return found, clients


def find_called(
    name: str, arguments: argparse.Namespace, console: Console
) -> tuple[DeployedFunction | CalledService, Clients]:
    """Find a function, or a service on an OSCAR cluster by `NAME` or `CLUSTER/NAME`, and the way to it.

    Raises:
        InputError: No stack has it, or several have.
        ScarError: Nothing is deployed.
    """
    stack, found = _find(name, arguments)
    clients = open_clients(arguments.stack, console)
    return (CalledService(stack, found) if isinstance(found, DeployedService) else found), clients


def _find(name: str, arguments: argparse.Namespace) -> tuple[DeployedStack, DeployedFunction | DeployedService]:
    stacks = deployed_stacks(arguments)
    if not stacks:
        command = f"scar-pulumi up FILE{stack_hint(arguments.stack)}"
        raise ScarError(f"stack {arguments.stack}: nothing is deployed; `{command}` does that")
    holders = [(stack, found) for stack in stacks for found in _called(stack.deployed, name)]
    chosen = [(stack, found) for stack, found in holders if stack.near] or holders
    if not chosen:
        known = {found.name: None for stack in stacks for found in _called(stack.deployed)}
        raise InputError(unknown_function(name, known))
    if len({stack.project for stack, _ in chosen}) > 1:
        projects = ", ".join(stack.project for stack, _ in chosen)
        raise InputError(f"{name}: several projects have such a function ({projects}); say which with --project NAME")
    if len(chosen) > 1:
        names = ", ".join(f"{found.cluster}/{name}" for _, found in chosen if isinstance(found, DeployedService))
        raise InputError(f"{name}: several have this name; write {names}")
    return chosen[0]


def _called(deployed: StackOutputs, name: str = "") -> list[DeployedFunction | DeployedService]:
    """Return what has a name; a function comes before services, which can be named with their cluster."""
    functions = [function for function in deployed.functions.values() if name in ("", function.name)]
    return [*functions, *([] if name and functions else deployed.services(name))]


def deployed_stacks(arguments: argparse.Namespace) -> list[DeployedStack]:
    """Return the stacks that may be meant, those of the named project or all of this machine.

    Raises:
        ScarError: The named project has no such stack.
    """
    stack, named = arguments.stack, _named_project(arguments)
    found = list((_read_local if is_local(stack) else _read_remote)(stack, named))
    if named is not None and not found:
        command = f"scar-pulumi up FILE{stack_hint(arguments.stack)}"
        raise ScarError(f"stack {stack} of project {named}: not deployed; `{command}` does that")
    return found


def _named_project(arguments: argparse.Namespace) -> str | None:
    if arguments.fdl is None:
        return str(arguments.project) if arguments.project else None
    if not arguments.fdl.is_file():
        raise InputError(f"{arguments.fdl}: no such file")
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - reads YAML

    project = find_project(arguments.fdl, Path.cwd())
    return project.name if project else None


def _near_project() -> str | None:
    """Return the project of the current directory; None when that is in none, or in one that cannot be read."""
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - reads YAML

    try:
        project = find_project(None, Path.cwd())
    except InputError:
        return None
    return project.name if project else None


def _read_local(stack: str, named: str | None) -> Iterator[DeployedStack]:
    """Read the state of local stacks as it is on disk, which takes no engine and no time."""
    from scar_foundation.directories import backend_directory  # noqa: PLC0415
    from scar_pulumi.engine.backend import FileBackend, stack_outputs  # noqa: PLC0415

    root, near = backend_directory(), _near_project()
    projects = [named] if named else sorted(file.parent.name for file in root.glob(f".pulumi/stacks/*/{stack}.json"))
    for project in projects:
        outputs = stack_outputs(FileBackend(root, project, stack).deployment())
        if "functions" in outputs:
            yield DeployedStack(project, stack, StackOutputs.read(outputs), project == near)


def _read_remote(stack: str, named: str | None) -> Iterator[DeployedStack]:
    """Ask the engine, of the current project and of the files that were deployed from here."""
    from scar_pulumi.engine import Stack  # noqa: PLC0415 - takes a second

    near = _near_project()
    files = [None] if near else []
    candidates: dict[str, DeployedStack] = {}
    for file in [*files, *files_of(stack)]:
        try:
            found = Stack(file, stack)
            if found.project in candidates or named not in (None, found.project):
                continue
            outputs = found.outputs()
        except InputError:  # the file is gone, or the stack is
            continue
        if "functions" in outputs:
            deployed = StackOutputs.read(outputs)
            candidates[found.project] = DeployedStack(found.project, stack, deployed, found.project == near)
    yield from candidates.values()
