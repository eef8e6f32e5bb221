"""The user's program: which one runs for an event, and with which environment."""

import os
from collections.abc import Container, Mapping
from typing import NamedTuple

from supervisor.configuration import ANSWER_FILE, DONE, EVENT_FILE, EVENT_PLACE, SCRIPT, VARIABLE, Image
from supervisor.disk import TMP
from supervisor.errors import ScriptFailed
from supervisor.events import RunRequest

_SHELLS = (("/bin/sh",), ("/usr/bin/sh",), ("/bin/bash",), ("/bin/ash",), ("/bin/busybox", "sh"))
# One string of an environment cannot be longer: MAX_ARG_STRLEN in execve(2).
LONGEST_VARIABLE = 128 * 1024
# The supervisor's own, which the user's process has no use for.
_OWN_VARIABLES = (
    VARIABLE,
    "SCAR_STORAGE_VERSIONS",
    "AWS_LAMBDA_RUNTIME_API",
    "TIMEOUT_THRESHOLD",
    "_HANDLER",
    EVENT_PLACE,
    DONE,
    EVENT_FILE,
    ANSWER_FILE,
)
# Those that SCAR gave to its jobs, with secrets of storages in them.
_SCAR_VARIABLES = ("FDL", "FUNCTION_CONFIG", SCRIPT)
_FALLBACK = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": TMP}


class Command(NamedTuple):
    """A program with its arguments, the directory it runs in, and warnings about the choice."""

    arguments: tuple[str, ...]
    directory: str
    warnings: tuple[str, ...] = ()


def choose(request: RunRequest, image: Image, folder: str, search_path: str) -> Command:
    """Return what runs for this request: the event's script, its arguments, the baked script or the image's command.

    A script that came with the event is written to the folder.
    """
    if request.script is not None:
        return _script(_saved(request.script, folder), image, search_path)
    if request.arguments:
        # As in `docker run IMAGE ARGUMENTS…`: they replace CMD, and ENTRYPOINT stays.
        return Command(image.entrypoint + request.arguments, _directory(image))
    if image.script:
        return _script(image.script, image, search_path)
    if arguments := image.entrypoint + image.command:
        return Command(arguments, _directory(image))
    raise ScriptFailed(
        "there is nothing to run: the function has no init_script, and its image has neither ENTRYPOINT nor CMD; "
        "give it an init_script"
    )


def _script(path: str, image: Image, search_path: str) -> Command:
    with open(path, "rb") as file:
        start = file.read(4096)
    directory = _directory(image)
    if start.startswith(b"\x7fELF"):
        return Command((path,), directory)
    warnings = ("the script has Windows line endings; save it with Unix line endings",) if b"\r\n" in start else ()
    interpreter = _shebang(start)
    missing = _missing(interpreter, search_path) if interpreter else None
    if interpreter and missing is None:
        return Command((*interpreter, path), directory, warnings)
    if missing is not None:
        warnings = (f"{missing} is not in the image, so the image's shell runs the script", *warnings)
    return Command((*_shell(), path), directory, warnings)


def _shebang(start: bytes) -> tuple[str, ...]:
    """Return the interpreter and its one optional argument, as the kernel reads them: execve(2)."""
    line, _, _ = start.partition(b"\n")
    if not line.startswith(b"#!"):
        return ()
    return tuple(os.fsdecode(line[2:].strip()).split(None, 1))


def _missing(shebang: tuple[str, ...], search_path: str) -> str | None:
    """Return the program of the shebang line that the image does not have."""
    interpreter, argument = shebang[0], shebang[1] if len(shebang) > 1 else ""
    if not _executable(interpreter):
        return interpreter
    if os.path.basename(interpreter) != "env":
        return None
    named = [word for word in argument.split() if not word.startswith("-") and "=" not in word]
    return next((name for name in named[:1] if not _on_path(name, search_path)), None)


def _on_path(name: str, search_path: str) -> bool:
    if "/" in name:
        return _executable(name)
    return any(_executable(f"{folder or '.'}/{name}") for folder in search_path.split(":"))


def _executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)


def _shell() -> tuple[str, ...]:
    for shell in _SHELLS:
        if _executable(shell[0]):
            return shell
    raise ScriptFailed(
        "the image has no shell to run the script with; use an image that has /bin/sh, "
        "or start the script with #! and a program of the image"
    )


def _directory(image: Image) -> str:
    folder = image.working_directory
    if folder and os.path.isdir(folder) and os.access(folder, os.X_OK):
        return folder
    return os.getcwd()


def _saved(script: bytes, folder: str) -> str:
    path = f"{folder}/script"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:
        file.write(script)
    return path


def user_environment(
    inherited: Mapping[str, str], image: Image, variables: Mapping[str, str], secrets: Container[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """Return the program's whole environment, and the names of variables that were too long to be in it.

    `secrets` are the names of variables that hold secrets of storages.
    """
    hidden = (*_OWN_VARIABLES, *_SCAR_VARIABLES)
    clean = {name: value for name, value in inherited.items() if name not in hidden and name not in secrets}
    event = {name: _allowed(value) for name, value in variables.items()}
    whole = {**_FALLBACK, **dict(image.environment), **clean, **event}
    too_long = [name for name, value in whole.items() if len(os.fsencode(f"{name}={value}")) >= LONGEST_VARIABLE]
    return {name: value for name, value in whole.items() if name not in too_long}, too_long


def temporary_folder(inherited: Mapping[str, str], image: Image, folder: str) -> dict[str, str]:
    """Return the variable that has programs put temporary files into the event's folder, unless another is chosen."""
    chosen = inherited.get("TMPDIR") or dict(image.environment).get("TMPDIR") or TMP
    return {"TMPDIR": folder} if chosen.rstrip("/") == TMP else {}


def search_path(inherited: Mapping[str, str], image: Image) -> str:
    """Return the PATH of the user's program."""
    return inherited.get("PATH") or dict(image.environment).get("PATH") or _FALLBACK["PATH"]


def _allowed(value: str) -> str:
    """Remove what no environment can hold: zero bytes and lone surrogates."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()
