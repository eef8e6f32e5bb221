"""The rules of a Choice state. https://docs.aws.amazon.com/step-functions/latest/dg/state-choice.html"""

import operator
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from scar_pulumi.cloud.states.data_flow import Context
from scar_pulumi.cloud.states.paths import is_present, select

_Comparison = Callable[[Any, Any], bool]
_ORDERS: Mapping[str, _Comparison] = {
    "Equals": operator.eq,
    "LessThan": operator.lt,
    "GreaterThan": operator.gt,
    "LessThanEquals": operator.le,
    "GreaterThanEquals": operator.ge,
}
_TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")


def timestamp(value: Any) -> datetime | None:
    """Return the time that a text means in RFC 3339's form with capital letters, else None."""
    if not isinstance(value, str) or not _TIMESTAMP.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


_KINDS: Mapping[str, Callable[[Any], Any]] = {
    "String": _text,
    "Numeric": _number,
    "Timestamp": timestamp,
    "Boolean": _boolean,
}


def _compared(kind: str, order: str) -> _Comparison:
    read, holds = _KINDS[kind], _ORDERS[order]

    def compare(value: Any, other: Any) -> bool:
        left, right = read(value), read(other)
        return left is not None and right is not None and holds(left, right)

    return compare


def _matches(value: Any, pattern: Any) -> bool:
    """Return whether a text matches; `*` stands for anything, and a backslash takes that meaning away."""
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    parts = re.findall(r"\\.|\*|[^*\\]+|\\", pattern, re.DOTALL)
    expression = "".join(".*" if part == "*" else re.escape(part.removeprefix("\\") or part) for part in parts)
    return re.fullmatch(expression, value, re.DOTALL) is not None


COMPARISONS: Mapping[str, _Comparison] = {
    **{f"{kind}{order}": _compared(kind, order) for kind in ("String", "Numeric", "Timestamp") for order in _ORDERS},
    "BooleanEquals": _compared("Boolean", "Equals"),
}
"""Those whose other side may also be given by a path, under the name with `Path` behind it."""

TESTS: Mapping[str, Callable[[Any], bool]] = {
    "IsNull": lambda value: value is None,
    "IsNumeric": lambda value: _number(value) is not None,
    "IsString": lambda value: isinstance(value, str),
    "IsBoolean": lambda value: isinstance(value, bool),
    "IsTimestamp": lambda value: timestamp(value) is not None,
}
OPERATORS = frozenset({*COMPARISONS, *(f"{name}Path" for name in COMPARISONS), *TESTS, "StringMatches", "IsPresent"})
COMBINERS = frozenset({"And", "Or", "Not"})


def holds(rule: Mapping[str, Any], data: Any, context: Context) -> bool:
    """Return whether a rule is met. Raises StateFailureError for a variable that is not there, but for IsPresent."""
    if "Not" in rule:
        return not holds(rule["Not"], data, context)
    if "And" in rule:
        return all(holds(part, data, context) for part in rule["And"])
    if "Or" in rule:
        return any(holds(part, data, context) for part in rule["Or"])
    (name,) = rule.keys() & OPERATORS
    if name == "IsPresent":
        return is_present(rule["Variable"], data, context) is rule[name]
    return _holds_for(name, rule[name], select(rule["Variable"], data, context), data, context)


def _holds_for(name: str, wanted: Any, value: Any, data: Any, context: Context) -> bool:
    if name in TESTS:
        return TESTS[name](value) is wanted
    if name == "StringMatches":
        return _matches(value, wanted)
    other = select(wanted, data, context) if name.endswith("Path") else wanted
    return COMPARISONS[name.removesuffix("Path")](value, other)
