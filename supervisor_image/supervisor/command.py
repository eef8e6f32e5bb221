"""What runs: the event's script, else its arguments, else the baked script, else the image's own command."""

import os
from typing import NamedTuple

from supervisor.configuration import Image
from supervisor.errors import ScriptFailed
from supervisor.events import Request

_SHELLS = (("/bin/sh",), ("/usr/bin/sh",), ("/bin/bash",), ("/bin/ash",), ("/bin/busybox", "sh"))


class Command(NamedTuple):
    """A program with its arguments, where it runs, and what should be said of the choice."""

    arguments: tuple[str, ...]
    directory: str
    remarks: tuple[str, ...] = ()


def choose(request: Request, image: Image, folder: str, search_path: str) -> Command:
    """What to run for this request; a script that came with it is put into the folder."""
    if request.script is not None:
        return _script(_saved(request.script, folder), image, search_path)
    if request.arguments:
        # As with `docker run IMAGE ARGUMENTS…`: they stand in for CMD, and ENTRYPOINT stays.
        return Command(image.entrypoint + request.arguments, _directory(image))
    if image.script:
        return _script(image.script, image, search_path)
    if arguments := image.entrypoint + image.command:
        return Command(arguments, _directory(image))
    raise ScriptFailed(
        "there is nothing to run: the function has no init_script, and its image neither ENTRYPOINT nor CMD; "
        "give it an init_script"
    )


def _script(path: str, image: Image, search_path: str) -> Command:
    with open(path, "rb") as file:  # noqa: PTH123
        start = file.read(4096)
    directory = _directory(image)
    if start.startswith(b"\x7fELF"):
        return Command((path,), directory)
    remarks = ("the script's lines end as on Windows, save it with Unix line ends",) if b"\r\n" in start else ()
    wanted = _shebang(start)
    missing = _missing(wanted, search_path) if wanted else None
    if wanted and missing is None:
        return Command((*wanted, path), directory, remarks)
    if missing is not None:
        remarks = (f"{missing} is not in the image, so the script is run by its shell", *remarks)
    return Command((*_shell(), path), directory, remarks)


def _shebang(start: bytes) -> tuple[str, ...]:
    """The interpreter and its one optional argument, as the kernel reads them: execve(2)."""
    line, _, _ = start.partition(b"\n")
    if not line.startswith(b"#!"):
        return ()
    return tuple(os.fsdecode(line[2:].strip()).split(None, 1))


def _missing(wanted: tuple[str, ...], search_path: str) -> str | None:
    """The program of the first line that the image does not have."""
    interpreter, argument = wanted[0], wanted[1] if len(wanted) > 1 else ""
    if not _executable(interpreter):
        return interpreter
    if os.path.basename(interpreter) != "env":  # noqa: PTH119
        return None
    named = [word for word in argument.split() if not word.startswith("-") and "=" not in word]
    return next((name for name in named[:1] if not _on_path(name, search_path)), None)


def _on_path(name: str, search_path: str) -> bool:
    if "/" in name:
        return _executable(name)
    return any(_executable(f"{folder or '.'}/{name}") for folder in search_path.split(":"))


def _executable(path: str) -> bool:
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113


def _shell() -> tuple[str, ...]:
    for shell in _SHELLS:
        if _executable(shell[0]):
            return shell
    raise ScriptFailed(
        "the image has no shell to run the script with; use an image that has /bin/sh, "
        "or begin the script with #! and a program of the image"
    )


def _directory(image: Image) -> str:
    folder = image.working_directory
    if folder and os.path.isdir(folder) and os.access(folder, os.X_OK):  # noqa: PTH112
        return folder
    return os.getcwd()  # noqa: PTH109


def _saved(script: bytes, folder: str) -> str:
    path = f"{folder}/script"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "wb") as file:  # noqa: PTH123
        file.write(script)
    return path
