"""Serves dynamic resources, as `pulumi-resource-pulumi-python` does.

That script takes a relative `virtualenv` to be below the program's directory, while programs take it to be below that
of Pulumi.yaml; with `main: FOLDER` one of the two finds nothing. Here both choose by the same rule. This one also ends
when the engine does, however it ends.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from scar_foundation.errors import EngineError
from scar_pulumi.engine.python_runtime import choose_interpreter, project_root

_OPTION = "PULUMI_RUNTIME_"
"""What the names of the variables begin with in which the engine passes `runtime.options`."""


def command_line(arguments: list[str], environment: Mapping[str, str]) -> tuple[list[str], dict[str, str]]:
    """Return the command that serves, and its environment, for a program that runs in the current directory."""
    options = {
        name.removeprefix(_OPTION).lower(): value for name, value in environment.items() if name.startswith(_OPTION)
    }
    interpreter = choose_interpreter(project_root(Path.cwd()) or Path.cwd(), options)
    command = interpreter.tethered(os.getppid(), "-m", "pulumi.dynamic", *arguments)
    return command, interpreter.environment(environment)


def main(arguments: list[str]) -> None:
    """Become the process that serves."""
    try:
        command, environment = command_line(arguments, os.environ)
    except EngineError as error:
        sys.exit(f"error: {error}")
    os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(sys.argv[1:])
