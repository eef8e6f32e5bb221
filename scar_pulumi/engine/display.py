"""Shows an operation live: one line per finished resource, what runs now and for how long, and the diagnostics."""

import os
import shutil
import sys
import threading
import time
from types import TracebackType
from typing import Self, TextIO

from pulumi.automation import EngineEvent
from pulumi.automation.events import StepEventMetadata

from scar_pulumi.engine.events import clean_message, name_of, told

# operation of the engine: (sign, while it runs, when it is done)
_WORDS = {
    "create": ("+", "creating", "created"),
    "update": ("~", "updating", "updated"),
    "delete": ("-", "deleting", "deleted"),
    "create-replacement": ("±", "creating replacement", "created replacement"),
    "delete-replaced": ("-", "deleting original", "deleted original"),
    "replace": ("±", "replacing", "replaced"),
    "read": (">", "reading", "read"),
    "import": ("=", "importing", "imported"),
    "refresh": ("~", "refreshing", "refreshed"),
    "discard": ("<", "discarding", "discarded"),
}
_IN_PREVIEWS = ("create", "update", "delete", "replace", "read", "import")
_STACK = "pulumi:pulumi:Stack"
_INTERNAL = ("pulumi:pulumi:", "pulumi:providers:")


class Display:
    """Renders the engine's events on a stream, as a live last line where that is a terminal.

    `told` are diagnostics that were shown before, which are not shown again; those shown here are added.
    Elsewhere a line says what runs whenever nothing was written for two seconds, then four, up to sixteen.
    """

    def __init__(self, activity: str, stream: TextIO | None = None, told: set[tuple[str, str]] | None = None) -> None:
        self._stream = stream or sys.stderr
        self._activity = activity
        self._live = self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._running: dict[str, tuple[str, float]] = {}
        self._waiting: dict[str, str] = {}
        self._told = set() if told is None else told
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._started = self._written = time.monotonic()
        self._patience = 2.0
        self._ticker = threading.Thread(target=self._tick, daemon=True)

    def __enter__(self) -> Self:
        self._ticker.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stopped.set()
        self._ticker.join()
        self._erase()
        self._stream.flush()

    def say(self, line: str) -> None:
        """Write one line above the live one."""
        with self._lock:
            self._erase()
            self._stream.write(f"{line}\n")
            self._stream.flush()
            self._written = time.monotonic()
            self._patience = 2.0

    def show(self, event: EngineEvent) -> None:
        """Take in one event of the engine."""
        if event.resource_pre_event:
            self._begin(event.resource_pre_event.metadata, planning=bool(event.resource_pre_event.planning))
        elif event.res_outputs_event:
            self._end(event.res_outputs_event.metadata, planning=bool(event.res_outputs_event.planning))
        elif event.res_op_failed_event:
            self._fail(event.res_op_failed_event.metadata)
        elif diagnostic := event.diagnostic_event:
            if diagnostic.ephemeral:
                self._waiting[diagnostic.urn or ""] = clean_message(diagnostic.message)
                return
            self._diagnose(diagnostic.severity, diagnostic.urn or "", told(diagnostic))

    def _begin(self, step: StepEventMetadata, *, planning: bool) -> None:
        operation = step.op.value
        if operation not in _WORDS or step.type.startswith(_INTERNAL):
            return
        if not planning:
            self._running[step.urn] = (f"{_WORDS[operation][1]} {name_of(step.urn)}", time.monotonic())
        elif operation in _IN_PREVIEWS:
            keys = f" ({', '.join(step.diffs)})" if step.diffs else ""
            self.say(f" {_WORDS[operation][0]} {step.type} {name_of(step.urn)}{keys}")

    def _end(self, step: StepEventMetadata, *, planning: bool) -> None:
        operation = step.op.value
        _, started = self._running.pop(step.urn, ("", 0.0))
        self._waiting.pop(step.urn, None)
        if planning or not started or operation in {"same", "refresh"}:
            return
        sign, _, done = _WORDS.get(operation, ("~", operation, operation))
        if operation == "delete" and step.old and step.old.retain_on_delete:
            done = "retained, no longer in the stack"
        self.say(f" {sign} {step.type} {name_of(step.urn)} {done} ({time.monotonic() - started:.1f} s)")

    def _fail(self, step: StepEventMetadata) -> None:
        label, started = self._running.pop(step.urn, (name_of(step.urn), time.monotonic()))
        self.say(
            f" ! {step.type} {name_of(step.urn)} failed while {label.split()[0]} ({time.monotonic() - started:.1f} s)"
        )

    def _diagnose(self, severity: str, urn: str, message: str) -> None:
        if not message or severity == "debug" or (severity, message) in self._told:
            return
        self._told.add((severity, message))
        about = "" if not urn or f"::{_STACK}::" in urn else f"{name_of(urn)}: "
        label = f"{severity}: " if severity in {"error", "warning"} else ""
        self.say(f"   {label}{about}" + message.replace("\n", "\n     "))

    def _tick(self) -> None:
        while not self._stopped.wait(0.2):
            with self._lock:
                if self._live:
                    self._erase()
                    self._stream.write(self._status()[: shutil.get_terminal_size().columns - 1])
                elif time.monotonic() - self._written >= self._patience:
                    self._stream.write(f"{self._status()}\n")
                    self._written = time.monotonic()
                    self._patience = min(self._patience * 2, 16.0)
                self._stream.flush()

    def _status(self) -> str:
        now = time.monotonic()
        running = [
            f"{label}{f': {why}' if (why := self._waiting.get(urn)) else ''} ({now - started:.0f} s)"
            for urn, (label, started) in list(self._running.items())
        ]
        shown = ", ".join(running[:4]) + (f" and {len(running) - 4} more" if len(running) > 4 else "")
        return f"   … {shown or self._activity} [{now - self._started:.0f} s]"

    def _erase(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[2K")
