"""The event that MinIO posts to a webhook: https://github.com/minio/minio/blob/master/internal/event/event.go."""

import datetime
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

CREATED = "s3:ObjectCreated:Put"


@dataclass(frozen=True)
class EventObject:
    """An object that an event is about; `written` in ms since the epoch, `size` in bytes."""

    bucket: str
    key: str
    written: int
    size: int = 0
    etag: str = ""
    content_type: str = ""


def minio_event(
    found: EventObject, user: str, *, region: str, name: str = CREATED, endpoint: str = ""
) -> dict[str, Any]:
    """Return the event of an object that a user has written.

    OSCAR mounts the Secret of that user into the job, and its supervisor reads the time.
    """
    identity = {"principalId": user}
    stored = {
        "key": quote_plus(found.key),
        "size": found.size,
        "eTag": found.etag,
        "contentType": found.content_type,
        "sequencer": f"{found.written * 1_000_000:016X}",
    }
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": region,
        "eventTime": _moment(found.written),
        "eventName": name,
        "userIdentity": identity,
        "requestParameters": {**identity, "region": region, "sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-minio-origin-endpoint": endpoint},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": found.bucket, "ownerIdentity": identity, "arn": f"arn:aws:s3:::{found.bucket}"},
            "object": stored,
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": ""},
    }
    return {"EventName": name, "Key": f"{found.bucket}/{found.key}", "Records": [record]}


def _moment(written: int) -> str:
    moment = datetime.datetime.fromtimestamp(written / 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{written % 1000:03d}Z"
