"""What the engine reports, as plain data: steps, changes, errors, and messages as sentences for people."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pulumi.automation import EngineEvent
from pulumi.automation.events import DiagnosticEvent, StepEventMetadata

from scar_pulumi.engine.known_errors import explained

_COLOUR = re.compile(r"<\{%.*?%\}>")
_ESCAPE = re.compile(r"\x1b\[[0-9;]*m")
_TRACEBACK = "Traceback (most recent call last):"
_UNHANDLED = "an unhandled error occurred: "
_CALLING = "Exception calling application: "
_OF_PROGRAMS = ("Program failed with an unhandled exception", "python inline source runtime error")
# A function of a provider that failed says so twice: `invoke of T failed: invocation of T returned an error: …`.
_INVOKE = re.compile(r"invoke of (\S+) failed: invocation of \S+ returned an error: ")

# `package.module.SomeError: text`: the class only says what the text says better.
_OWN_ERROR = re.compile(r"^(?:scar_components|scar_foundation|scar_pulumi|pulumi)(?:\.\w+)*\.\w+: (?=.)", re.DOTALL)

# About what a local stack itself put on PATH, and what only says that something before it has failed.
_NOISE = (
    re.compile(r"^using pulumi-(resource|language)-[\w-]+ from \$PATH at "),
    re.compile(r"^(update|preview|refresh|destroy) failed$"),
    re.compile(r"^Program exited with non-zero exit code: \d+$"),
    re.compile(r"^Resource monitor has terminated, shutting down$"),
)


def clean_message(message: str) -> str:
    """Return the message without markup; "" when it tells the user nothing."""
    text = _ESCAPE.sub("", _COLOUR.sub("", message)).strip().removeprefix("error: ").removeprefix("warning: ")
    text = text.removeprefix(_UNHANDLED).removeprefix(_CALLING)
    if any(pattern.match(text) for pattern in _NOISE):
        return ""
    return text if os.environ.get("SCAR_DEBUG") else _INVOKE.sub(r"\1: ", _without_traceback(text))


def told(diagnostic: DiagnosticEvent) -> str:
    """Return what people are told of a diagnostic: an error that is known comes with its explanation."""
    message = clean_message(diagnostic.message)
    return explained(message) if diagnostic.severity == "error" else message


def _without_traceback(text: str) -> str:
    """Keep what was raised, and what the engine said before it; `$SCAR_DEBUG` keeps everything."""
    if _TRACEBACK not in text or _is_of_the_program(text):
        return text
    raised = _raised(text.rpartition(_TRACEBACK)[2])
    return _OWN_ERROR.sub("", raised).removeprefix("Exception: ") if raised else text


def _is_of_the_program(text: str) -> bool:
    # A mistake in somebody's own program is found by its traceback; what the SDK raises last is the engine's answer.
    last = text.rpartition('  File "')[2].partition('"')[0]
    return text.startswith(_OF_PROGRAMS) and "/site-packages/pulumi/" not in last


def _raised(traceback: str) -> str:
    lines = traceback.strip("\n").splitlines()
    margin = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    unindented = [number for number, line in enumerate(lines) if line.strip() and _depth(line, margin) == 0]
    # Frames are indented; the first line that is not begins the exception, which may have several lines.
    frames = [number for number, line in enumerate(lines) if line.lstrip().startswith("File ")]
    first = next((number for number in unindented if not frames or number > frames[-1]), None)
    return "" if first is None else "\n".join(line[margin:] for line in lines[first:]).strip()


def _depth(line: str, margin: int) -> int:
    return len(line) - len(line.lstrip()) - margin


@dataclass(frozen=True)
class Changes:
    """How many resources an operation changed or, for a preview, would change."""

    create: int = 0
    update: int = 0
    replace: int = 0
    delete: int = 0
    same: int = 0

    @property
    def total(self) -> int:
        """All resources that did not stay the same."""
        return self.create + self.update + self.replace + self.delete


@dataclass(frozen=True)
class Step:
    """What happened, or would happen, to one resource."""

    operation: str
    """The engine's word: create, update, replace, delete, same, read, refresh, import."""
    type: str
    name: str
    urn: str
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """As the program gave them; secrets are masked."""
    differences: tuple[str, ...] = ()
    """Names of the inputs that changed."""


@dataclass(frozen=True)
class Result:
    """The end of a preview, up, refresh or destroy."""

    changes: Changes
    steps: tuple[Step, ...]
    outputs: Mapping[str, Any]
    """Stack outputs; secrets are masked. Empty after a destroy."""
    seconds: Mapping[str, float]
    """What took how long, in order: engine, local cloud, stack, and the operation itself."""


def count_changes(resource_changes: Mapping[str, int]) -> Changes:
    """Return the changes from the engine's summary, whose keys are its step names."""
    return Changes(
        create=resource_changes.get("create", 0) + resource_changes.get("import", 0),
        update=resource_changes.get("update", 0),
        replace=resource_changes.get("replace", 0),
        delete=resource_changes.get("delete", 0),
        same=resource_changes.get("same", 0),
    )


def name_of(urn: str) -> str:
    """Return the name of the resource: what follows the last `::`."""
    return urn.rpartition("::")[2]


_STACK = "pulumi:pulumi:Stack"
_PROVIDERS = "pulumi:providers:"

# One change of a resource is told as several steps; the whole has its own word.
_PARTS_OF_REPLACEMENT = {"create-replacement", "delete-replaced"}


class Report:
    """The story of one operation."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.changes = Changes()
        self._steps: dict[str, Step] = {}

    @property
    def steps(self) -> tuple[Step, ...]:
        """One step for every resource, in the order in which they began."""
        return tuple(self._steps.values())

    def take(self, event: EngineEvent) -> None:
        """Take in one event."""
        if event.resource_pre_event:
            self._add(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._add(event.res_outputs_event.metadata)
        elif event.summary_event:
            self.changes = count_changes({str(key): n for key, n in event.summary_event.resource_changes.items()})
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self._add_error(event.diagnostic_event.urn or "", told(event.diagnostic_event))

    def _add(self, step: StepEventMetadata) -> None:
        if step.type.startswith(_PROVIDERS) or step.op.value in _PARTS_OF_REPLACEMENT:
            return
        inputs = (step.new.inputs if step.new else None) or {}
        keys = tuple(step.diffs or ())
        self._steps[step.urn] = Step(step.op.value, step.type, name_of(step.urn), step.urn, _shown(inputs), keys)

    def _add_error(self, urn: str, message: str) -> None:
        # The same failure is told by the resource, by the stack and by the update as a whole.
        if not message or any(message in known for known in self.errors):
            return
        about = "" if not urn or f"::{_STACK}::" in urn else f"{name_of(urn)}: "
        self.errors.append(f"{about}{message}")


def _shown(inputs: Mapping[str, Any]) -> dict[str, Any]:
    # Dynamic resources carry their pickled provider under such a name.
    return {name: value for name, value in inputs.items() if not name.startswith("__")}
