"""Pulumi's own installer, where the internet can be reached."""

import os
import shutil
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from scar_pulumi.engine._watched_process import Watched, run_watched

_INSTALLER = "https://get.pulumi.com/install.sh"
_PROBE_SECONDS = 4.0
_SILENCE_LIMIT = 120.0

# PulumiCommand.install has no time limit and hides the installer's children, so it runs in a process of its own.
_INSTALL = """
import sys
from semver import VersionInfo
from pulumi.automation import PulumiCommand
PulumiCommand.install(root=sys.argv[1], version=VersionInfo.parse(sys.argv[2]))
"""


def install(directory: Path, version: str, progress: Callable[[str], None]) -> bool:
    """Install the CLI of that version as `directory`/bin; False, leaving nothing, when it cannot be downloaded."""
    if not _is_reachable():
        return False
    command = [sys.executable, "-c", _INSTALL, str(directory), version]
    label = f"downloading Pulumi {version} from get.pulumi.com"
    progress(label)

    def tick(watched: Watched) -> None:
        progress(f"{label}: {watched.seconds:.0f} s")

    watched = run_watched(command, dict(os.environ), directory.parent, tick, _SILENCE_LIMIT)
    if watched.code or not (directory / "bin" / "pulumi").is_file():
        shutil.rmtree(directory, ignore_errors=True)
        return False
    return True


def _is_reachable() -> bool:
    """Ask for the installer's address; in a thread, since looking up a name has no time limit."""
    answers: list[bool] = []
    thread = threading.Thread(target=_probe, args=(answers,), daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return bool(answers)


def _probe(answers: list[bool]) -> None:
    try:
        with urllib.request.urlopen(_INSTALLER, timeout=_PROBE_SECONDS) as answer:
            answers.append(answer.status == 200)
    except (OSError, ValueError):
        return
