"""Objects, and buckets with all that is in them, removed."""

from collections.abc import Callable, Iterator
from typing import Any

from scar_foundation.errors import ScarError
from scar_pulumi.client.location import Location


def remove_object(s3: Any, location: Location) -> None:
    """Remove one object.

    Raises:
        botocore.exceptions.ClientError: There is no such object.
    """
    s3.head_object(Bucket=location.bucket, Key=location.key)  # DeleteObject is silent about a missing one
    s3.delete_object(Bucket=location.bucket, Key=location.key)


def remove_contents(s3: Any, location: Location, removed: Callable[[int], None] = lambda _: None) -> int:
    """Remove everything at a location, old versions and unfinished uploads included; returns how many.

    Raises:
        ScarError: Some could not be removed; names them.
    """
    count, failures = 0, []
    for batch in _batches(s3, location):
        answer = s3.delete_objects(Bucket=location.bucket, Delete={"Objects": batch, "Quiet": True})
        failures += [
            f"{error['Key']}: {error.get('Message') or error.get('Code')}" for error in answer.get("Errors", ())
        ]
        count += len(batch) - len(answer.get("Errors", ()))
        removed(count)
    for upload in _unfinished(s3, location):
        s3.abort_multipart_upload(Bucket=location.bucket, **upload)
    if failures:
        raise ScarError("\n".join([f"{location}: {len(failures)} objects could not be removed:", *failures[:20]]))
    return count


def remove_bucket(s3: Any, bucket: str) -> None:
    """Remove an empty bucket."""
    s3.delete_bucket(Bucket=bucket)


def _batches(s3: Any, location: Location) -> Iterator[list[dict[str, str]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=location.bucket, Prefix=location.key):
        entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        batch = [_identity(entry) for entry in entries if location.holds(entry["Key"])]
        if batch:
            yield batch


def _identity(entry: dict[str, Any]) -> dict[str, str]:
    # "null" is a version too: of what was there before the bucket kept versions.
    return {name: entry[name] for name in ("Key", "VersionId") if entry.get(name)}


def _unfinished(s3: Any, location: Location) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=location.bucket, Prefix=location.key):
        for entry in page.get("Uploads", ()):
            if location.holds(entry["Key"]):
                yield {"Key": entry["Key"], "UploadId": entry["UploadId"]}
