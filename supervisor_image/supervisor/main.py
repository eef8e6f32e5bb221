"""Start the process in the mode that its environment asks for; only that mode is imported."""

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run in that mode, and exit with its exit code."""
    signal.signal(signal.SIGTERM, _exit)
    sys.exit(_run(_initial_environment()))


def _run(environment: dict[str, str]) -> int:
    if environment.get("AWS_LAMBDA_RUNTIME_API"):
        from supervisor import lambda_mode

        return lambda_mode.serve(environment)
    from supervisor import job

    return job.run(environment)


def _initial_environment() -> dict[str, str]:
    """Return the environment that this process was started with, before Python set locale variables in it."""
    try:
        with open("/proc/self/environ", "rb") as file:
            entries = file.read().split(b"\0")
    except OSError:
        return dict(os.environ)
    pairs = (entry.partition(b"=") for entry in entries if b"=" in entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _exit(_signal: int, _frame: FrameType | None) -> None:
    # Every `finally` runs: the user's processes are ended and the temporary folders removed.
    sys.exit(0)
