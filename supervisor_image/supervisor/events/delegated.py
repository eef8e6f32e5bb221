"""Events that another cluster or function passed on: the original as `event`, and where its files are."""

import json
from typing import Any

from supervisor.events.model import Data, Item, Items, Object, Surroundings


def items(event: Any, around: Surroundings) -> Items | None:
    """The items of the original, in the storage that `storage_provider` names; None when nothing was passed on."""
    if not isinstance(event, dict) or "event" not in event:
        return None
    provider = str(event.get("storage_provider") or "")
    return tuple(_placed(item, provider) for item in around.read(_original(event["event"])))


def _original(inner: Any) -> Any:
    """The event that was passed on, which may be text of one; other text is itself the input."""
    try:
        found = json.loads(inner) if isinstance(inner, str) else inner
    except (ValueError, RecursionError):
        return inner
    return found if isinstance(found, dict) else inner


def _placed(item: Item, provider: str) -> Item:
    source = item.source
    if isinstance(source, Data) or not provider:
        return item
    kind, _, identifier = provider.partition(".")
    if not identifier and kind not in ("s3", "minio", "onedata", "webdav", "rucio"):  # an id of the event's own kind
        kind, identifier = source.provider.partition(".")[0], provider
    named = f"{kind}.{identifier or 'default'}"
    return Item(Object(named, source.container, source.key), item.variables)
