"""What reaches a state of its input, and what of its result becomes the next one's.

InputPath, Parameters, ResultSelector, ResultPath and OutputPath, in that order:
https://docs.aws.amazon.com/step-functions/latest/dg/concepts-input-output-filtering.html
"""

import json
from collections.abc import Mapping
from typing import Any

from scar_foundation.limits import STATES_PAYLOAD_BYTES
from scar_pulumi.cloud.states import intrinsics
from scar_pulumi.cloud.states.failures import DATA_LIMIT, PARAMETER_PATH, StateFailureError
from scar_pulumi.cloud.states.paths import placed, select

Context = Mapping[str, Any]
State = Mapping[str, Any]


def filled(template: Any, data: Any, context: Context) -> Any:
    """Return a payload template with its values: those of fields whose names end in `.$` are paths or functions.

    Raises StateFailureError.
    """
    if isinstance(template, list):
        return [filled(item, data, context) for item in template]
    if not isinstance(template, dict):
        return template
    return {
        name.removesuffix(".$"): evaluated(value, data, context)
        if name.endswith(".$")
        else filled(value, data, context)
        for name, value in template.items()
    }


def evaluated(text: str, data: Any, context: Context) -> Any:
    """Return what a path or a call of an intrinsic function means."""
    if text.startswith("$"):
        return select(text, data, context, PARAMETER_PATH)
    return intrinsics.evaluate(intrinsics.parse(text), data, context)


def filtered(state: State, data: Any, context: Context) -> Any:
    """Return the part of a state's input that InputPath lets in; null lets in an empty object."""
    return _through(state.get("InputPath", "$"), data, context)


def effective(state: State, data: Any, context: Context, parameters: str = "Parameters") -> Any:
    """Return what a state works on: its filtered input, or what its parameters make of that."""
    chosen = filtered(state, data, context)
    return filled(state[parameters], chosen, context) if parameters in state else chosen


def output_of(state: State, raw: Any, result: Any, context: Context) -> Any:
    """Return a state's output, of its raw input and its result."""
    selected = filled(state["ResultSelector"], result, context) if "ResultSelector" in state else result
    where = state.get("ResultPath", "$")
    combined = raw if where is None else placed(where, raw, selected)
    return passed_on(state, combined, context)


def passed_on(state: State, data: Any, context: Context) -> Any:
    """Return what OutputPath lets out; null lets out an empty object."""
    return _through(state.get("OutputPath", "$"), data, context)


def _through(path: str | None, data: Any, context: Context) -> Any:
    return {} if path is None else select(path, data, context)


def as_text(data: Any) -> str:
    """Return data as AWS writes it."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False)


def checked(data: Any, what: str) -> str:
    """Return data as text. Raises StateFailureError when it is longer than AWS lets pass between states."""
    text = as_text(data)
    checked_size(len(text) if text.isascii() else len(text.encode()), what)
    return text


def checked_size(size: int, what: str) -> None:
    """Raise StateFailureError for more bytes than AWS lets pass between states."""
    if size > STATES_PAYLOAD_BYTES:
        raise StateFailureError(
            DATA_LIMIT,
            f"{what} returned a result with a size exceeding the maximum number of bytes service limit. "
            f"It has {size} bytes; the limit is {STATES_PAYLOAD_BYTES}: "
            "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html",
        )
