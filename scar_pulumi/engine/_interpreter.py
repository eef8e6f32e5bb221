"""Which Python runs a program: the one its Pulumi.yaml chooses, else the one that runs this host."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.errors import EngineError


@dataclass(frozen=True)
class Interpreter:
    """A Python executable, and the virtual environment it belongs to if the project named one."""

    executable: str
    virtual_environment: Path | None = None

    def environment(self, base: Mapping[str, str]) -> dict[str, str]:
        """Environment variables for programs that this interpreter runs, and for what those start in turn."""
        changed = dict(base)
        if self.virtual_environment:
            changed["VIRTUAL_ENV"] = str(self.virtual_environment)
            changed["PATH"] = os.pathsep.join([str(self.virtual_environment / "bin"), base.get("PATH", "")])
            changed.pop("PYTHONHOME", None)
        return changed


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
    """Directory of the virtual environment that the options ask for, whether or not it exists; None for none."""
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
