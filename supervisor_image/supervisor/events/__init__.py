"""Events: the inputs that each names, and the program that it brings. HTTP and storages have a module each."""

import base64
import binascii
import json
from typing import Any, NamedTuple

from supervisor.configuration import STORAGE_KINDS, StoragePath
from supervisor.errors import EventInvalid
from supervisor.events import http, storage
from supervisor.events.items import Data, Item, Items, Object, Reader, data_item, data_items

__all__ = ["Data", "Item", "Object", "RunRequest", "parse", "request"]

_DEEPEST = 8  # a delegated event in a message of a queue in a message of a topic in an event of a bucket is four


class RunRequest(NamedTuple):
    """What an event asks for: a run per item, of the script or with the arguments that it brings, if any."""

    items: Items
    script: bytes | None = None
    arguments: tuple[str, ...] | None = None


def parse(payload: bytes) -> Any:
    """Return the event: the value of its JSON, else its text."""
    text = payload.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text) if text.strip() else {}
    except (ValueError, RecursionError):
        return text


def request(event: Any, inputs: tuple[StoragePath, ...] = ()) -> RunRequest:
    """Return what the event asks for. Raises EventInvalid."""
    return RunRequest(_items(event, inputs, _DEEPEST), _script(event), _arguments(event))


def _items(event: Any, inputs: tuple[StoragePath, ...], deeper: int) -> Items:
    if not deeper:
        raise EventInvalid(f"the event holds more than {_DEEPEST} events inside each other")
    reader = Reader(inputs, lambda inner: _inner(inner, inputs, deeper - 1))
    return next(found for kind in _KINDS if (found := kind(event, reader)) is not None)


def _inner(inner: Any, inputs: tuple[StoragePath, ...], deeper: int) -> Items:
    """Return the items of an event inside another; bytes are a message, which may be an event."""
    if not isinstance(inner, bytes):
        return _items(inner, inputs, deeper)
    event = parse(inner) if inner.strip() else None
    if isinstance(event, dict):
        found = _items(event, inputs, deeper)
        if not any(isinstance(item.source, Data) for item in found):
            return found
    return (data_item(inner),)


def _delegated_items(event: Any, reader: Reader) -> Items | None:
    """Return the items of the event that another cluster or function delegated; None where it is another event.

    The original is the value of `event`, and its files lie in the storage that `storage_provider` names.
    """
    if not isinstance(event, dict) or "event" not in event:
        return None
    provider = str(event.get("storage_provider") or "")
    return tuple(_placed(item, provider) for item in reader.read(_original(event["event"])))


def _original(inner: Any) -> Any:
    """Return the event that was delegated, which may be JSON text; other text is itself the input."""
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
    if not identifier and kind not in STORAGE_KINDS:  # an id of the event's own kind
        kind, identifier = source.provider.partition(".")[0], provider
    named = f"{kind}.{identifier or 'default'}"
    return Item(Object(named, source.container, source.key), item.variables)


# Asked in this order; the first one that recognises the event reads its inputs. The last one takes every event.
_KINDS = (
    http.request_items,
    storage.dcache_items,
    storage.rucio_items,
    _delegated_items,
    storage.record_items,
    storage.eventbridge_items,
    data_items,
)


def _script(event: Any) -> bytes | None:
    """Return the script that the event brings, in base64."""
    value = event.get("script") if isinstance(event, dict) else None
    if not value:
        return None
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventInvalid("the event's `script` is not base64; encode the script's bytes") from error


def _arguments(event: Any) -> tuple[str, ...] | None:
    """Return the arguments that the event brings, as a list or as the JSON text of one."""
    value = event.get("cmd_args") if isinstance(event, dict) else None
    if not value:
        return None
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise EventInvalid('the event\'s `cmd_args` is not JSON; send a list such as ["df", "-h"]') from error
    if not isinstance(found, list) or not all(isinstance(item, str | int | float) for item in found):
        raise EventInvalid('the event\'s `cmd_args` is not a list of words; send one such as ["df", "-h"]')
    return tuple(str(item) for item in found) or None
