"""Events that are lists of records: of storages, and of the queues and topics that pass them on."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote_plus

from supervisor.errors import EventInvalid
from supervisor.events import rucio
from supervisor.events.model import Item, Items, Object, Surroundings, bucket_and_key, text

Record = Mapping[str, Any]


def items(event: Any, around: Surroundings) -> Items | None:
    """The items of all records in their order; None when this is no such list."""
    records = event.get("Records") if isinstance(event, dict) else None
    if not isinstance(records, list) or not records or not all(_source(record) in _READERS for record in records):
        return None
    return tuple(item for record in records for item in _READERS[_source(record)](record, event, around))


def _source(record: Any) -> str:
    # Amazon SNS alone begins the name with a capital letter.
    return str(record.get("eventSource") or record.get("EventSource")) if isinstance(record, dict) else ""


def _s3(kind: str) -> Callable[[Record, Record, Surroundings], Items]:
    def read(record: Record, _event: Record, _around: Surroundings) -> Items:
        # https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
        named = bucket_and_key(record.get("s3"))
        if named is None:
            writer = "S3" if kind == "s3" else "MinIO"
            raise EventInvalid(f"the {writer} record does not name a bucket and an object key")
        key = unquote_plus(named[1])
        return (Item(Object(f"{kind}.default", named[0], key), _variables(record, key)),)

    return read


def _onetrigger(record: Record, event: Record, _around: Surroundings) -> Items:
    """OneTrigger names the space and the whole path beside the records, and the file in each."""
    name, whole = text(record.get("objectKey")), text(event.get("Key")).strip("/")
    if not name and not whole:
        raise EventInvalid("the OneTrigger record does not name a file")
    folder = whole.rpartition("/")[0]
    several = len(event["Records"]) > 1 or not whole
    path = f"{folder}/{name}".strip("/") if several and name else whole
    space, _, key = path.partition("/")
    return (Item(Object("onedata.default", space, key), _variables(record, key)),)


def _topic(record: Record, _event: Record, around: Surroundings) -> Items:
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html
    message = record.get("Sns")
    return _message(message.get("Message") if isinstance(message, dict) else None, around)


def _queue(record: Record, _event: Record, around: Surroundings) -> Items:
    # https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
    body = record.get("body")
    # A topic that feeds the queue wraps its messages, unless raw delivery is on.
    try:
        wrapped = json.loads(body) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        wrapped = None
    if isinstance(wrapped, dict) and wrapped.get("Type") == "Notification" and "TopicArn" in wrapped:
        return _message(wrapped.get("Message"), around)
    return _message(body, around)


def _message(message: Any, around: Surroundings) -> Items:
    if not isinstance(message, str):
        raise EventInvalid("a record of the event has no message")
    if '"s3:TestEvent"' in message:  # sent once, when a notification is set up
        return ()
    return around.read(message.encode("utf-8", "replace"))


def _rucio(record: Record, _event: Record, _around: Surroundings) -> Items:
    payload = record.get("payload", record)
    if not rucio.named(payload):
        raise EventInvalid("the Rucio record does not name a file by scope and name")
    return (rucio.item(payload, record),)


def _variables(record: Record, key: str) -> dict[str, str]:
    variables = {"STORAGE_OBJECT_KEY": key, "EVENT": json.dumps(record)}
    return {**variables, "EVENT_TIME": str(record["eventTime"])} if record.get("eventTime") else variables


_READERS: Mapping[str, Callable[[Record, Record, Surroundings], Items]] = {
    "aws:s3": _s3("s3"),
    "minio:s3": _s3("minio"),
    "OneTrigger": _onetrigger,
    "aws:sns": _topic,
    "aws:sqs": _queue,
    "rucio": _rucio,
}
