"""Events of Rucio: a data identifier, by scope and name: https://rucio.cern.ch/documentation/operator/notifications/."""

import json
from collections.abc import Mapping
from typing import Any

from supervisor.events.model import Item, Items, Object, Surroundings, text


def items(event: Any, _around: Surroundings) -> Items | None:
    """The file that the event names; None when this is not Rucio's."""
    told = _told(event)
    return None if told is None else (item(told, event),)


def item(told: Mapping[str, Any], event: Any) -> Item:
    """The item of what is told of one file."""
    name, scope = told["name"], told["scope"]
    variables = {"STORAGE_OBJECT_KEY": name, "RUCIO_SCOPE": scope, "EVENT": json.dumps(event)}
    created = event.get("created_at") if isinstance(event, dict) else None
    if created:
        variables["EVENT_TIME"] = str(created)
    return Item(Object("rucio.default", scope, name), variables)


def named(told: Any) -> bool:
    """Whether this names a file as Rucio does."""
    return isinstance(told, dict) and bool(text(told.get("scope")) and text(told.get("name")))


def _told(event: Any) -> Any:
    if not isinstance(event, dict):
        return None
    payload, inner = event.get("payload"), event.get("event")
    if "event_type" in event and isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    if "event_type" in event and named(payload):
        return payload
    return inner if named(inner) else None
