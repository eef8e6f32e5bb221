"""Pulumi's Automation API with what it does behind one's back left out."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pulumi import automation
from pulumi.automation.errors import StackNotFoundError

from scar_pulumi.engine._backend import FileBackend
from scar_pulumi.engine._command import Command
from scar_pulumi.engine._recovery import is_interrupted, settle


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
        tell("the last operation was killed: looking up what it had begun")
        document["deployment"], found = settle(document["deployment"])
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
