"""A program's inputs: checked, completed with defaults and automatic names, compared with what was declared before."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from scar_foundation.plugin.provider import Checked, Difference
from scar_foundation.plugin.values import UNKNOWN, has_unknown, is_asset, join_path
from scar_pulumi.stand_ins.aws.model import AutoName, Property, ResourceType

_DIGITS = 7
_PREFIX_DIGITS = 26


def automatic_name(rule: AutoName, resource: str, inputs: Mapping[str, Any], seed: bytes) -> str:
    """Form a physical name as the genuine provider does: "<resource>-<7 hex digits>" or "<prefix><26 hex digits>"."""
    digest = hashlib.sha256(seed).hexdigest()
    ending = rule.suffix[1] if rule.suffix and inputs.get(rule.suffix[0]) else ""
    prefix = inputs.get(rule.prefix) if rule.prefix else None
    if prefix:
        name = f"{prefix}{digest[:_PREFIX_DIGITS]}"
    elif rule.bare:
        name = resource
    else:
        name = f"{resource}-{digest[:_DIGITS]}"
    return (name.lower() if rule.lower else name) + ending


def too_long(rule: AutoName, name: str) -> str | None:
    """Return why an automatic name cannot be used, as the genuine provider refuses it; None when it can."""
    if len(name) <= rule.limit:
        return None
    return f"{name!r}, formed from the resource's name, is longer than {rule.limit} characters; give a shorter one here"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return " (did you mean …?)" when a known name is near, else nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""


DEFAULTS = "__defaults"
"""The genuine provider's list of inputs that it filled in itself, kept in the state."""


def check(type_: ResourceType, news: Mapping[str, Any]) -> Checked:
    """Check a program's inputs. `AwsLifecycle.check` adds automatic names afterwards."""
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
    if failure := _name_failure(type_.name, checked.inputs):
        checked.failures.append(failure)
    return checked


