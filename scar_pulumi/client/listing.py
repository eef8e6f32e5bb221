"""What is in a bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scar_pulumi.client.location import Location


@dataclass(frozen=True)
class StoredObject:
    """An object; `size` in bytes."""

    key: str
    size: int
    modified: datetime
    etag: str


def objects(s3: Any, location: Location) -> Iterator[StoredObject]:
    """List the object or the folder at a location, in the order of keys."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.key)
    for page in pages:
        for entry in page.get("Contents", ()):
            if location.holds(entry["Key"]):
                yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"], entry.get("ETag", "").strip('"'))
