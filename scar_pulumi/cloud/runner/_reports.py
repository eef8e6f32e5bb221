"""What Lambda says about an invocation: the lines around its output, and the payloads of failures that are not its own.

https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-view.html
"""

import json
import math
import signal
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Failure:
    """A failure of the runtime, not of the function's own making."""

    kind: str
    text: str
    status: str = "error"

    def payload(self, request_id: str) -> bytes:
        """Return the answer that the caller gets."""
        message = f"RequestId: {request_id} Error: {self.text}"
        return json.dumps({"errorType": self.kind, "errorMessage": message}, separators=(",", ":")).encode()

    def line(self, request_id: str) -> str:
        """Return the log's line."""
        if self.kind == TIMED_OUT:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return f"{now} {request_id} {self.text}\n"
        return f"RequestId: {request_id} Error: {self.text}\n{self.kind}\n"


@dataclass(frozen=True)
class Spent:
    """What an event took: milliseconds, those of starting its container (None: was warm), and megabytes at most."""

    duration_ms: float
    init_ms: float | None
    memory: int

    @property
    def billed_ms(self) -> int:
        """The billed milliseconds; those of starting a container image are billed, too."""
        return math.ceil(self.duration_ms + (self.init_ms or 0))


TIMED_OUT = "Sandbox.Timedout"


def timed_out(seconds: float) -> Failure:
    """Describe a function that ran longer than it may."""
    return Failure(TIMED_OUT, f"Task timed out after {seconds:.2f} seconds", "timeout")


def exited(code: int, output: bytes, out_of_memory: bool) -> Failure:
    """Describe a runtime that ended; `output` tells whether it had begun at all."""
    setup = setup_failure(output)
    if setup is not None and code == 1:
        return setup
    if code > 128:
        text = f"Runtime exited with error: signal: {_signal_name(code - 128)}"
        status = "error\tError Type: Runtime.OutOfMemory" if out_of_memory else "error\tError Type: Runtime.ExitError"
        return Failure("Runtime.ExitError", text, status)
    reason = f"with error: exit status {code}" if code else "without providing a reason"
    return Failure("Runtime.ExitError", f"Runtime exited {reason}", "error\tError Type: Runtime.ExitError")


def setup_failure(output: bytes) -> Failure | None:
    """Translate what bubblewrap says when the image has not what is to be executed."""
    for line in output.decode("utf-8", "replace").splitlines():
        if line.startswith("bwrap: execvp "):
            path, _, reason = line.removeprefix("bwrap: execvp ").rpartition(": ")
            return Failure("Runtime.InvalidEntrypoint", f"fork/exec {path}: {reason.lower()}")
        if line.startswith("bwrap: Can't chdir to "):
            path, _, reason = line.removeprefix("bwrap: Can't chdir to ").rpartition(": ")
            return Failure("Runtime.InvalidWorkingDir", f"chdir {path}: {reason.lower()}")
    return None


def _signal_name(number: int) -> str:
    return (signal.strsignal(number) or f"signal {number}").lower()


def start_line(request_id: str, version: str) -> str:
    """Return the line before the output."""
    return f"START RequestId: {request_id} Version: {version}\n"


def end_line(request_id: str) -> str:
    """Return the line after the output."""
    return f"END RequestId: {request_id}\n"


def report_line(request_id: str, spent: Spent, memory: int, status: str | None) -> str:
    """Return the summary; `memory` is the configured megabytes."""
    parts = [
        f"REPORT RequestId: {request_id}",
        f"Duration: {spent.duration_ms:.2f} ms",
        f"Billed Duration: {spent.billed_ms} ms",
        f"Memory Size: {memory} MB",
        f"Max Memory Used: {spent.memory} MB",
        *([] if spent.init_ms is None else [f"Init Duration: {spent.init_ms:.2f} ms"]),
        *([] if status is None else [f"Status: {status}"]),
    ]
    return "\t".join(parts) + "\t\n"
