"""The Pulumi project that an FDL file belongs to, and the directory its stacks are operated in."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scar_foundation.directories import state_directory
from scar_foundation.errors import InputError
from scar_foundation.files import write_whole

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
        """The user's configuration file of a stack, which may not exist."""
        folder = str((self.settings or {}).get("stackConfigDir") or ".")
        return self.directory / folder / f"Pulumi.{stack.rpartition('/')[2]}.yaml"

    def defaults(self) -> dict[str, Any]:
        """Default values of the configuration that Pulumi.yaml declares."""
        declared = ((self.settings or {}).get("config") or {}).items()
        return {key: _default(entry) for key, entry in declared if _default(entry) is not None}


def find_project(fdl_path: Path | None, directory: Path) -> Project | None:
    """The project of an FDL file, or of a directory when there is no file; None when that is in no project.

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
    return Project(_legal_name(fdl_path.stem), start) if fdl_path else None


def read_yaml(path: Path) -> dict[str, Any]:
    """Content of a YAML file whose top is a mapping; empty when the file is. Raises InputError otherwise."""
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path}: it cannot be read as YAML: {error}; correct the file") from None
    if not isinstance(content, dict | None):
        raise InputError(f"{path}: its top must be a mapping of keys; correct the file")
    return content or {}


def generate(project: Project, stack: str, config: Mapping[str, Any]) -> Path:
    """Write a project directory of our own for one stack and return it; the user's files are only read.

    `config` holds full keys (`scar:fdl`) and wins over the user's file of that stack.
    """
    directory = state_directory() / "projects" / project.name
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(directory / "Pulumi.yaml", {**_settings(project), "name": project.name, "runtime": "python"})
    path = directory / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
    _write(path, merge(project, stack, config, path))
    return directory


def merge(project: Project, stack: str, config: Mapping[str, Any], generated: Path) -> dict[str, Any]:
    """Content of a generated stack file: the user's, `config` over it, and the salt of what was encrypted with it."""
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
    """Value of one declared key: itself, its `value` (keys of other namespaces) or its `default` (typed keys)."""
    return entry.get("value", entry.get("default")) if isinstance(entry, dict) else entry


def _has_secrets(value: object) -> bool:
    if isinstance(value, dict):
        return "secure" in value or any(_has_secrets(item) for item in value.values())
    return isinstance(value, list) and any(_has_secrets(item) for item in value)


def _legal_name(stem: str) -> str:
    # https://www.pulumi.com/docs/iac/concepts/projects/project-file/: letters, digits, - _ . and at most 100
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", stem).strip("-.")[:100] or "functions"


def _write(path: Path, content: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True)
    if path.is_file() and path.read_text() == text:
        return
    write_whole(path, text)
