"""Events: what each says of the inputs to run on, and of what to run. One module per kind of event."""

import json
from typing import Any, NamedTuple

from supervisor.configuration import StoragePath
from supervisor.errors import EventInvalid
from supervisor.events import dcache, delegated, direct, eventbridge, http, records, rucio, unknown
from supervisor.events.model import Data, Item, Items, Object, Surroundings

__all__ = [
    "QUEUED",
    "Data",
    "Item",
    "Object",
    "Request",
    "asks_for_later",
    "asks_for_page",
    "gateway_gives_up",
    "gateway_request",
    "is_synchronous_http",
    "parse",
    "request",
]

is_synchronous_http = http.is_synchronous
asks_for_later = http.asks_for_later
asks_for_page = http.asks_for_page
gateway_gives_up = http.gives_up
QUEUED = http.QUEUED
gateway_request = http.gateway_request

# Asked in this order; the first that recognises the event says what its inputs are. The last takes everything.
_KINDS = (http.items, dcache.items, rucio.items, delegated.items, records.items, eventbridge.items, unknown.items)
_DEEPEST = 8  # a delegated event of a queue's message of a topic's message of a bucket is four


class Request(NamedTuple):
    """What an event asks for: a run per item, of the script or with the arguments it brings, if any."""

    items: Items
    script: bytes | None = None
    arguments: tuple[str, ...] | None = None


def parse(payload: bytes) -> Any:
    """The event: what its JSON says, else its text."""
    text = payload.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return text


def request(event: Any, inputs: tuple[StoragePath, ...] = ()) -> Request:
    """What the event asks for."""
    return Request(_items(event, inputs, _DEEPEST), direct.script(event), direct.arguments(event))


def _items(event: Any, inputs: tuple[StoragePath, ...], deeper: int) -> Items:
    if not deeper:
        raise EventInvalid(f"the event holds more than {_DEEPEST} events inside each other")
    around = Surroundings(inputs, lambda inner: _inner(inner, inputs, deeper - 1))
    return next(found for kind in _KINDS if (found := kind(event, around)) is not None)


def _inner(inner: Any, inputs: tuple[StoragePath, ...], deeper: int) -> Items:
    """The items of an event inside another; bytes are a message that may be one."""
    if not isinstance(inner, bytes):
        return _items(inner, inputs, deeper)
    event = parse(inner) if inner.strip() else None
    if isinstance(event, dict):
        found = _items(event, inputs, deeper)
        if not any(isinstance(item.source, Data) for item in found):
            return found
    return (unknown.item(inner),)
