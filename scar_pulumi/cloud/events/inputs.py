"""What a rule's target gets: the event, a part of it, a text of its own, or what a template makes of the event.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import jsonpath

Event = Mapping[str, Any]
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.-]+)>")
_KINDS = ("Input", "InputPath", "InputTransformer")


def input_mistake(target: Mapping[str, Any]) -> str | None:
    """Return what is wrong with how a target asks for its input, else None."""
    kinds = [kind for kind in _KINDS if target.get(kind)]
    if len(kinds) > 1:
        return f"only one of {', '.join(_KINDS)} may be given, not {' and '.join(kinds)}"
    transformer = target.get("InputTransformer") or {}
    for path in (target.get("InputPath") or "$", *(transformer.get("InputPathsMap") or {}).values()):
        try:
            jsonpath.compile(path)
        except jsonpath.JSONPathError:
            return f"{path!r} is not a JSONPath"
    if target.get("Input"):
        try:
            json.loads(target["Input"])
        except ValueError as error:
            return f"Input must be JSON: {error}"
    unknown = set(_PLACEHOLDER.findall(transformer.get("InputTemplate", ""))) - {
        *(transformer.get("InputPathsMap") or {}),
        *_reserved({}, "arn:aws:events:::rule/x"),
    }
    return f"InputTemplate has <{min(unknown)}>, which InputPathsMap does not name" if unknown else None


def input_of(target: Mapping[str, Any], event: Event, rule: str) -> str:
    """Return what a target of a rule gets for an event."""
    if target.get("Input"):
        return str(target["Input"])
    if target.get("InputPath"):
        return json.dumps(_found(target["InputPath"], event))
    if target.get("InputTransformer"):
        return _transformed(target["InputTransformer"], event, rule)
    return json.dumps(event)


def _found(path: str, event: Event) -> Any:
    query: Any = jsonpath.compile(path)
    found = query.findall(dict(event))
    return (found[0] if found else None) if query.singular_query() else found


def _transformed(transformer: Mapping[str, Any], event: Event, rule: str) -> str:
    """Fill a template. Within quotes a value is put as plain text, elsewhere as JSON."""
    paths = transformer.get("InputPathsMap") or {}
    values = {**{name: _found(path, event) for name, path in paths.items()}, **_reserved(event, rule)}
    template, made, place = str(transformer["InputTemplate"]), "", 0
    for found in _PLACEHOLDER.finditer(template):
        made += template[place : found.start()]
        value = values.get(found[1], "")
        made += _plain(value) if _is_quoted(template[: found.start()]) else json.dumps(value)
        place = found.end()
    return made + template[place:]


def _is_quoted(before: str) -> bool:
    return len(re.findall(r'(?<!\\)"', before)) % 2 == 1


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]


def _reserved(event: Event, rule: str) -> dict[str, Any]:
    plain = {name: value for name, value in event.items() if name != "detail"}
    return {
        "aws.events.rule-arn": rule,
        "aws.events.rule-name": rule.rpartition("/")[2],
        "aws.events.event.ingestion-time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "aws.events.event": plain,
        "aws.events.event.json": dict(event),
    }
