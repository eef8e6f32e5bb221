"""Inputs checked and completed: unknown properties, kinds, limits, defaults, automatic names."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.stand_ins.aws.model import Property, ResourceType
from scar_pulumi.stand_ins.aws.naming import did_you_mean
from scar_pulumi.stand_ins.plugin.wire import UNKNOWN, Properties, has_unknown, is_asset

DEFAULTS = "__defaults"
"""The genuine provider's list of inputs that it filled in itself, kept in the state."""


@dataclass
class Checked:
    """Inputs as they go into the state, and what is wrong with them as (property path, sentence)."""

    inputs: Properties = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)


def check(type_: ResourceType, news: Mapping[str, Any]) -> Checked:
    """Check a program's inputs. Automatic names are put in afterwards, by `Lifecycle.check`."""
    checked = Checked()
    for name, value in news.items():
        if name.startswith("__") or value is None:
            continue
        property_ = type_.properties.get(name)
        if property_ is None or property_.output:
            checked.failures.append((name, _unserved(type_, name, output=property_ is not None)))
        else:
            checked.inputs[name] = _value(value, property_, name, checked.failures)
    _complete(type_, checked)
    return checked


def _complete(type_: ResourceType, checked: Checked) -> None:
    defaults = []
    for name, property_ in type_.properties.items():
        if name in checked.inputs:
            continue
        if property_.required:
            checked.failures.append((name, f"{type_.token} needs it"))
        elif property_.default is not None:
            checked.inputs[name] = property_.default
            defaults.append(name)
    checked.inputs[DEFAULTS] = defaults


def _unserved(type_: ResourceType, name: str, *, output: bool) -> str:
    if output:
        return f"{name!r} is an output of {type_.token} and cannot be set"
    known = [known for known, property_ in type_.properties.items() if not property_.output]
    near = did_you_mean(name, known)
    return f"{name!r} is not a property of {type_.token} that the stand-in aws provider serves{near or _list(known)}"


def _list(known: list[str]) -> str:
    return f"; it serves {', '.join(sorted(known))}"


def _value(value: Any, property_: Property, path: str, failures: list[tuple[str, str]]) -> Any:
    if value == UNKNOWN or is_asset(value):
        return value
    if property_.kind == "json":
        return _json(value)
    if property_.fields:
        items = value if isinstance(value, list) else [value]
        found = [_object(item, property_, path, failures) for item in items]
        return found if isinstance(value, list) else found[0]
    if property_.kind == "list" and isinstance(value, list):
        return value
    if property_.kind == "map" and isinstance(value, dict):
        return {key: item if item == UNKNOWN else _text(item) for key, item in value.items()}
    return _scalar(value, property_, path, failures)


def _object(value: Any, property_: Property, path: str, failures: list[tuple[str, str]]) -> Any:
    if value == UNKNOWN:
        return value
    if not isinstance(value, dict):
        failures.append((path, "must be an object"))
        return value
    for name in value.keys() - property_.fields.keys():
        near = did_you_mean(name, property_.fields) or _list(list(property_.fields))
        failures.append((f"{path}.{name}", f"{name!r} is not served by the stand-in aws provider{near}"))
    for name, inner in property_.fields.items():
        if inner.required and value.get(name) is None:
            failures.append((f"{path}.{name}", f"{path} needs it"))
    return {
        name: _value(item, property_.fields[name], f"{path}.{name}", failures)
        for name, item in value.items()
        if item is not None and name in property_.fields
    }


def _scalar(value: Any, property_: Property, path: str, failures: list[tuple[str, str]]) -> Any:
    converted = _CONVERT.get(property_.kind, lambda _: None)(value)
    if converted is None:
        failures.append((path, f"must be {_SPOKEN[property_.kind]}"))
        return value
    if property_.one_of and converted not in property_.one_of:
        near = did_you_mean(str(converted), map(str, property_.one_of))
        failures.append((path, f"must be one of {', '.join(map(str, property_.one_of))}{near}"))
    if (
        property_.between
        and isinstance(converted, int)
        and not property_.between[0] <= converted <= property_.between[1]
    ):
        failures.append((path, f"is {converted}; AWS takes {property_.between[0]} to {property_.between[1]}"))
    return converted


def _json(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return UNKNOWN if has_unknown(value) else json.dumps(value, separators=(",", ":"))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


_CONVERT = {"string": _text, "integer": _integer, "boolean": _boolean}
_SPOKEN = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a map",
    "object": "an object",
    "asset": "an asset",
    "json": "JSON",
}
