"""Pulumi's Automation API without its side effects: the CLI under signals, the workspace, the stack."""

import json
import signal
import subprocess
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryFile
from types import FrameType
from typing import IO

from pulumi import automation
from pulumi.automation import CommandResult, OnOutput, PulumiCommand
from pulumi.automation.errors import StackNotFoundError, create_command_error
from semver import VersionInfo

from scar_pulumi.engine.backend import FileBackend, is_interrupted, settle_pending
from scar_pulumi.engine.events import clean_message
from scar_pulumi.engine.find import Engine
from scar_pulumi.engine.tether import kill_tree

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Command(PulumiCommand):
    """The CLI of one engine, under exactly the given environment."""

    def __init__(self, engine: Engine, environment: Mapping[str, str], tell: Callable[[str], None]) -> None:
        # The parent's constructor would run the CLI again to learn the version, which is known.
        self.command = str(engine.command)
        self.version = VersionInfo.parse(engine.version)
        self.interruptions = 0
        self._printed: list[str] = []
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
        self._printed = f"{result.stderr}\n{result.stdout}".splitlines()
        if result.code:
            raise create_command_error(result)
        return result

    def error_lines(self) -> str:
        """Return the error lines that the last command printed."""
        return "; ".join(clean_message(line) for line in self._printed if line.startswith("error: "))

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
            self._tell("cancelling: finishing what has begun; press Ctrl-C again to stop at once")
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


class Workspace(automation.LocalWorkspace):
    """A project directory; which stack the user has selected in it is neither asked nor changed."""

    def __init__(
        self,
        directory: Path,
        command: Command,
        backend: FileBackend | None,
        program: Callable[[], None],
    ) -> None:
        super().__init__(work_dir=str(directory), pulumi_command=command, program=program)
        self._backend = backend

    def open_stack(self, name: str, *, create: bool) -> None:
        """Find out whether the stack exists, and create it if asked to. Raises StackNotFoundError."""
        try:
            self.select_stack(name)
        except StackNotFoundError:
            if not create:
                raise
            self.create_stack(name)

    def select_stack(self, stack_name: str) -> None:
        """Find out whether the stack exists."""
        if self._backend is None:
            self.pulumi_command.run(["stack", "output", "--stack", stack_name], self.work_dir, self.env_vars)
        elif not self._backend.exists():
            raise StackNotFoundError(automation.CommandResult(stdout="", stderr="", code=255))

    def create_stack(self, stack_name: str) -> None:
        """Create the stack without selecting it."""
        command = ["stack", "init", "--stack", stack_name, "--no-select"]
        self.pulumi_command.run(command, self.work_dir, self.env_vars)


class QuietStack(automation.Stack):
    """A stack whose operations do not call the CLI three more times for a summary; the events have told it all."""

    def __init__(self, name: str, workspace: Workspace) -> None:
        # The parent's constructor would select the stack, which changes what the user has selected.
        self.name = name
        self.workspace = workspace

    def __repr__(self) -> str:
        return f"QuietStack({self.name!r})"

    def outputs(self) -> automation.OutputMap:
        """Nothing: outputs are read from the state, once, by whoever wants them."""
        return {}

    def info(self, show_secrets: bool = True) -> automation.UpdateSummary:  # noqa: ARG002 - inherited
        """Nothing: the engine's summary event has it."""
        return automation.UpdateSummary("", datetime.now(UTC), "", {}, {}, "")

    def settle(self, file: Path, tell: Callable[[str], None]) -> None:
        """Settle what was under way when the engine was killed; `file` is where the state is edited."""
        self._call("export", "--file", str(file))
        document = json.loads(file.read_text())
        if not is_interrupted(document["deployment"]):
            return
        tell("the last operation was killed: checking what it had begun")
        document["deployment"], found = settle_pending(document["deployment"])
        file.write_text(json.dumps(document))
        self._call("import", "--file", str(file))
        if found:
            targets = [argument for urn in found for argument in ("--target", urn)]
            self.workspace.pulumi_command.run(
                ["refresh", "--yes", "--skip-preview", *targets, "--stack", self.name], self.workspace.work_dir, {}
            )

    def _call(self, *arguments: str) -> None:
        command = ["stack", *arguments, "--stack", self.name]
        self.workspace.pulumi_command.run(command, self.workspace.work_dir, {})
