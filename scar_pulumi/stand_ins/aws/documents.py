"""Properties as AWS's documents and back, by the tables."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.inputs import canonical
from scar_pulumi.stand_ins.aws.model import Property, ResourceType


def places(type_: ResourceType, name: str, property_: Property) -> tuple[str, ...]:
    """Return where AWS's documents may have a property."""
    return property_.at or (_default_place(name, camel=type_.camel),)


def place_in(type_: ResourceType, name: str, members: Iterable[str]) -> str | None:
    """Return where an operation with these input members takes a property, or None when it does not."""
    property_ = type_.properties[name]
    if property_.local:
        return None
    known = frozenset(members)
    return next((place for place in places(type_, name, property_) if place.partition(".")[0] in known), None)


def request(type_: ResourceType, values: Mapping[str, Any], members: Iterable[str]) -> Properties:
    """Return the parameters of an operation: every property that its input has a place for."""
    document: Properties = {}
    known = frozenset(members)
    for name, property_ in type_.properties.items():
        place = place_in(type_, name, known)
        if place and values.get(name) is not None:
            put(document, place, to_aws(values[name], property_, camel=type_.camel))
    return document


def properties(type_: ResourceType, document: Mapping[str, Any]) -> Properties:
    """Return the properties that a document of AWS has."""
    found: Properties = {}
    for name, property_ in type_.properties.items():
        derived = property_.local or property_.template
        value = None if derived else _read(document, places(type_, name, property_), property_, type_.camel)
        if value is not None:
            found[name] = value
    return found


def to_aws(value: Any, property_: Property, *, camel: bool) -> Any:
    """Return a value as AWS takes it."""
    if property_.wrapped:
        value = value[0] if value else {}
    if property_.fields:
        if isinstance(value, list):
            return [_object(item, property_, camel=camel) for item in value]
        return _object(value, property_, camel=camel)
    if property_.words:
        return property_.words[bool(value)]
    if property_.spelled:
        return value == "true"
    if property_.text:
        return str(value).lower() if isinstance(value, bool) else str(value)
    return canonical(value, property_)


def from_aws(value: Any, property_: Property, *, camel: bool) -> Any:
    """Return a value as the program sees it."""
    if property_.fields:
        items = value if isinstance(value, list) else [value]
        found = [_fields(item, property_, camel=camel) for item in items]
        return found if isinstance(value, list) or property_.wrapped else found[0]
    if property_.words:
        return value == property_.words[True]
    if property_.spelled:
        return str(bool(value)).lower()
    if property_.kind == "json" and isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":"))
    if property_.text and property_.kind != "json":
        return value == "true" if property_.kind == "boolean" else _number(value, property_)
    return _plain_text(value, property_) if isinstance(value, str) else getattr(value, "isoformat", lambda: value)()


def dig(document: Any, path: str) -> Any:
    """Return what a document has at a path, or None."""
    for step in path.split(".") if path else ():
        if isinstance(document, list):
            document = document[int(step)] if step.isdigit() and int(step) < len(document) else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


def put(document: Properties, path: str, value: Any) -> None:
    """Set what a document has at a path, making objects and one-element lists on the way."""
    head, _, rest = path.partition(".")
    if not rest:
        document[head] = value
    elif rest.partition(".")[0].isdigit():
        inner: Properties = {}
        _, _, deeper = rest.partition(".")
        if deeper:
            put(inner, deeper, value)
        document[head] = [inner if deeper else value] if value else []
    else:
        put(document.setdefault(head, {}), rest, value)


def _default_place(name: str, *, camel: bool) -> str:
    return name if camel else name[0].upper() + name[1:]


def _object(value: Mapping[str, Any], property_: Property, *, camel: bool) -> Properties:
    document: Properties = {}
    for name, field in property_.fields.items():
        if value.get(name) is not None and not field.output:
            place = (field.at or (_default_place(name, camel=camel),))[0]
            put(document, place, to_aws(value[name], field, camel=camel))
    return document


def _fields(document: Any, property_: Property, *, camel: bool) -> Properties:
    found = {
        name: _read(document, field.at or (_default_place(name, camel=camel),), field, camel)
        for name, field in property_.fields.items()
    }
    return {name: value for name, value in found.items() if value is not None}


def _read(document: Any, paths: tuple[str, ...], property_: Property, camel: bool) -> Any:
    for path in paths:
        value = dig(document, path)
        if value in (None, {}) or (property_.kind in {"string", "list"} and isinstance(value, Mapping)):
            continue
        return from_aws(value, property_, camel=camel)
    return None


def _plain_text(value: str, property_: Property) -> str:
    part = re.search(property_.part, value) if property_.part else None
    return part[1] if part else value.strip('"') if value.startswith('"') else value


def _number(value: str, property_: Property) -> Any:
    return int(value) if property_.kind == "integer" else value
