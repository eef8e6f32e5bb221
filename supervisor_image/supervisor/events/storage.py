"""Storage events: of S3, MinIO, Onedata, dCache and Rucio, on their own or in messages of SNS and SQS."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from supervisor.errors import EventInvalid
from supervisor.events.items import Item, Items, Object, Reader, bucket_and_key, text

Record = Mapping[str, Any]
_DCACHE = "webdav.dcache"


def record_items(event: Any, reader: Reader) -> Items | None:
    """Return the items of an event's `Records`, in their order; None where it has none that are known."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not all(_source(record) in _READERS for record in records):
        return None
    return tuple(item for record in records for item in _READERS[_source(record)](record, event, reader))


def _source(record: Any) -> str:
    # Only SNS writes the name with a capital letter.
    return str(record.get("eventSource") or record.get("EventSource")) if isinstance(record, dict) else ""


def _s3(kind: str) -> Callable[[Record, Record, Reader], Items]:
    def read(record: Record, _event: Record, _reader: Reader) -> Items:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        named = bucket_and_key(record.get("s3"))
        if named is None:
            sender = "S3" if kind == "s3" else "MinIO"
            raise EventInvalid(f"the {sender} record does not name a bucket and an object key")
        key = unquote_plus(named[1])
        return (Item(Object(f"{kind}.default", named[0], key), _variables(record, key)),)

    return read


def _onetrigger(record: Record, event: Record, _reader: Reader) -> Items:
    """Read a record of OneTrigger: the event has the space and a whole path, each record its file's name."""
    name, whole = text(record.get("objectKey")), text(event.get("Key")).strip("/")
    if not name and not whole:
        raise EventInvalid("the OneTrigger record does not name a file")
    folder = whole.rpartition("/")[0]
    several = len(event["Records"]) > 1 or not whole
    path = f"{folder}/{name}".strip("/") if several and name else whole
    space, _, key = path.partition("/")
    return (Item(Object("onedata.default", space, key), _variables(record, key)),)


def _sns(record: Record, _event: Record, reader: Reader) -> Items:
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    message = record.get("Sns")
    return _message(message.get("Message") if isinstance(message, dict) else None, reader)


def _sqs(record: Record, _event: Record, reader: Reader) -> Items:
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    body = record.get("body")
    # A topic that feeds the queue wraps its messages, unless raw message delivery is on.
    try:
        wrapped = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        wrapped = None
    if isinstance(wrapped, dict) and wrapped.get("Type") == "Notification" and "TopicArn" in wrapped:
        return _message(wrapped.get("Message"), reader)
    return _message(body, reader)


def _message(message: Any, reader: Reader) -> Items:
    if not isinstance(message, str):
        raise EventInvalid("a record of the event has no message")
    if '"s3:TestEvent"' in message:  # sent once, when a notification is set up
        return ()
    return reader.read(message.encode("utf-8", "replace"))


def _rucio(record: Record, _event: Record, _reader: Reader) -> Items:
    payload = record.get("payload", record)
    if not _names_rucio_file(payload):
        raise EventInvalid("the Rucio record does not name a file by scope and name")
    return (_rucio_item(payload, record),)


_READERS: Mapping[str, Callable[[Record, Record, Reader], Items]] = {
    "aws:s3": _s3("s3"),
    "minio:s3": _s3("minio"),
    "OneTrigger": _onetrigger,
    "aws:sns": _sns,
    "aws:sqs": _sqs,
    "rucio": _rucio,
}


def _variables(record: Record, key: str) -> dict[str, str]:
    variables = {"STORAGE_OBJECT_KEY": key, "EVENT": json.dumps(record)}
    return {**variables, "EVENT_TIME": str(record["eventTime"])} if record.get("eventTime") else variables


def eventbridge_items(event: Any, _reader: Reader) -> Items | None:
    """Return the object of S3 that an EventBridge event names; None where it is not about one.

    Keys are not encoded here, unlike in records: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html
    """
    if not isinstance(event, dict) or event.get("source") != "aws.s3" or not isinstance(event.get("detail"), dict):
        return None
    if not str(event.get("detail-type", "")).startswith("Object"):
        return None
    named = bucket_and_key(event["detail"])
    if named is None:
        raise EventInvalid("the EventBridge event does not name a bucket and an object key")
    bucket, key = named
    variables = {"STORAGE_OBJECT_KEY": key, "EVENT": json.dumps(event)}
    if time := event.get("time"):
        variables["EVENT_TIME"] = str(time)
    return (Item(Object("s3.default", bucket, key), variables),)


def dcache_items(event: Any, reader: Reader) -> Items | None:
    """Return the file of a dCache event, below the path of the function's input; None where it is another event.

    https://www.dcache.org/manuals/UserGuide-9.2/frontend.shtml#storage-events
    """
    if not isinstance(event, dict) or "event" not in event or "subscription" not in event:
        return None
    change = event["event"]
    name = text(change.get("name")) if isinstance(change, dict) else ""
    if not name:
        raise EventInvalid("the dCache event does not name a file")
    provider = _dcache_provider(reader)
    folder = next((entry.path for entry in reader.inputs if entry.provider == provider), "")
    key = f"{folder}/{name}".strip("/")
    return (Item(Object(provider, "", key), {"STORAGE_OBJECT_KEY": key, "EVENT": json.dumps(event)}),)


def _dcache_provider(reader: Reader) -> str:
    names = [entry.provider for entry in reader.inputs if entry.provider.startswith("webdav")]
    return _DCACHE if _DCACHE in names or not names else names[0]


def rucio_items(event: Any, _reader: Reader) -> Items | None:
    """Return the file that an event of Rucio names by scope and name; None where it is another event.

    https://rucio.cern.ch/documentation/operator/notifications/
    """
    file = _rucio_file(event)
    return None if file is None else (_rucio_item(file, event),)


def _rucio_item(file: Mapping[str, Any], event: Any) -> Item:
    name, scope = file["name"], file["scope"]
    variables = {"STORAGE_OBJECT_KEY": name, "RUCIO_SCOPE": scope, "EVENT": json.dumps(event)}
    created = event.get("created_at") if isinstance(event, dict) else None
    if created:
        variables["EVENT_TIME"] = str(created)
    return Item(Object("rucio.default", scope, name), variables)


def _names_rucio_file(value: Any) -> bool:
    return isinstance(value, dict) and bool(text(value.get("scope")) and text(value.get("name")))


def _rucio_file(event: Any) -> Any:
    if not isinstance(event, dict):
        return None
    payload, inner = event.get("payload"), event.get("event")
    if "event_type" in event and isinstance(payload, str):
        try:
            payload = json.loads(payload)
        except (ValueError, RecursionError):
            return None
    if "event_type" in event and _names_rucio_file(payload):
        return payload
    return inner if _names_rucio_file(inner) else None
