"""Log lines: the supervisor's own, as text or JSON, and those of the user's program, never mixed within a line."""

import json
import os
import time

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_LONGEST_LINE = 1 << 16  # bytes


class Log:
    """Writes whole lines to standard error, each with time, level and request id."""

    def __init__(self, level: str = "INFO", request_id: str = "-", form: str = "text") -> None:
        self._form = form
        known = level.upper() in LEVELS
        self._lowest = LEVELS.index(level.upper()) if known else LEVELS.index("INFO")
        self._request_id = request_id
        if not known:
            self.warning(f"log level {level!r} is unknown, so INFO is used; known are {', '.join(LEVELS)}")

    def of_request(self, request_id: str) -> "Log":
        """Return the same log for the lines of one request."""
        return Log(LEVELS[self._lowest], request_id, self._form)

    def debug(self, message: str) -> None:
        """Write what helps to find a fault in the supervisor."""
        self._write("DEBUG", message)

    def info(self, message: str) -> None:
        """Write one step of an invocation."""
        self._write("INFO", message)

    def warning(self, message: str) -> None:
        """Write that something is wrong, although the invocation goes on."""
        self._write("WARNING", message)

    def failure(self, message: str) -> None:
        """Write why an invocation failed."""
        self._write("ERROR", message)

    def _write(self, level: str, message: str) -> None:
        if LEVELS.index(level) < self._lowest:
            return
        now = time.time()
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        line = self._line(f"{clock}.{int(now * 1000) % 1000:03d}Z", level, message)
        write_all(2, f"{line}\n".encode("utf-8", "replace"))

    def _line(self, timestamp: str, level: str, message: str) -> str:
        if self._form == "json":
            # The names that Lambda's own JSON lines have:
            # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
            document = {"timestamp": timestamp, "level": level, "requestId": self._request_id, "message": message}
            return json.dumps(document, ensure_ascii=False)
        begin = f"{timestamp} {level} {self._request_id} "
        # Each line of a long message is a line of the log; those that follow the first are indented.
        return f"{begin}{f'{chr(10)}{begin}  '.join(message.rstrip().splitlines())}"


class Lines:
    """Passes the program's output on to a descriptor in whole lines; a line without end goes in pieces."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._begun = b""

    def write(self, data: bytes) -> None:
        """Take output as it comes."""
        whole, newline, rest = (self._begun + data).rpartition(b"\n")
        if newline:
            write_all(self._descriptor, whole + newline)
        self._begun = rest
        if len(rest) > _LONGEST_LINE:
            self.close()

    def close(self) -> None:
        """Pass an unfinished line on as a line."""
        if self._begun:
            write_all(self._descriptor, self._begun + b"\n")
            self._begun = b""


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it; a reader that has gone away must not fail the invocation."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except (BrokenPipeError, BlockingIOError):
        return
