"""Operations on one stack of an FDL file or of a project: what the command line's verbs call."""

import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from pulumi import automation
from pulumi.automation.errors import CommandError, StackNotFoundError

from scar_components.own_resource import FORMER_TYPES
from scar_foundation.errors import EngineError, InputError
from scar_foundation.locks import exclusive
from scar_pulumi.engine.backend import has_moved, is_interrupted, readable, release_dead_locks, stack_outputs
from scar_pulumi.engine.display import Display
from scar_pulumi.engine.environment import Cloud, base_environment, local_cloud, stack_environment
from scar_pulumi.engine.events import Report, Result
from scar_pulumi.engine.find import Engine, find_engine
from scar_pulumi.engine.project import find_stack
from scar_pulumi.engine.workspace import Command, QuietStack, Workspace


class Phases(dict[str, float]):
    """Seconds by phase."""

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Note how long the block takes, however it ends."""
        started = time.monotonic()
        try:
            yield
        finally:
            self[phase] = time.monotonic() - started


class OperationCancelledError(EngineError):
    """The user cancelled the operation; the state is valid and the next operation goes on from there."""


class OperationFailedError(EngineError):
    """The engine ended an operation with errors, which are in the message.

    `shown` is what is left to say where they were shown as they happened; empty where they were not.
    """

    def __init__(self, message: str, shown: str = "") -> None:
        self.shown = shown
        super().__init__(message)


_Operation = Callable[[QuietStack, dict[str, Any]], object]

_ACTIVITIES = {
    "preview": "working out the changes",
    "up": "working out the changes",
    "refresh": "asking the cloud",
    "destroy": "reading the state",
}


class Stack:
    """One stack, for any number of operations.

    `fdl_path` names the FDL file; without it `project` names the project that was deployed, and without either the
    project of `directory` (default: the current one) decides. A stack
    named `local` or `local-…` lives on the local cloud, which is started first. `config` holds values by full key
    (`scar:deleteBuckets`) that win over those of the project's stack file; `overrides` are values of the FDL file, as
    `--set` gives them, and are kept nowhere: they may be secrets. `program` is run instead of the FDL file's
    deployment. `leave_unreachable` forgets what is on OSCAR clusters that are gone, where it would have to be deleted.
    `progress` gets lines about what takes long before an operation begins; operations themselves are shown
    on `stream` (default: standard error). Opening is lazy: nothing happens before the first operation.
    """

    def __init__(
        self,
        fdl_path: str | Path | None = None,
        name: str = "local",
        *,
        config: Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        directory: str | Path | None = None,
        project: str | None = None,
        program: Callable[[], None] | None = None,
        cloud: Cloud | None = None,
        leave_unreachable: bool = False,
        progress: Callable[[str], None] | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self.name = name
        self.seconds = Phases()
        self._definition = find_stack(
            fdl_path, name, config or {}, Path(directory or Path.cwd()), overrides, project=project
        )
        self._program = program
        self._cloud = cloud
        self._leaves_unreachable = leave_unreachable
        self._stream = stream or sys.stderr
        self._told: set[tuple[str, str]] = set()
        self._progress = progress or self._write
        self._command: Command | None = None
        self._opened: QuietStack | None = None
        self._endpoint = ""

    @property
    def project(self) -> str:
        """Name of the Pulumi project."""
        return self._definition.project.name

    @property
    def is_local(self) -> bool:
        """Whether the stack lives on the local cloud."""
        return self._definition.backend is not None

    @property
    def region(self) -> str:
        """Region that the stack's configuration sets; empty where it sets none."""
        return str(self._definition.config().get("aws:region") or "")

    @property
    def deletes_buckets(self) -> bool:
        """Whether the stack's configuration says that the buckets it created go with it."""
        return str(self._definition.config().get("scar:deleteBuckets", False)).lower() == "true"

    @property
    def has_unique_names(self) -> bool | None:
        """Whether functions and buckets have names of the stack's own; None where its configuration does not say."""
        configured = self._definition.config().get("scar:uniqueNames")
        return None if configured is None else str(configured).lower() == "true"

    def create(self) -> None:
        """Make the stack, empty, if it does not exist."""
        self._open(create=True)

    def preview(self) -> Result:
        """Return what `up` would do; change nothing."""
        return self._operate("preview", lambda stack, options: stack.preview(**options))

    def up(self) -> Result:
        """Create, update and delete resources until they are what the program says."""
        return self._operate("up", lambda stack, options: stack.up(**options))

    def refresh(self) -> Result:
        """Update the state from what the cloud says about the stack's resources."""
        return self._operate("refresh", lambda stack, options: stack.refresh(**options))

    def destroy(self) -> Result:
        """Delete the stack's resources, except those that are retained; the empty stack stays."""
        return self._operate("destroy", lambda stack, options: stack.destroy(**options))

    def outputs(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Return the outputs of the last `up`, with secrets masked unless `show_secrets`.

        Raises InputError when there is no such stack.
        """
        if (backend := self._definition.backend) and not show_secrets:
            if not backend.exists():
                raise self._missing()
            return stack_outputs(backend.deployment())
        return dict(json.loads(self._ask("output", "--json", show_secrets=show_secrets)))

    def deployment(self, *, show_secrets: bool = False) -> dict[str, Any]:
        """Return the stack's resources as Pulumi keeps them, with secrets masked unless `show_secrets`.

        Raises InputError when there is no such stack.
        """
        if (backend := self._definition.backend) and not show_secrets:
            if not backend.exists():
                raise self._missing()
            return dict(readable(backend.deployment()))
        return dict(readable(json.loads(self._ask("export", show_secrets=show_secrets)).get("deployment") or {}))

    def _ask(self, *question: str, show_secrets: bool) -> str:
        """Return what `pulumi stack` answers."""
        secrets = ["--show-secrets"] if show_secrets else []
        command = self._open(create=False).workspace.pulumi_command
        directory = str(self._definition.work_directory())
        return str(command.run(["stack", *question, *secrets, "--stack", self.name], directory, {}).stdout)

    def cancel(self) -> None:
        """Release the stack from an operation that was killed.

        Raises EngineError when the operation still runs on this machine.
        """
        if backend := self._definition.backend:
            release_dead_locks(backend, self._progress, limit=0)
        else:
            self._open(create=False).cancel()

    def _operate(self, verb: str, operation: _Operation) -> Result:
        declares = verb in {"preview", "up"}
        if declares and self._program is None:
            self._program = self._definition.program()
            _import_early()
        with self._exclusively(verb):
            if not declares:
                self._refuse_former_types()
            return self._run(verb, operation, self._open(create=declares))

    def _refuse_former_types(self) -> None:
        """Raise InputError for a state that only `up` can read: it gives our resources their present types."""
        backend = self._definition.backend
        resources = backend.deployment().get("resources") or () if backend and backend.exists() else ()
        if any(str(resource.get("type")).startswith(FORMER_TYPES) for resource in resources):
            raise InputError(
                f"stack {self.name}: was made by an earlier release of scar-pulumi; run `scar-pulumi up` once, which "
                "takes its resources over as they are, and then this again"
            )

    @contextmanager
    def _exclusively(self, verb: str) -> Iterator[None]:
        """Wait for other operations on this local stack: the engine itself would fail, and both could begin at once."""
        backend = self._definition.backend
        if backend is None or verb == "preview":
            yield
            return

        def waiting(process: str) -> None:
            self._progress(f"waiting for process {process}, which is working on stack {self.name}")

        with exclusive(backend.operation_lock, waiting):
            yield

    def _run(self, verb: str, operation: _Operation, stack: QuietStack) -> Result:
        report = Report()
        with (
            self.seconds.timed(verb),
            Display(_ACTIVITIES[verb], self._stream, self._told) as display,
            self._translating_errors(verb, report),
        ):

            def show(event: automation.EngineEvent) -> None:
                report.take(event)
                display.show(event)

            if verb != "preview":
                self._recover(stack, display.say, always=verb == "refresh")
            options = {"on_event": show, "color": "never", **self._definition.options()}
            operation(stack, {**options, **self._to_read_again(verb)})
        outputs = {} if verb in {"destroy", "preview"} else self.outputs()
        return Result(report.changes, report.steps, outputs, dict(self.seconds))

    def _to_read_again(self, verb: str) -> dict[str, bool]:
        """Have `up` read the resources of a stack whose local cloud has moved to another port since."""
        backend = self._definition.backend
        if verb != "up" or backend is None or not has_moved(backend.deployment(), self._endpoint):
            return {}
        self._progress(f"the local cloud has moved to {self._endpoint}; addresses are read again")
        return {"refresh": True}

    def _open(self, *, create: bool) -> QuietStack:
        if self._opened is None:
            with self.seconds.timed("engine"):
                engine = find_engine(self._progress)
            cloud = self._started_cloud()
            with self.seconds.timed("stack"):
                self._command = Command(engine, self._environment(engine, cloud), self._progress)
                self._opened = self._select(self._command, create=create)
        return self._opened

    def _environment(self, engine: Engine, cloud: Cloud | None) -> dict[str, str]:
        return {
            **base_environment(local=self.is_local),
            "PULUMI_PYTHON_CMD": sys.executable,
            **stack_environment(self.name, cloud, engine),
            **({"SCAR_LEAVE_UNREACHABLE": "true"} if self._leaves_unreachable else {}),
        }

    def _select(self, command: Command, *, create: bool) -> QuietStack:
        definition = self._definition
        workspace = Workspace(definition.work_directory(), command, definition.backend, self._declare)
        try:
            workspace.open_stack(self.name, create=create)
        except StackNotFoundError:
            raise self._missing() from None
        except CommandError:
            raise EngineError(f"stack {self.name}: {command.error_lines()}") from None
        return QuietStack(self.name, workspace)

    def _declare(self) -> None:
        assert self._program is not None
        self._program()

    def _recover(self, stack: QuietStack, tell: Callable[[str], None], *, always: bool) -> None:
        """Clean up after a killed operation; in a backend of the user's, only when a refresh was asked for."""
        if backend := self._definition.backend:
            release_dead_locks(backend, tell)
            if not is_interrupted(backend.deployment()):
                return
        elif not always:
            return
        with TemporaryDirectory() as folder:
            stack.settle(Path(folder) / "state.json", tell)

    @contextmanager
    def _translating_errors(self, verb: str, report: Report) -> Iterator[None]:
        """Turn the Automation API's errors into ours."""
        command = self._command
        assert command is not None
        try:
            yield
        except (CommandError, RuntimeError) as error:
            if not command.interruptions:
                reasons = "\n".join(report.errors) or command.error_lines() or str(error)
                failed = f"{verb} of stack {self.name} failed"
                shown = f"{failed}; the reasons are above" if report.errors else ""
                raise OperationFailedError(f"{failed}: {reasons}", shown) from None
            self._release_own_lock()
            raise OperationCancelledError(
                f"{verb} of stack {self.name} was cancelled; `scar-pulumi {verb}` continues from here"
            ) from None

    def _release_own_lock(self) -> None:
        if self._definition.backend:
            with suppress(EngineError):
                release_dead_locks(self._definition.backend, self._progress, limit=0)

    def _started_cloud(self) -> Cloud | None:
        if not self.is_local:
            return None
        with self.seconds.timed("local cloud"):
            cloud = self._cloud or local_cloud()
            cloud.start(self._progress)
        self._endpoint = cloud.environment().get("AWS_ENDPOINT_URL", "")
        return cloud

    def _missing(self) -> InputError:
        return InputError(f"stack {self.name} of {self.project} does not exist; deploy it with `scar-pulumi up` first")

    def _write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()


def signed_in_as() -> dict[str, Any] | None:
    """Return where the engine keeps the stacks of AWS (`url`) and as whom (`user`); None where nobody is signed in."""
    ignore: Callable[[str], None] = lambda _line: None  # noqa: E731
    command = Command(find_engine(ignore), base_environment(local=False), ignore)
    with TemporaryDirectory() as nowhere:
        try:
            return dict(json.loads(command.run(["whoami", "--json"], nowhere, {}).stdout))
        except (CommandError, ValueError):
            return None


def projects_in_backend(stack: str, progress: Callable[[str], None] = lambda _line: None) -> list[str]:
    """Return the projects that have a stack of this name in the backend that the user is signed in to.

    Nothing where nobody is signed in, or the backend does not answer.
    """
    command = Command(find_engine(progress), base_environment(local=False), progress)
    with TemporaryDirectory() as nowhere:
        try:
            listed = json.loads(command.run(["stack", "ls", "--all", "--json"], nowhere, {}).stdout)
        except (CommandError, ValueError):
            return []
    names = [str(entry["name"]).split("/") for entry in listed]
    return sorted({name[-2] for name in names if len(name) > 1 and name[-1] == stack.rpartition("/")[2]})


def _import_early() -> None:
    """Import what the program needs while the engine starts: it takes a second, and the engine another."""
    threading.Thread(target=importlib.import_module, args=("scar_pulumi.deploy.program",), daemon=True).start()
