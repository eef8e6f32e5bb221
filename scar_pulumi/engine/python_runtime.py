"""Which Python a project's programs, components and dynamic resources run in: `runtime` in its Pulumi.yaml.

https://www.pulumi.com/docs/iac/languages-sdks/python/#virtual-environments
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.errors import EngineError
from scar_pulumi.engine import tether

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml")


def project_root(directory: Path) -> Path | None:
    """Return the nearest directory at or above `directory` that has a Pulumi.yaml; None when there is none."""
    folders = (directory, *directory.parents)
    return next((folder for folder in folders if any((folder / name).is_file() for name in PROJECT_FILES)), None)


@dataclass(frozen=True)
class Interpreter:
    """A Python executable, and the virtual environment it belongs to if the project named one."""

    executable: str
    virtual_environment: Path | None = None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Return the environment for programs that this interpreter runs, and for what they start."""
        changed = dict(base)
        if self.virtual_environment:
            changed["VIRTUAL_ENV"] = str(self.virtual_environment)
            changed["PATH"] = os.pathsep.join([str(self.virtual_environment / "bin"), base.get("PATH", "")])
            changed.pop("PYTHONHOME", None)
        return changed

    def tethered(self, parent: int, *program: str) -> list[str]:
        """Return the command of a Python program, or of `-m MODULE`, that ends when the process `parent` does."""
        return [self.executable, "-u", tether.__file__, str(parent), *program]


def choose_interpreter(root: Path, options: Mapping[str, object]) -> Interpreter:
    """Honour `runtime.options` of the project in `root`: `virtualenv` and `toolchain` (pip, uv or poetry).

    Raises EngineError when the named virtual environment does not exist.
    """
    directory = virtual_environment(root, options)
    if directory is None:
        return Interpreter(os.environ.get("PULUMI_PYTHON_CMD") or sys.executable)
    python = directory / "bin" / "python"
    if not python.exists():
        raise EngineError(
            f"Pulumi.yaml: the virtual environment {directory} of the runtime options does not exist; "
            f"run `pulumi install` in {root}, or remove the option to use {sys.executable}"
        )
    return Interpreter(str(python), directory)


def virtual_environment(root: Path, options: Mapping[str, object]) -> Path | None:
    """Return the virtual environment that the options ask for, whether or not it exists; None when they name none."""
    if name := options.get("virtualenv"):
        return (root / str(name)).absolute()
    if options.get("toolchain") == "uv":
        return _uv_environment(root)
    if options.get("toolchain") == "poetry" and (poetry := shutil.which("poetry")):
        answer = subprocess.run(
            [poetry, "env", "info", "--path"], cwd=root, capture_output=True, text=True, check=False
        )
        return Path(answer.stdout.strip()) if answer.stdout.strip() else None
    return None


def _uv_environment(root: Path) -> Path:
    for directory in (root, *root.parents):
        if (directory / "uv.lock").exists():
            return directory / ".venv"
    return root / ".venv"


_LIST = """
import importlib.metadata, json
print(json.dumps(sorted({(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()})))
"""

_SEARCH_PATH = "import json, sys; print(json.dumps(sys.path))"


def installed_packages(interpreter: Interpreter) -> list[tuple[str, str]]:
    """Return the name and version of every distribution that the interpreter sees."""
    return [(name, version) for name, version in _ask(interpreter, _LIST)]


def required_plugins(interpreter: Interpreter) -> list[dict[str, str]]:
    """Return the `pulumi-plugin.json` of every importable package that needs a resource plugin."""
    path = sys.path if interpreter.executable == sys.executable else _ask(interpreter, _SEARCH_PATH)
    found = [json.loads(file.read_text()) for entry in path for file in Path(entry).glob("*/pulumi-plugin.json")]
    return [plugin for plugin in found if plugin.get("resource")]


def install_commands(root: Path, options: Mapping[str, object]) -> Iterator[list[str]]:
    """Yield commands that install what the program in `root` needs; none where it runs in this interpreter."""
    target = virtual_environment(root, options)
    if options.get("toolchain") == "uv":
        yield ["uv", "sync"]
    elif options.get("toolchain") == "poetry":
        yield ["poetry", "install", "--no-ansi"]
    elif target is not None:
        python = str(target / "bin" / "python")
        if not Path(python).exists():
            yield [sys.executable, "-m", "venv", str(target)]
        if (root / "requirements.txt").exists():
            yield [python, "-m", "pip", "install", "-r", "requirements.txt"]


def _ask(interpreter: Interpreter, script: str) -> list:  # type: ignore[type-arg]
    answer = subprocess.run([interpreter.executable, "-c", script], capture_output=True, text=True, check=True)
    return list(json.loads(answer.stdout))
