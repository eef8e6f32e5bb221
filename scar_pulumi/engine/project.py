"""The Pulumi project that an FDL file belongs to, and the directory in which its stacks are operated."""

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from scar_foundation.directories import backend_directory, project_directory
from scar_foundation.errors import InputError
from scar_foundation.files import write_whole
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.deploy.checks import check_configuration
from scar_pulumi.engine.backend import FileBackend

_PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")

# What a generated project takes over from the user's: the rest is about how and where its program runs.
_KEPT_SETTINGS = ("name", "description", "config", "options", "plugins")


@dataclass(frozen=True)
class Project:
    """A project: the nearest Pulumi.yaml at or above an FDL file or a directory, or else one named after the file."""

    name: str
    directory: Path
    """Where Pulumi.yaml is, or the FDL file when there is none."""
    settings: Mapping[str, Any] | None = None
    """Content of Pulumi.yaml; None when there is none."""

    def stack_file(self, stack: str) -> Path:
        """Return the user's configuration file of a stack, which may not exist."""
        folder = str((self.settings or {}).get("stackConfigDir") or ".")
        return self.directory / folder / f"Pulumi.{stack.rpartition('/')[2]}.yaml"

    def defaults(self) -> dict[str, Any]:
        """Return the default values of the configuration that Pulumi.yaml declares."""
        declared = ((self.settings or {}).get("config") or {}).items()
        return {key: _default(entry) for key, entry in declared if _default(entry) is not None}


def find_project(fdl_path: Path | None, directory: Path) -> Project | None:
    """Return the project of an FDL file, or of a directory when there is no file; None when that is in no project.

    Raises InputError when Pulumi.yaml cannot be read.
    """
    start = fdl_path.absolute().parent if fdl_path else directory.absolute()
    for folder in (start, *start.parents):
        for name in _PROJECT_FILES:
            if (folder / name).is_file():
                settings = read_yaml(folder / name)
                if not settings.get("name"):
                    raise InputError(f"{folder / name}: it has no `name`; add the project's name")
                return Project(str(settings["name"]), folder, settings)
    return Project(_valid_project_name(fdl_path.stem), start) if fdl_path else None


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the content of a YAML file whose top level is a mapping. Raises InputError for any other file."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: it cannot be read as YAML: {error}; correct the file") from None
    if not isinstance(content, dict | None):
        raise InputError(f"{path}: its top level must be a mapping; correct the file")
    return content or {}


def generate_project(project: Project, stack: str, config: Mapping[str, Any]) -> Path:
    """Write a project directory of our own for one stack and return it; the user's files are only read.

    `config` holds full keys (`scar:fdl`) and wins over the user's file of that stack.
    """
    directory = project_directory(project.name)
    _write(directory / "Pulumi.yaml", {**_settings(project), "name": project.name, "runtime": "python"})
    path = directory / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    _write(path, merge_stack_file(project, stack, config, path))
    return directory


def merge_stack_file(project: Project, stack: str, config: Mapping[str, Any], generated: Path) -> dict[str, Any]:
    """Return the content of a generated stack file: the user's, `config` over it, the salt of encrypted values."""
    source = project.stack_file(stack)
    theirs = read_yaml(source) if source.is_file() else {}
    settings = {**(theirs.get("config") or {}), **config}
    before = read_yaml(generated) if generated.is_file() else {}
    kept = {key: value for key, value in theirs.items() if key not in {"config", "encryptionsalt"}}
    # Without encrypted values the user's salt says nothing but with which passphrase it was once made.
    salt = theirs.get("encryptionsalt") if _has_secrets(settings) else before.get("encryptionsalt")
    return {**kept, **({"encryptionsalt": salt} if salt else {}), "config": settings}


def _settings(project: Project) -> dict[str, Any]:
    settings = {key: value for key, value in (project.settings or {}).items() if key in _KEPT_SETTINGS}
    for plugins in (settings.get("plugins") or {}).values():
        for plugin in plugins or ():
            if "path" in plugin:
                plugin["path"] = os.path.normpath(project.directory / plugin["path"])
    return settings


def _default(entry: object) -> object:
    """Return a declared key's value: itself, its `value` (keys of other namespaces), its `default` (typed keys)."""
    return entry.get("value", entry.get("default")) if isinstance(entry, dict) else entry


def _has_secrets(value: object) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(_has_secrets(item) for item in value.values())
    return isinstance(value, list) and any(_has_secrets(item) for item in value)


def _valid_project_name(stem: str) -> str:
    # https://www.pulumi.com/docs/iac/concepts/projects/project-file/: letters, digits, - _ . and at most 100
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")[:100] or "functions"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    if path.is_file() and path.read_text() == text:
        return
    write_whole(path, text)


@dataclass(frozen=True)
class StackDefinition:
    """One stack of a project, with the configuration given for this operation."""

    project: Project
    stack: str
    fdl_path: Path | None
    given: Mapping[str, Any]
    overrides: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def backend(self) -> FileBackend | None:
        """The state of a local stack; None where the user chose the backend."""
        if not is_local_stack(self.stack):
            return None
        return FileBackend(backend_directory(), self.project.name, self.stack.rpartition("/")[2])

    def config(self) -> dict[str, Any]:
        """Return the configuration by full key: the project's defaults, the stack's file, what was given."""
        path = self.project.stack_file(self.stack)
        theirs = (read_yaml(path).get("config") or {}) if path.is_file() else {}
        config = {**self.project.defaults(), **theirs, **self.given}
        check_configuration(self.stack, config)
        return config

    def work_directory(self) -> Path:
        """Return the directory to run the CLI in: the user's project, or a generated one."""
        if self.backend is None and self.project.settings is not None:
            return self.project.directory
        return self._generated()

    def options(self) -> dict[str, Any]:
        """Return further options of an operation: the configuration file, where the user's is not the one to use."""
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
        return generate_project(self.project, self.stack, {**reference, **self.given})


def find_stack(
    fdl_path: str | Path | None,
    stack: str,
    given: Mapping[str, Any],
    directory: Path,
    overrides: Mapping[str, Any] | None = None,
    *,
    project: str | None = None,
) -> StackDefinition:
    """Return the stack of an FDL file, of a project, of that of `directory`, or the only local one of that name.

    Raises InputError when there is no such file, or when what is meant is not clear.
    """
    path = Path(fdl_path).absolute() if fdl_path else None
    if path and not path.is_file():
        raise InputError(f"{fdl_path}: there is no such file; check its name")
    found = _named_project(project, directory) if project else find_project(path, directory)
    return StackDefinition(
        found or _only_project_with(stack, directory), stack, path, dict(given), dict(overrides or {})
    )


def _named_project(name: str, directory: Path) -> Project:
    """Return the project of a name: that of `directory`, or what earlier operations have left of it."""
    near = find_project(None, directory)
    return near if near and near.name == name else Project(name, project_directory(name))


def _only_project_with(stack: str, directory: Path) -> Project:
    names = projects_with(stack) if is_local_stack(stack) else []
    if len(names) == 1:
        return Project(names[0], project_directory(names[0]))
    if names:
        raise InputError(
            f"stack {stack}: several projects have one of that name ({', '.join(names)}); "
            "name the FDL file, or the project with --project"
        )
    raise InputError(
        f"stack {stack}: {directory} is not in a project, and no stack of that name was deployed; name the FDL file"
    )


def projects_with(stack: str) -> list[str]:
    """Return the projects that have a local stack of this name."""
    folder = backend_directory() / ".pulumi" / "stacks"
    return sorted(path.parent.name for path in folder.glob(f"*/{stack.rpartition('/')[2]}.json"))
