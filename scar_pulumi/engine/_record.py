"""Remembers what the engine's events tell: the steps, the errors, the summary."""

from collections.abc import Mapping
from typing import Any

from pulumi.automation import EngineEvent
from pulumi.automation.events import StepEventMetadata

from scar_pulumi.engine._messages import clean
from scar_pulumi.engine._results import Changes, Step, count, name_of

_STACK = "pulumi:pulumi:Stack"
_PROVIDERS = "pulumi:providers:"

# One change of a resource is told as several steps; the whole has its own word.
_PARTS_OF_REPLACEMENT = {"create-replacement", "delete-replaced"}


class Record:
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
            self.changes = count({str(key): n for key, n in event.summary_event.resource_changes.items()})
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self._add_error(event.diagnostic_event.urn or "", clean(event.diagnostic_event.message))

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
