"""Exceptions as what the user reads."""

import dataclasses
import datetime
import errno
import os
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from scar_foundation.directories import error_directory
from scar_foundation.errors import ScarError
from scar_pulumi.cli.output import count
from scar_pulumi.client.cloud_errors import translated

_NOT_WRITABLE = "choose another place, or let this user write there (SCAR_STATE_DIR, SCAR_CACHE_DIR)"
_FULL = "make room, or choose another disk (SCAR_STATE_DIR, SCAR_CACHE_DIR)"
# Full disks and folders without permission are nobody's bug.
_ADVICE: Mapping[int, str] = {
    errno.EACCES: _NOT_WRITABLE,
    errno.EDQUOT: _FULL,
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
    errno.ENOSPC: _FULL,
    errno.EPERM: _NOT_WRITABLE,
    errno.EROFS: _NOT_WRITABLE,
}


@dataclass(frozen=True)
class Failure:
    """A failure: a message, mistakes found in a file, and further details."""

    message: str
    exit_code: int
    problems: tuple[Any, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    shown: str = ""
    """What is left to say on a terminal that has shown the reasons as they came; empty for the whole message."""

    @property
    def text(self) -> str:
        """The message for a terminal; mistakes in a file have lines of their own, as compilers write them."""
        if self.shown:
            return f"error: {self.shown}"
        if not self.problems:
            return f"error: {self.message}"
        errors = sum(getattr(problem, "severity", "error") == "error" for problem in self.problems)
        return f"{self.message}\nerror: {count(errors, 'mistake')}; nothing was changed"

    def document(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            **self.details,
            "error": {"message": self.message, "problems": [_problem(problem) for problem in self.problems]},
        }


def describe(error: Exception) -> Failure:
    """Describe an error; an unexpected one is a bug, whose traceback goes to a file."""
    if isinstance(error, click.UsageError):
        return Failure(_usage(error), 2)
    error = translated(error) or error
    if isinstance(error, ScarError):
        details = error.document() if hasattr(error, "document") else {}
        return Failure(
            str(error), error.exit_code, tuple(getattr(error, "problems", ())), details, getattr(error, "shown", "")
        )
    if isinstance(error, OSError) and (advice := _ADVICE.get(error.errno or 0)):
        return Failure(f"{error.filename or 'this machine'}: {error.strerror}; {advice}", 1)
    return Failure(f"{_summary(error)}; this is a bug in scar-pulumi, its traceback is in {_saved(error)}", 1)


def _usage(error: click.UsageError) -> str:
    """Return what is wrong with the command line, with its usage."""
    if error.ctx is None:
        return error.format_message()
    return f"{error.format_message()}\n{error.ctx.get_usage()}\n`{error.ctx.command_path} --help` describes it"


def _summary(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _saved(error: Exception) -> Path:
    now = datetime.datetime.now(datetime.UTC)
    file = error_directory() / f"{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    file.touch(mode=0o600)
    file.write_text("".join(traceback.format_exception(error)), encoding="utf-8", errors="backslashreplace")
    return file


def _problem(problem: Any) -> Any:
    if dataclasses.is_dataclass(problem) and not isinstance(problem, type):
        return {**dataclasses.asdict(problem), "text": str(problem)}
    return str(problem)
