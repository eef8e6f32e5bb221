"""Events as MinIO words them. https://min.io/docs/minio/linux/administration/monitoring/bucket-notifications.html"""

import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from scar_pulumi.cloud.oscar.address import REGION, USER
from scar_pulumi.cloud.oscar.job_log import moment


@dataclass(frozen=True)
class NewObject:
    """What came into a bucket, and by which event; `size` in bytes."""

    event: str
    bucket: str
    key: str
    size: int = 0
    etag: str = ""
    content_type: str = ""


def event_of(found: NewObject, endpoint: str) -> dict[str, Any]:
    """What MinIO posts to the webhook of a bucket."""
    now = time.time()
    identity = {"principalId": USER}
    record = {
        "eventVersion": "2.0",
        "eventSource": "minio:s3",
        "awsRegion": REGION,
        "eventTime": moment(now),
        "eventName": found.event,
        "userIdentity": identity,
        "requestParameters": {**identity, "region": REGION, "sourceIPAddress": "127.0.0.1"},
        "responseElements": {"x-minio-origin-endpoint": endpoint},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {"name": found.bucket, "ownerIdentity": identity, "arn": f"arn:aws:s3:::{found.bucket}"},
            "object": {
                "key": quote_plus(found.key),
                "size": found.size,
                "eTag": found.etag,
                "contentType": found.content_type,
                "sequencer": f"{time.time_ns():016X}",
            },
        },
        "source": {"host": "127.0.0.1", "port": "", "userAgent": ""},
    }
    return {"EventName": found.event, "Key": f"{found.bucket}/{found.key}", "Records": [record]}
