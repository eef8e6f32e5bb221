"""What `pulumi` runs with on a stack: its environment variables, and the directories on PATH with the CLI and plugins.

The cache is shared by virtual environments, so each interpreter has its own directory. The CLI is linked into it,
because it warns about plugins that it finds on PATH but not beside itself.
"""

import hashlib
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from scar_foundation.directories import backend_directory, engine_directory, passphrase_file
from scar_foundation.errors import InputError
from scar_foundation.files import written
from scar_pulumi.cloud import is_local_stack
from scar_pulumi.engine.find import Engine, find_engine
from scar_pulumi.engine.go_build import BUILT_VERSION, PROGRAM_RUNNER, SDK_FILES
from scar_pulumi.engine.plugins import stood_in

_LANGUAGE_HOST = "pulumi-language-python"
_DYNAMIC_PROVIDER = "pulumi-resource-pulumi-python"

_HOST_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_pulumi.engine.language_host "$@"
"""

_DYNAMIC_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_pulumi.engine.dynamic_provider "$@"
"""

_PLUGIN_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_components.plugin "$@"
"""

_STAND_IN_SCRIPT = """#!/bin/sh
exec {python} -P -m scar_pulumi.stand_ins.{package} "$@"
"""


def cli_directory(engine: Engine) -> Path:
    """Return the directory for PATH with the CLI and its Python plugins; that of an official installation as it is."""
    beside = engine.command.resolve().parent
    if (beside / _LANGUAGE_HOST).exists():
        return engine.command.parent
    directory = engine_directory() / engine.version / f"python-{_interpreter_key()}"
    directory.mkdir(parents=True, exist_ok=True)
    _link(engine.command.resolve(), directory / "pulumi")
    files = engine_directory() / BUILT_VERSION
    words = {"python": shlex.quote(sys.executable)}
    _write_script(directory / _DYNAMIC_PROVIDER, _DYNAMIC_SCRIPT.format(**words))
    if all((files / name).exists() for name in SDK_FILES):
        _write_script(directory / PROGRAM_RUNNER, (files / PROGRAM_RUNNER).read_text())
        _write_script(directory / _LANGUAGE_HOST, _HOST_SCRIPT.format(**words))
    return directory.resolve()


def plugin_directory() -> Path:
    """Return the directory for PATH with the plugin of our own resources, which runs in this interpreter."""
    directory = engine_directory() / "plugin" / f"python-{_interpreter_key()}"
    directory.mkdir(parents=True, exist_ok=True)
    _write_script(directory / "pulumi-resource-scar", _PLUGIN_SCRIPT.format(python=shlex.quote(sys.executable)))
    return directory


def stand_in_directory(package: str) -> Path:
    """Return the directory for PATH with the stand-in for a package's plugin; only for local stacks."""
    directory = engine_directory() / f"local-{package}" / f"python-{_interpreter_key()}"
    directory.mkdir(parents=True, exist_ok=True)
    script = _STAND_IN_SCRIPT.format(python=shlex.quote(sys.executable), package=package)
    _write_script(directory / f"pulumi-resource-{package}", script)
    return directory


def _interpreter_key() -> str:
    return hashlib.sha256(sys.executable.encode()).hexdigest()[:12]


def _link(source: Path, target: Path) -> None:
    if target.exists() and (target.samefile(source) or _is_copy(source, target)):
        return
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        temporary = Path(scratch) / target.name
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copy2(source, temporary)
        temporary.replace(target)


def _is_copy(source: Path, target: Path) -> bool:
    one, other = source.stat(), target.stat()
    return (one.st_size, one.st_mtime_ns) == (other.st_size, other.st_mtime_ns)


def _write_script(path: Path, text: str) -> None:
    if path.exists() and path.read_text() == text and os.access(path, os.X_OK):
        return
    with written(path) as file:
        file.write(text.encode())
        os.fchmod(file.fileno(), 0o755)


# They lead elsewhere, or win over what is set for a local stack.
_UNSET_FOR_LOCAL = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "PULUMI_ACCESS_TOKEN",
)
LOCAL_PASSPHRASE = "local"  # noqa: S105 - everybody may know it
"""The same on every machine, so that a local stack's file works on each, and after `scar-pulumi local reset`."""


class Cloud(Protocol):
    """What a local stack needs of the local cloud."""

    def start(self, progress: Callable[[str], None]) -> object:
        """Start it if it does not run."""

    def environment(self) -> dict[str, str]:
        """Variables under which AWS clients reach it."""


def local_cloud() -> Cloud:
    """Return the local cloud, started or not."""
    from scar_pulumi.cloud import LocalCloud  # noqa: PLC0415 - the extra `local` may not be installed

    cloud: Cloud = LocalCloud()
    return cloud


def unset_for_local() -> list[str]:
    """Return the names of variables set here that a local stack must do without."""
    return sorted(name for name in os.environ if _leads_elsewhere(name))


def stack_environment(stack: str, cloud: Cloud | None = None, engine: Engine | None = None) -> dict[str, str]:
    """Return the variables to set for working on `stack`.

    For a local stack its backend, its passphrase, the stand-in plugins and the endpoint of `cloud`. For every other
    stack only PATH, so that the engine and our own plugin are found: backend, passphrase and account are the user's.
    `engine` defaults to the one that `find_engine` gives. Raises InputError in a shell that is set up for local stacks,
    for any other one, and where local stacks were made with a plugin that is no longer installed.
    """
    if not is_local_stack(stack) and os.environ.get("PULUMI_BACKEND_URL", "").startswith(backend_directory().as_uri()):
        raise InputError(
            f"stack {stack}: this shell is set up for the local cloud by `scar-pulumi local env`; use another shell"
        )
    directories = [cli_directory(engine or find_engine()), plugin_directory()]
    if not is_local_stack(stack):
        return {"PATH": _path(directories)}
    directories += [stand_in_directory(package) for package in stood_in()]
    endpoint = cloud.environment() if cloud else {}
    return {**endpoint, **_local(), "PATH": _path(directories)}


def base_environment(*, local: bool) -> dict[str, str]:
    """Return this process's variables, without those that would lead a local stack's engine elsewhere."""
    return {name: value for name, value in os.environ.items() if not (local and _leads_elsewhere(name))}


def _local() -> dict[str, str]:
    if passphrase_file().exists():
        raise InputError(
            f"{passphrase_file()}: local stacks of an earlier version have a passphrase of their own; "
            "`scar-pulumi local reset` deletes them with all that the local cloud holds"
        )
    return {
        # No files of attributes beside every document: a tenth less work, and nothing that a kill can leave behind.
        "PULUMI_BACKEND_URL": f"{backend_directory().as_uri()}?metadata=skip",
        "PULUMI_DIY_BACKEND_GZIP": "false",
        "PULUMI_DIY_BACKEND_ZSTD": "false",
        "PULUMI_CONFIG_PASSPHRASE": LOCAL_PASSPHRASE,
        "PULUMI_PYTHON_CMD": sys.executable,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


def _leads_elsewhere(name: str) -> bool:
    return name in _UNSET_FOR_LOCAL or name.startswith("AWS_ENDPOINT_URL_")


def _path(directories: list[Path], base: Mapping[str, str] = os.environ) -> str:
    ours = [str(directory) for directory in directories]
    rest = [entry for entry in base.get("PATH", os.defpath).split(os.pathsep) if entry not in ours]
    return os.pathsep.join([*ours, *rest])
