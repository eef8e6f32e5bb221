"""Deployed stacks, found by name: read from disk for the local cloud, through the engine for any other."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from scar_foundation.aws_session import AwsSession, configured_session
from scar_foundation.directories import DEFAULT_STACK, backend_directory
from scar_foundation.errors import InputError, LocalCloudError, ScarError
from scar_foundation.loopback import is_loopback_url
from scar_pulumi import engine
from scar_pulumi.client.outputs import DeployedFunction, DeployedService, StackOutputs
from scar_pulumi.cloud import LocalCloud, is_local_stack
from scar_pulumi.deployments.resources import completed, exports_functions
from scar_pulumi.deployments.source_files import file_of, files_of, recorded_projects

if TYPE_CHECKING:
    from scar_pulumi.engine import Stack


@dataclass(frozen=True)
class DeployedStack:
    """A stack and its outputs; `is_near` when it belongs to the project of the current directory."""

    project: str
    name: str
    outputs: StackOutputs
    is_near: bool = False

    def called(self, name: str = "") -> list[DeployedFunction | DeployedService]:
        """Return what can be called, or what has a name; a function wins over services, which have their cluster."""
        functions = [function for function in self.outputs.functions.values() if name in ("", function.name)]
        return [*functions, *([] if name and functions else self.outputs.services(name))]


def stack_hint(stack: str) -> str:
    """Return the option that suggested commands need for a stack; empty for the default stack."""
    return "" if stack == DEFAULT_STACK else f" --stack {stack}"


_BACKEND_HINT = (
    "stacks of your own programs are found in their directory, and from anywhere in the backend that Pulumi is signed "
    "in to (`pulumi login`, or PULUMI_BACKEND_URL)"
)


def deployed_stacks(stack: str, project: str | None = None) -> list[DeployedStack]:
    """Return the stacks of a name that are deployed: of one project, or of all that this machine knows."""
    return list((_local_stacks if is_local_stack(stack) else _remote_stacks)(stack, project))


def no_such_stack(stack: str, project: str | None = None) -> ScarError:
    """Return the error about a stack that is not deployed."""
    where = f"stack {stack} of project {project}: not deployed" if project else f"stack {stack}: nothing is deployed"
    elsewhere = "" if is_local_stack(stack) else f"; {_BACKEND_HINT}"
    return ScarError(f"{where}; `scar-pulumi up FILE{stack_hint(stack)}` deploys it{elsewhere}")


def open_project(project: str, stack: str, **options: Any) -> "Stack":
    """Return a stack by its project's name, whatever has become of its FDL file.

    The directory that it was deployed from is used where it is still there: it may have the stack's configuration.
    """
    file = file_of(project, stack)
    directory = file.parent if file and file.parent.is_dir() else Path.cwd()
    return engine.Stack(None, stack, project=project, directory=directory, **options)


def outputs_of(stack: "Stack") -> Mapping[str, Any]:
    """Return the outputs of a stack, completed from its resources where its program exports none of its functions.

    Raises:
        InputError: There is no such stack.
    """
    outputs = stack.outputs()
    return outputs if exports_functions(outputs) else completed(outputs, stack.deployment())


def revealed_outputs(stack: "Stack") -> Mapping[str, Any]:
    """Return the outputs of a stack, completed likewise, with their secrets."""
    outputs = stack.outputs(show_secrets=True)
    return outputs if exports_functions(outputs) else completed(outputs, stack.deployment(show_secrets=True))


def projects_deployed(stack: str) -> dict[str, Path | None]:
    """Return the projects that have a stack of this name, as far as this machine knows, and where each came from."""
    from scar_pulumi.engine.project import projects_with  # noqa: PLC0415 - reads YAML

    names = projects_with(stack) if is_local_stack(stack) else recorded_projects(stack)
    return {name: file_of(name, stack) for name in names}


def project_of_file(fdl: Path) -> str | None:
    """Return the project that an FDL file is deployed to.

    Raises:
        InputError: There is no such file.
    """
    if not fdl.is_file():
        raise InputError(f"{fdl}: no such file")
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - reads YAML

    project = find_project(fdl, Path.cwd())
    return project.name if project else None


def account_of(stack: str) -> AwsSession:
    """Return the AWS account as a stack's configuration has it: in this project, or where it was deployed from."""
    settings = _configuration(stack)

    def get(key: str) -> str | None:
        value = settings.get(key)
        return value if value is None or isinstance(value, str) else json.dumps(value)

    return configured_session(get)


def _configuration(stack: str) -> Mapping[str, Any]:
    from scar_pulumi.engine.project import find_stack  # noqa: PLC0415 - reads YAML

    for file in [None, *files_of(stack)]:
        try:
            return find_stack(file, stack, {}, Path.cwd()).config()
        except InputError:  # this directory is in no project, or the file is gone
            continue
    return {}


def _near_project() -> str | None:
    """Return the project of the current directory; None outside of projects, and for one that cannot be read."""
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - reads YAML

    try:
        project = find_project(None, Path.cwd())
    except InputError:
        return None
    return project.name if project else None


def _local_stacks(stack: str, project: str | None) -> Iterator[DeployedStack]:
    from scar_pulumi.engine.backend import FileBackend, readable, stack_outputs  # noqa: PLC0415 - help needs no engine
    from scar_pulumi.engine.project import projects_with  # noqa: PLC0415 - likewise

    root, near = backend_directory(), _near_project()
    for name in [project] if project else projects_with(stack):
        deployment = readable(FileBackend(root, name, stack).deployment())
        outputs = completed(stack_outputs(deployment), deployment)
        if exports_functions(outputs):
            yield DeployedStack(name, stack, _at_present_address(StackOutputs.read(outputs)), name == near)


def _at_present_address(outputs: StackOutputs) -> StackOutputs:
    """Return outputs with HTTP addresses at the local cloud's port: the one that they have may be another program's."""
    if not any(function.url for function in outputs.functions.values()):
        return outputs
    try:
        here = urlsplit(LocalCloud().environment()["AWS_ENDPOINT_URL"]).netloc
    except LocalCloudError:  # it was never started, so nothing can be called
        here = ""

    def moved(url: str) -> str:
        if not is_loopback_url(url):
            return url
        return urlunsplit(urlsplit(url)._replace(netloc=here)) if here else ""

    functions = {
        name: replace(one, url=moved(one.url), async_url=moved(one.async_url), page=moved(one.page))
        for name, one in outputs.functions.items()
    }
    return replace(outputs, functions=functions)


def _remote_stacks(stack: str, project: str | None) -> Iterator[DeployedStack]:
    """Ask the engine, in the current project and for the files that were deployed from this machine.

    Where these have nothing, all projects in the user's backend are asked: a program may be anywhere.
    """
    near = _near_project()
    seen: set[str] = set()

    def read(candidates: Iterable[Callable[[], "Stack"]]) -> Iterator[DeployedStack]:
        for opened in candidates:
            try:
                found = opened()
                if found.project in seen or project not in (None, found.project):
                    continue
                outputs = outputs_of(found)
            except InputError:  # the file is gone, or the stack is
                continue
            if exports_functions(outputs):
                seen.add(found.project)
                yield DeployedStack(found.project, stack, StackOutputs.read(outputs), found.project == near)

    known = [partial(engine.Stack, file, stack) for file in [*([None] if near else []), *files_of(stack)]]
    yield from read(known)
    if not seen:
        names = [name for name in engine.projects_in_backend(stack) if project in (None, name)]
        yield from read(partial(open_project, name, stack) for name in names)
