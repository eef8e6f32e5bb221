"""Where the process starts: finds out what it is to be, by what is there."""

import signal
import sys
from types import FrameType

from supervisor import environment as variables


def main() -> None:
    """Run in the mode that the environment asks for, and end the process with its exit code."""
    signal.signal(signal.SIGTERM, _end)
    environment = variables.initial()
    sys.exit(_run(environment))


def _run(environment: dict[str, str]) -> int:
    if environment.get("AWS_LAMBDA_RUNTIME_API"):
        from supervisor import lambda_mode  # noqa: PLC0415 each mode loads only what it needs

        return lambda_mode.serve(environment)
    from supervisor import single  # noqa: PLC0415

    return single.run(environment)


def _end(_signal: int, _frame: FrameType | None) -> None:
    # Unwinds through every `finally`: the user's processes are ended and the temporary folders removed.
    sys.exit(0)
