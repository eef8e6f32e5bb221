"""What a Python program depends on: asked of its interpreter, installed into its virtual environment."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from scar_pulumi.engine._interpreter import Interpreter, virtual_environment

_LIST = """
import importlib.metadata, json
print(json.dumps(sorted({(d.metadata["Name"], d.version) for d in importlib.metadata.distributions()})))
"""

_SEARCH_PATH = "import json, sys; print(json.dumps(sys.path))"


def installed_packages(interpreter: Interpreter) -> list[tuple[str, str]]:
    """Name and version of every distribution that the interpreter sees."""
    return [(name, version) for name, version in _ask(interpreter, _LIST)]


def required_plugins(interpreter: Interpreter) -> list[dict[str, str]]:
    """The `pulumi-plugin.json` of every importable package that needs a resource plugin."""
    path = sys.path if interpreter.executable == sys.executable else _ask(interpreter, _SEARCH_PATH)
    found = [json.loads(file.read_text()) for entry in path for file in Path(entry).glob("*/pulumi-plugin.json")]
    return [plugin for plugin in found if plugin.get("resource")]


def install_commands(root: Path, options: Mapping[str, object]) -> Iterator[list[str]]:
    """Commands that install what the program in `root` needs; none when it runs in this host's own interpreter."""
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
