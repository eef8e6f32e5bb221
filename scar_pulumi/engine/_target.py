"""What is operated on: a project, one of its stacks, the FDL file, and where that stack's documents are."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scar_foundation.directories import state_directory
from scar_foundation.errors import InputError
from scar_pulumi.deploy.configuration import check_configuration
from scar_pulumi.engine._backend import FileBackend
from scar_pulumi.engine._project import Project, find_project, generate, read_yaml
from scar_pulumi.engine.environment import backend_directory, is_local


@dataclass(frozen=True)
class Target:
    """One stack of a project, with the configuration given for this operation."""

    project: Project
    stack: str
    fdl_path: Path | None
    given: Mapping[str, Any]
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def backend(self) -> FileBackend | None:
        """The state of a local stack; None where the user chose the backend."""
        if not is_local(self.stack):
            return None
        return FileBackend(backend_directory(), self.project.name, self.stack.rpartition("/")[2])

    def config(self) -> dict[str, Any]:
        """Configuration by full key: the project's defaults, the stack's file, what was given."""
        path = self.project.stack_file(self.stack)
        theirs = (read_yaml(path).get("config") or {}) if path.is_file() else {}
        config = {**self.project.defaults(), **theirs, **self.given}
        check_configuration(self.stack, config)
        return config

    def work_directory(self) -> Path:
        """Directory to run the CLI in: the user's project, or one of our own that leaves the user's files alone."""
        if self.backend is None and self.project.settings is not None:
            return self.project.directory
        return self._generated()

    def options(self) -> dict[str, Any]:
        """Further options of an operation: the configuration file, where the user's is not the one to use."""
        if self.backend is None and self.project.settings is not None and self.given:
            return {"config_file": str(self._generated() / f"Pulumi.{self.stack.rpartition('/')[2]}.yaml")}
        return {}

    def program(self) -> Callable[[], None]:
        """Read the FDL file and return what declares its resources. Raises InputError for mistakes in the file."""
        from scar_pulumi.fdl import load  # noqa: PLC0415 - operations with a program of their own need no FDL

        config = self.config()
        path = self.fdl_path or self._configured_fdl(config)
        configured = config.get("scar:overrides") or {}
        configured = json.loads(configured) if isinstance(configured, str) else configured
        fdl = load(path, {**configured, **self.overrides})

        def declare() -> None:
            from scar_pulumi.deploy import deploy  # noqa: PLC0415 - brings pulumi-aws, which takes a second

            deploy(fdl)

        return declare

    def _configured_fdl(self, config: Mapping[str, Any]) -> Path:
        if not config.get("scar:fdl"):
            raise InputError(f"stack {self.stack} of {self.project.name}: no FDL file; name one, or configure scar:fdl")
        return self.project.directory / str(config["scar:fdl"])

    def _generated(self) -> Path:
        reference = {"scar:fdl": str(self.fdl_path)} if self.fdl_path else {}
        return generate(self.project, self.stack, {**reference, **self.given})


def find_target(
    fdl_path: str | Path | None,
    stack: str,
    given: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any] | None = None,
) -> Target:
    """The stack of an FDL file, of the project of `directory`, or the only local one of that name.

    Raises InputError when there is no such file, or when what is meant is not clear.
    """
    path = Path(fdl_path).absolute() if fdl_path else None
    if path and not path.is_file():
        raise InputError(f"{fdl_path}: there is no such file; check its name")
    project = find_project(path, directory) or _only_project_with(stack, directory)
    return Target(project, stack, path, dict(given), dict(overrides or {}))


def _only_project_with(stack: str, directory: Path) -> Project:
    names = _projects_with(stack) if is_local(stack) else []
    if len(names) == 1:
        return Project(names[0], state_directory() / "projects" / names[0])
    if names:
        raise InputError(f"stack {stack}: several projects have one ({', '.join(names)}); name the FDL file")
    raise InputError(f"stack {stack}: {directory} is in no project, and none was deployed; name the FDL file")


def _projects_with(stack: str) -> list[str]:
    folder = backend_directory() / ".pulumi" / "stacks"
    return sorted(path.parent.name for path in folder.glob(f"*/{stack.rpartition('/')[2]}.json"))
