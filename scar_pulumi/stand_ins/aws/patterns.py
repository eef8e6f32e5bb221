"""Patterns of properties: "{role}:{name}", "{function}/{statementId}[:{qualifier}]"."""

import re
from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.plugin.wire import UNKNOWN, has_unknown

_FIELD = re.compile(r"\{(\w+)\}")
_OPTIONAL = re.compile(r"\[([^\]]*)\]")


def fields(pattern: str) -> list[str]:
    """The properties that a pattern names."""
    return _FIELD.findall(pattern)


def fill(pattern: str, values: Mapping[str, Any]) -> Any:
    """The pattern with its properties put in; `UNKNOWN` when one of them is.

    A pattern that is nothing but one property gives the property's value as it is.
    """
    if whole := _FIELD.fullmatch(pattern):
        return values.get(whole[1])
    pattern = _OPTIONAL.sub(lambda part: part[1] if all(values.get(name) for name in fields(part[1])) else "", pattern)
    if any(values.get(name) is None or has_unknown(values[name]) for name in fields(pattern)):
        return UNKNOWN
    return _FIELD.sub(lambda name: str(values[name[1]]), pattern)


def parse(pattern: str, text: str) -> dict[str, str] | None:
    """The properties in a text made by `fill`, or None when it does not fit."""
    expression = re.escape(pattern).replace(r"\{", "{").replace(r"\}", "}").replace(r"\[", "(?:").replace(r"\]", ")?")
    expression = re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", expression)
    found = re.fullmatch(expression, text, re.DOTALL)
    return {name: value for name, value in found.groupdict().items() if value is not None} if found else None


def substitute(value: Any, values: Mapping[str, Any]) -> Any:
    """`fill` for every text in a structure."""
    if isinstance(value, Mapping):
        return {name: substitute(item, values) for name, item in value.items()}
    if isinstance(value, list):
        return [substitute(item, values) for item in value]
    return fill(value, values) if isinstance(value, str) else value
