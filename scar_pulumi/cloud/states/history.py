"""The history of an execution: its events, with AWS's names and numbers, and the most of them that it may have.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from scar_foundation.limits import STATES_EVENTS
from scar_pulumi.cloud.states.failures import RUNTIME, TIMEOUT, StateFailureError
from scar_pulumi.cloud.states.resources import is_function, resource_type
from scar_pulumi.cloud.states.store import Event, StatesStore

_LAST = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"})
_WITHOUT_DETAILS = ("MapStateSucceeded", "ParallelState", "MapRunSucceeded", "LambdaFunctionStarted", "MapRunAborted")


class History:
    """Writes one execution's events. One without a history, as children of type EXPRESS are, has none to write."""

    def __init__(self, store: StatesStore, execution: str, *, is_kept: bool) -> None:
        self._store = store
        self._execution = execution
        self._is_kept = is_kept
        self._last = store.last_event(execution) if is_kept else 0

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self._last

    def add(self, kind: str, previous: int, **details: Any) -> int:
        """Store an event and return its number. Raises StateFailureError when there would be too many."""
        if not self._is_kept:
            return 0
        if self._last >= STATES_EVENTS - 1 and kind not in _LAST:
            message = f"The execution reached the maximum number of history events ({STATES_EVENTS})."
            raise StateFailureError(RUNTIME, message)
        self._last += 1
        self._store.add_event((self._execution, self._last, previous, kind, time.time(), json.dumps(details)))
        return self._last


def document_of(event: Event, *, with_data: bool) -> dict[str, Any]:
    """Return an event as GetExecutionHistory shows it."""
    _, number, previous, kind, moment, text = event
    details = json.loads(text)
    document: dict[str, Any] = {"timestamp": moment, "type": kind, "id": number, "previousEventId": previous}
    if details or not kind.startswith(_WITHOUT_DETAILS):
        document[_member(kind)] = _shown(details, with_data=with_data)
    return document


def _member(kind: str) -> str:
    """Return under which name an event has its details."""
    if kind.endswith(("StateEntered", "StateExited")):
        return f"state{kind[-7:]}EventDetails"
    return f"{kind[0].lower()}{kind[1:]}EventDetails"


def _shown(details: Mapping[str, Any], *, with_data: bool) -> dict[str, Any]:
    shown = dict(details)
    for name in ("input", "output"):
        if name in shown:
            shown[f"{name}Details"] = {"truncated": False}
            if not with_data:
                del shown[name]
    return shown


class TaskEvents:
    """Writes the events of one task; `last` is the number of the last one."""

    def __init__(self, history: History, resource: str, previous: int) -> None:
        service, action = resource_type(resource)
        self._history = history
        self._resource = resource
        self._prefix = "LambdaFunction" if is_function(resource) else "Task"
        self._names = {} if is_function(resource) else {"resourceType": service, "resource": action}
        self.last = previous

    def scheduled(self, parameters: str, region: str, timeout: int | None) -> None:
        """Note that the task starts."""
        limit = {"timeoutInSeconds": timeout} if timeout else {}
        if self._names:
            self._add("Scheduled", region=region, parameters=parameters, **limit)
        else:
            self._add("Scheduled", resource=self._resource, input=parameters, **limit)
        self._add("Started")

    def submitted(self, output: str) -> None:
        """Note that a job has been submitted, whose end the task waits for."""
        self._add("Submitted", output=output)

    def ended(self, output: str) -> None:
        """Note the task's result."""
        self._add("Succeeded", output=output)

    def failed(self, failure: StateFailureError) -> None:
        """Note why the task has failed."""
        self._add("TimedOut" if failure.error == TIMEOUT else "Failed", error=failure.error, cause=failure.cause)

    def _add(self, word: str, **details: Any) -> None:
        self.last = self._history.add(f"{self._prefix}{word}", self.last, **self._names, **details)
