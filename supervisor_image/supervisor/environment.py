"""The environment of the user's process: the image's and the function's variables, and those of one event."""

import os
from collections.abc import Container, Mapping

from supervisor.configuration import VARIABLE, Image

# One string of an environment cannot be longer: MAX_ARG_STRLEN, execve(2).
LONGEST = 128 * 1024
# The supervisor's own, which the user's process has no use for.
_OWN = (
    VARIABLE,
    "SCAR_STORAGE_VERSIONS",
    "AWS_LAMBDA_RUNTIME_API",
    "TIMEOUT_THRESHOLD",
    "_HANDLER",
    "SCAR_EVENT",
    "SCAR_DONE",
    "SCAR_EVENT_FILE",
    "SCAR_ANSWER_FILE",
)
# What SCAR's jobs were given, storage secrets among it.
_SCARS = ("FDL", "FUNCTION_CONFIG", "SCRIPT")
_FALLBACK = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/tmp"}  # noqa: S108


def initial() -> dict[str, str]:
    """The environment this process was started with, before the interpreter set locale variables in it."""
    try:
        with open("/proc/self/environ", "rb") as file:  # noqa: PTH123
            entries = file.read().split(b"\0")
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition(b"=") for entry in entries if b"=" in entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def for_user(
    inherited: Mapping[str, str], image: Image, variables: Mapping[str, str], secrets: Container[str] = ()
) -> tuple[dict[str, str], list[str]]:
    """The user's whole environment, and the names of variables that were too long to be in it.

    `secrets` are the names of variables that hold secrets of storages.
    """
    hidden = (*_OWN, *_SCARS)
    clean = {name: value for name, value in inherited.items() if name not in hidden and name not in secrets}
    event = {name: _presentable(value) for name, value in variables.items()}
    whole = {**_FALLBACK, **dict(image.environment), **clean, **event}
    too_long = [name for name, value in whole.items() if len(os.fsencode(f"{name}={value}")) >= LONGEST]
    return {name: value for name, value in whole.items() if name not in too_long}, too_long


def search_path(inherited: Mapping[str, str], image: Image) -> str:
    """Where the user's process finds programs."""
    return inherited.get("PATH") or dict(image.environment).get("PATH") or _FALLBACK["PATH"]


def _presentable(value: str) -> str:
    """Without what no environment can hold: zero bytes and half characters."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()
