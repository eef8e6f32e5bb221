"""Objects in buckets: named as people write them, listed and removed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from scar_foundation.errors import InputError, ScarError

_PROVIDER = re.compile(r"(?:s3|minio|onedata|webdav|rucio)\.[^/]+")
_OWN = "s3.default"


@dataclass(frozen=True)
class Location:
    """A place in a bucket: the whole of it (`key` empty), a folder, or one object.

    `provider` is the storage that the bucket is in, such as `minio.default`; empty for S3 in the stack's own account.
    """

    bucket: str
    key: str = ""
    provider: str = ""

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Read `BUCKET`, `BUCKET/PREFIX`, the same behind a provider such as `minio.default/`, or `s3://BUCKET/PREFIX`.

        A first part that begins with a kind of storage and a dot names a provider. S3's buckets can have such names,
        too: `s3://minio.default/PREFIX` always means the bucket.

        Raises:
            InputError: It names no bucket.
        """
        provider, rest = "", text.removeprefix("s3://")
        if rest == text and _PROVIDER.fullmatch(first := text.partition("/")[0]):
            provider, rest = "" if first == _OWN else first, text.partition("/")[2]
        bucket, _, key = rest.partition("/")
        if not bucket:
            place = f"{provider}/" if provider else ""
            raise InputError(f"{text or repr(text)}: no bucket is given; write {place}BUCKET or {place}BUCKET/PREFIX")
        return cls(bucket, key, provider)

    @property
    def folder(self) -> str:
        """What the keys in this folder start with: empty, or with a slash at its end, so `in` excludes `inner/`."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    @property
    def container(self) -> str:
        """The bucket as people write it, with its provider."""
        return f"{self.provider}/{self.bucket}" if self.provider else self.bucket

    def holds(self, key: str) -> bool:
        """Whether a key is this object or lies in this folder."""
        return key == self.key or key.startswith(self.folder)

    def __str__(self) -> str:
        return f"{self.container}/{self.key}" if self.key else self.container


@dataclass(frozen=True)
class StoredObject:
    """An object; `size` in bytes."""

    key: str
    size: int
    modified: datetime
    etag: str


def objects(s3: Any, location: Location) -> Iterator[StoredObject]:
    """List the object or the folder at a location, sorted by key."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=location.bucket, Prefix=location.key)
    for page in pages:
        for entry in page.get("Contents", ()):
            if location.holds(entry["Key"]):
                yield StoredObject(entry["Key"], entry["Size"], entry["LastModified"], entry.get("ETag", "").strip('"'))


def remove_object(s3: Any, location: Location) -> None:
    """Remove one object.

    Raises:
        botocore.exceptions.ClientError: There is no such object.
    """
    s3.head_object(Bucket=location.bucket, Key=location.key)  # DeleteObject also succeeds for a missing object
    s3.delete_object(Bucket=location.bucket, Key=location.key)


def remove_contents(s3: Any, location: Location, removed: Callable[[int], None] = lambda _: None) -> int:
    """Remove everything at a location, old versions and unfinished uploads included, and return how many objects.

    Raises:
        ScarError: Some could not be removed; the message lists them.
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


def _batches(s3: Any, location: Location) -> Iterator[list[dict[str, str]]]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=location.bucket, Prefix=location.key):
        entries = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
        batch = [_identity(entry) for entry in entries if location.holds(entry["Key"])]
        if batch:
            yield batch


def _identity(entry: dict[str, Any]) -> dict[str, str]:
    # "null" is the version of what was there before the bucket kept versions.
    return {name: entry[name] for name in ("Key", "VersionId") if entry.get(name)}


def _unfinished(s3: Any, location: Location) -> Iterator[dict[str, str]]:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=location.bucket, Prefix=location.key):
        for entry in page.get("Uploads", ()):
            if location.holds(entry["Key"]):
                yield {"Key": entry["Key"], "UploadId": entry["UploadId"]}
