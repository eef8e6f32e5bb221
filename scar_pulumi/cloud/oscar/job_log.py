"""The output of jobs, as Kubernetes keeps it: lines in a file, each with the moment when it was read."""

import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


class JobLogs:
    """A log sink of the runner: the stream is the path of a file."""

    def put(self, _log_group: str, log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        """Take a batch of (milliseconds since the epoch, message); a job that was removed meanwhile has no log."""
        lines = "".join(f"{moment(time / 1000)} {_whole(message)}" for time, message in events)
        with contextlib.suppress(OSError), Path(log_stream).open("a", encoding="utf-8") as file:
            file.write(lines)


def read_log(path: Path, *, timestamps: bool = False) -> str:
    """What a job has printed so far; raises FileNotFoundError."""
    text = path.read_text(encoding="utf-8")
    if timestamps:
        return text
    return "".join(line.partition(" ")[2] for line in text.splitlines(keepends=True))


def moment(seconds: float) -> str:
    """A time in the form of RFC 3339, to the millisecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _whole(message: str) -> str:
    line = message.removesuffix("\n").replace("\n", " ").replace("\r", " ")
    return f"{line}\n"