def _name_failure(rule: AutoName | None, inputs: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return what is wrong with the length of a name or prefix that the program gives."""
    for field, taken in ((rule.property, 0), (rule.prefix, _PREFIX_DIGITS)) if rule else ():
        given, limit = inputs.get(field or ""), (rule.limit if rule else 0) - taken
        if field and isinstance(given, str) and given != UNKNOWN and len(given) > limit:
            return field, f"has {len(given)} characters; AWS takes up to {limit}"
    return None


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
        return _json(value, property_, path, failures)
    if property_.fields:
        items = value if isinstance(value, list) else [value]
        found = [_object(item, property_, path, failures) for item in items]
        return found if isinstance(value, list) else found[0]
    if property_.kind == "list" and isinstance(value, list):
        for place, item in enumerate(value):
            _judge(item, property_, f"{path}[{place}]", failures)
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
        failures.append((path, f"must be {_KIND_NAMES[property_.kind]}"))
        return value
    _judge(converted, property_, path, failures)
    return _text(converted) if property_.spelled else converted


def _judge(value: Any, property_: Property, path: str, failures: list[tuple[str, str]]) -> None:
    """Hold a value against the words, the range, the length and the form that AWS takes."""
    if value == UNKNOWN:
        return
    if property_.one_of and canonical(value, property_) not in property_.one_of:
        near = did_you_mean(str(value), map(str, property_.one_of))
        failures.append((path, f"must be one of {', '.join(map(str, property_.one_of))}{near}"))
    if property_.between and isinstance(value, int) and value not in property_.between:
        failures.append((path, f"is {value}; AWS takes {property_.between}"))
    if property_.length and isinstance(value, str) and len(value) not in property_.length:
        failures.append((path, f"has {len(value)} characters; AWS takes {property_.length}"))
    elif property_.form and isinstance(value, str) and not property_.form.fits(value):
        failures.append((path, f"must be {property_.form.words}"))


def canonical(value: Any, property_: Property) -> Any:
    """Return a word as AWS spells it, where it is taken in any case."""
    if not property_.any_case or not isinstance(value, str):
        return value
    return next((word for word in property_.one_of if word.lower() == value.lower()), value)


def _json(value: Any, property_: Property, path: str, failures: list[tuple[str, str]]) -> Any:
    if not isinstance(value, str):
        return UNKNOWN if has_unknown(value) else json.dumps(value, separators=(",", ":"))
    try:
        if value:
            json.loads(value)
    except ValueError as error:
        failures.append((path, f"is not JSON: {error}"))
    else:
        _judge(value, property_, path, failures)
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _integer(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def _boolean(value: Any) -> bool | None:
    return value if isinstance(value, bool) else {"true": True, "false": False}.get(str(value).lower())


_CONVERT = {"string": _text, "integer": _integer, "number": _number, "boolean": _boolean}
_KIND_NAMES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
    "map": "a map",
    "object": "an object",
    "asset": "an asset",
    "json": "JSON",
}


def difference(type_: ResourceType, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Difference:
    """Compare checked inputs. Leaving out what AWS chooses itself is no change; nor is another spelling of the same."""
    found, replacing = Difference(), []
    for name, property_ in type_.properties.items():
        old, new = (_normalized(values.get(name), property_) for values in (olds, news))
        if property_.output or (new is None and property_.computed):
            continue
        for change in _compare(name, old, new, property_):
            found.paths[change.path] = change.kind
            if change.replaces:
                replacing.append(change.path)
    found.replacing = (*replacing, *(type_.replacing(olds, news) if type_.replacing else ()))
    return found


def baseline(type_: ResourceType, olds: Mapping[str, Any], old_inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what new inputs are compared with: the old inputs, and AWS's own choice where there were none."""
    computed = {name: olds.get(name) for name, property_ in type_.properties.items() if property_.computed}
    return {**computed, **(old_inputs or olds)}


def means_same(old: Any, new: Any, property_: Property) -> bool:
    """Return whether two values of a property mean the same."""
    return not any(_compare("", _normalized(old, property_), _normalized(new, property_), property_))


def _normalized(value: Any, property_: Property) -> Any:
    """Return `value` without what has no meaning: empty structures, and defaults that were left out."""
    if value is None:
        return property_.default
    if property_.kind == "json":
        return _canonical(value)
    if is_asset(value):
        return value.get("hash") or value
    if property_.fields:
        items = [_normalized_fields(item, property_) for item in (value if isinstance(value, list) else [value])]
        if property_.unordered:
            items.sort(key=str)
        return (items if isinstance(value, list) else items[0]) or None
    if property_.unordered and isinstance(value, list):
        return sorted(value, key=str) or None
    return None if value in ({}, [], "") else canonical(value, property_)


def _normalized_fields(value: Any, property_: Property) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _normalized(value.get(name), field) for name, field in property_.fields.items() if not field.output}
    given = {name: item for name, item in inner.items() if item is not None}
    return given if any(item != property_.fields[name].default for name, item in given.items()) else {}


def _canonical(value: Any) -> Any:
    try:
        return json.dumps(json.loads(value), sort_keys=True) if value else None
    except (TypeError, ValueError):
        return value


class _Change(NamedTuple):
    path: str
    kind: str
    replaces: bool


def _compare(path: str, old: Any, new: Any, property_: Property) -> Iterator[_Change]:
    if old == new:
        return
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            inner = property_.fields.get(key)
            if inner is None or not (inner.computed and new.get(key) is None):
                yield from _compare(join_path(path, key), old.get(key), new.get(key), inner or property_)
    elif isinstance(old, list) and isinstance(new, list) and not property_.unordered:
        for place in range(max(len(old), len(new))):
            before, after = (items[place] if place < len(items) else None for items in (old, new))
            yield from _compare(f"{path}[{place}]", before, after, property_)
    else:
        yield _Change(path, _kind(old, new), property_.replace or any(_replaces(one, property_) for one in (old, new)))


def _replaces(value: Any, property_: Property) -> bool:
    """Return whether an object that comes or goes has a field whose change replaces the resource."""
    items = value if isinstance(value, list) else [value]
    return any(
        name in property_.fields
        and item is not None
        and (property_.fields[name].replace or _replaces(item, property_.fields[name]))
        for one in items
        if isinstance(one, dict)
        for name, item in one.items()
    )


def _kind(old: Any, new: Any) -> str:
    if old is None:
        return "add"
    return "delete" if new is None and new != UNKNOWN else "update"
