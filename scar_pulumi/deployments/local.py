"""Local stacks: the environment in which plain `pulumi` works on them, and the local cloud emptied."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from scar_foundation.directories import backend_directory, passphrase_file
from scar_foundation.errors import InputError
from scar_pulumi import cloud, engine
from scar_pulumi.deployments.source_files import forget_local


@dataclass(frozen=True)
class LocalEnvironment:
    """Variables to set and to unset, under which plain `pulumi` works on a local stack."""

    environment: dict[str, str]
    unset: list[str]


def local_environment(stack: str, progress: Callable[[str], None], stream: TextIO | None = None) -> LocalEnvironment:
    """Prepare the engine and the local cloud, and return the environment for a local stack.

    In a project the stack is created, since `pulumi up` does not create a missing one. `stream` shows the engine.

    Raises:
        InputError: The stack is not local.
    """
    if not cloud.is_local_stack(stack):
        raise InputError(f"--stack: {stack} is not local; such a stack needs only `pulumi` on PATH")
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - reads YAML

    pulumi = engine.find_engine(progress)
    local = cloud.LocalCloud()
    local.start(progress)
    environment = engine.stack_environment(stack, local, pulumi)
    if find_project(None, Path.cwd()):
        engine.Stack(None, stack, cloud=local, progress=progress, stream=stream).create()
    return LocalEnvironment(environment, engine.unset_for_local())


def reset_local_cloud() -> None:
    """Delete all that the local cloud holds, and the state of local stacks, whose resources no longer exist."""
    cloud.LocalCloud().reset()
    shutil.rmtree(backend_directory(), ignore_errors=True)
    passphrase_file().unlink(missing_ok=True)
    forget_local()
