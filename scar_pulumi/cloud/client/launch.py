"""Starts the daemon as a process of its own and waits until it answers, or tells why it does not."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.disk_space import shortage
from scar_pulumi.cloud.layout import Layout
from scar_pulumi.cloud.server import endpoint_environment

__all__ = ["endpoint_environment", "start"]

COMMAND = (sys.executable, "-P", "-m", "scar_pulumi.cloud.server")
"""What is run; the state directory is added."""

# Nothing else of the caller's environment gets into the daemon, and so into containers: above all no credentials.
_KEPT = frozenset(
    {
        *("DOCKER_CERT_PATH", "DOCKER_HOST", "DOCKER_TLS_VERIFY", "HOME", "LANG", "LD_LIBRARY_PATH", "LOGNAME", "PATH"),
        *("PYTHONPATH", "SHELL", "TMPDIR", "TZ", "USER", "VIRTUAL_ENV"),
    }
)
_KEPT_PREFIXES = ("LC_", "SCAR_", "XDG_")
_DEADLINE = 120.0
_LOG_LIMIT = 10 * 1024 * 1024
_TAIL = 15


def start(layout: Layout, answers: Callable[[], bool], progress: Callable[[str], None]) -> None:
    """Starts the daemon, detached from the caller's terminal and session; returns when it answers."""
    try:
        layout.create()
    except OSError as error:
        raise LocalCloudError(f"local cloud: it cannot start: {error}; its state belongs in {layout.root}") from error
    if problem := shortage(layout.root):
        raise LocalCloudError(f"local cloud: it cannot start: {problem}")
    if layout.log.is_file() and layout.log.stat().st_size > _LOG_LIMIT:
        layout.log.replace(layout.log.with_suffix(".log.1"))
    layout.log.touch(mode=0o600)
    with layout.log.open("ab") as log:
        begin = log.tell()
        process = subprocess.Popen(
            [*COMMAND, "--state", str(layout.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            env=clean_environment(),
            start_new_session=True,
        )
    _wait(process, layout, begin, answers, progress)


def clean_environment() -> dict[str, str]:
    """The caller's environment without what is none of the daemon's business."""
    return {name: value for name, value in os.environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)} | {
        "PYTHONUNBUFFERED": "1"
    }


def _wait(
    process: subprocess.Popen[bytes],
    layout: Layout,
    begin: int,
    answers: Callable[[], bool],
    progress: Callable[[str], None],
) -> None:
    started = time.monotonic()
    told = 2.0
    while not answers():
        waited = time.monotonic() - started
        if process.poll() is not None:
            raise LocalCloudError(_explain(f"it ended with status {process.returncode}", layout, begin))
        if waited > _DEADLINE:
            process.kill()
            process.wait()
            raise LocalCloudError(_explain(f"it did not answer within {_DEADLINE:.0f} s", layout, begin))
        if waited > told:
            progress(f"still starting the local cloud ({waited:.0f} s)")
            told += 5.0
        time.sleep(0.03)
    # It lives on without a parent that waits for it, which is not a mistake worth a ResourceWarning.
    process.returncode = 0


def _explain(what: str, layout: Layout, begin: int) -> str:
    with layout.log.open("rb") as file:
        file.seek(begin)
        lines = file.read().decode(errors="replace").splitlines()
    tail = "\n".join(f"  {line}" for line in lines[-_TAIL:])
    return f"local cloud: it cannot start: {what}. The end of {layout.log}:\n{tail}"
