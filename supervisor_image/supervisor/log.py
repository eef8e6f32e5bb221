"""The supervisor's own lines: one per step, with time, level and request id, as text or as JSON."""

import json
import os
import time

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Log:
    """Writes whole lines to standard error, so that they never mix with the user's output."""

    def __init__(self, level: str = "INFO", request_id: str = "-", form: str = "text") -> None:
        self._form = form
        known = level.upper() in LEVELS
        self._lowest = LEVELS.index(level.upper()) if known else LEVELS.index("INFO")
        self._level = level
        self._request_id = request_id
        if not known:
            self.warning(f"log level {level!r} is unknown, INFO is used; known are {', '.join(LEVELS)}")

    def of_request(self, request_id: str) -> "Log":
        """The same log for the lines of one request."""
        return Log(LEVELS[self._lowest], request_id, self._form)

    def debug(self, message: str) -> None:
        """What helps to find a fault in the supervisor."""
        self._write("DEBUG", message)

    def info(self, message: str) -> None:
        """One step of an invocation."""
        self._write("INFO", message)

    def warning(self, message: str) -> None:
        """Something was not as it should be, and the invocation goes on."""
        self._write("WARNING", message)

    def failure(self, message: str) -> None:
        """Why an invocation failed."""
        self._write("ERROR", message)

    def _write(self, level: str, message: str) -> None:
        if LEVELS.index(level) < self._lowest:
            return
        now = time.time()
        clock = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now))
        line = self._line(f"{clock}.{int(now * 1000) % 1000:03d}Z", level, message)
        write_all(2, f"{line}\n".encode("utf-8", "replace"))

    def _line(self, time_: str, level: str, message: str) -> str:
        if self._form == "json":
            # The names that Lambda's own JSON lines have:
            # https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-logformat.html
            document = {"timestamp": time_, "level": level, "requestId": self._request_id, "message": message}
            return json.dumps(document, ensure_ascii=False)
        text = message.replace("\n", "\\n").replace("\r", "\\r")
        return f"{time_} {level} {self._request_id} {text}"


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of it; a reader that went away must not fail the invocation."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(descriptor, view) :]
    except (BrokenPipeError, BlockingIOError):
        return
