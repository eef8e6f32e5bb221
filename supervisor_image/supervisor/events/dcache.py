"""Storage events of dCache, as its inotify-like channels send them: `event` and `subscription`.

https://www.dcache.org/manuals/UserGuide-9.2/frontend.shtml#storage-events
"""

import json
from typing import Any

from supervisor.errors import EventInvalid
from supervisor.events.model import Item, Items, Object, Surroundings, text

_PROVIDER = "webdav.dcache"


def items(event: Any, around: Surroundings) -> Items | None:
    """The file that the event names, below the path of the function's input; None when this is not dCache's."""
    if not isinstance(event, dict) or "event" not in event or "subscription" not in event:
        return None
    told = event["event"]
    name = text(told.get("name")) if isinstance(told, dict) else ""
    if not name:
        raise EventInvalid("the dCache event does not name a file")
    key = f"{_folder(around)}/{name}".strip("/")
    return (Item(Object(_provider(around), "", key), {"STORAGE_OBJECT_KEY": key, "EVENT": json.dumps(event)}),)


def _provider(around: Surroundings) -> str:
    names = [entry.provider for entry in around.inputs if entry.provider.startswith("webdav")]
    return _PROVIDER if _PROVIDER in names or not names else names[0]


def _folder(around: Surroundings) -> str:
    provider = _provider(around)
    return next((entry.path for entry in around.inputs if entry.provider == provider), "")
