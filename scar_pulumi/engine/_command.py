"""Runs the Pulumi CLI; Ctrl-C lets it finish what it has begun, a second Ctrl-C ends it with its children."""

import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryFile
from types import FrameType
from typing import IO

from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from scar_pulumi.engine._messages import clean
from scar_pulumi.engine._processes import kill_tree
from scar_pulumi.engine._release import Engine

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(PulumiCommand):
    """The CLI of one engine, under exactly the given environment."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
        # The parent's constructor would run the CLI again to learn the version, which is known.
        self.command = str(engine.command)
        self.version = VersionInfo.parse(engine.version)
        self.interruptions = 0
        self._said: list[str] = []
        self._environment = environment
        self._tell = tell

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: OnOutput | None = None,
        on_error: OnOutput | None = None,
    ) -> CommandResult:
        """Run one command to its end. Raises pulumi.automation's CommandError when it fails."""
        environment = {**self._environment, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        # A group of its own keeps the terminal's Ctrl-C away: it is for us to pass on. Files, not pipes, take what it
        # prints, so that the engine can still finish and save its state when this process is killed.
        with TemporaryFile("w+", errors="replace") as output, TemporaryFile("w+", errors="replace") as errors:
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args], cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
                stdout=output, stderr=errors, process_group=0,
            )  # fmt: skip
            try:
                with self._passing_signals_to(process):
                    process.wait()
            finally:
                if process.poll() is None:
                    kill_tree(process.pid)
                    process.wait()
            result = CommandResult(_text(output, on_output), _text(errors, on_error), process.returncode)
        self._said = f"{result.stderr}\n{result.stdout}".splitlines()
        if result.code:
            raise create_command_error(result)
        return result

    def complaint(self) -> str:
        """The error lines that the last command printed."""
        return "; ".join(clean(line) for line in self._said if line.startswith("error: "))

    @contextmanager
    def _passing_signals_to(self, process: subprocess.Popen[bytes]) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield  # signals reach the main thread only, which then decides
            return

        def interrupt(_number: int, _frame: FrameType | None) -> None:
            self.interruptions += 1
            if self.interruptions > 1:
                self._tell("stopping at once")
                warnings.filterwarnings("ignore", message="Error in event stream")  # it breaks with the engine
                kill_tree(process.pid)
                return
            self._tell("cancelling: what has begun is finished first; press Ctrl-C again to stop at once")
            if process.poll() is None:
                process.send_signal(signal.SIGINT)

        previous = {number: signal.signal(number, interrupt) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


def _text(file: IO[str], callback: OnOutput | None) -> str:
    file.seek(0)
    text = file.read()
    if callback:
        for line in text.splitlines():
            callback(line)
    return text.rstrip("\n")
