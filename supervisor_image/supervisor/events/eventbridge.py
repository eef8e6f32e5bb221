"""Storage events by way of Amazon EventBridge: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html."""

import json
from typing import Any

from supervisor.errors import EventInvalid
from supervisor.events.model import Item, Items, Object, Surroundings, bucket_and_key


def items(event: Any, _around: Surroundings) -> Items | None:
    """The object of the event; None when this is not about one. Keys are not encoded here, unlike in records."""
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
