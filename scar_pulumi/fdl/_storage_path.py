"""`storage_provider` and `path` of an input or output, taken apart."""

import re
from typing import Any, NamedTuple

from scar_pulumi.fdl._kinds import Rule
from scar_pulumi.fdl.model import StoragePath
from scar_pulumi.fdl.tables.names import BUCKET

# Checked in order on the whole path as written; the first that is found is reported.
_RULES = (
    Rule(r"^[a-zA-Z0-9]+://", "starts with a URL scheme", "write bucket/folder without it"),
    Rule(r"[\x00-\x1f\x7f\x85\u2028\u2029]", "has a control character or a line end", "remove it"),
    Rule(r"//", "has an empty folder name ('//')", "write one '/'"),
    Rule(r"(?:^|/)\.{1,2}(?:/|$)", "has '.' or '..' as a folder name, which S3 tools cannot address", "write it out"),
    Rule(r"^/?$", "names no bucket", "write bucket or bucket/folder"),
)


class BadPathError(Exception):
    """A storage path that cannot be used: what is wrong and what to do."""

    def __init__(self, message: str, hint: str | None) -> None:
        super().__init__(message)
        self.hint = hint


class Provider(NamedTuple):
    """Type and name of a storage provider: "minio.mine" is ("minio", "mine"), "s3" is ("s3", "default")."""

    type: str
    id: str


def split_provider(text: str) -> Provider:
    """The type and the name; the name is "default" where none is given."""
    kind, _, name = text.partition(".")
    return Provider(kind, name or "default")


def split_path(text: str, *, in_bucket: bool = True) -> tuple[str, str]:
    """Bucket and folder; one slash at either end means nothing. Storage without buckets has folders only.

    Raises:
        BadPathError: The path or its bucket's name cannot be used.
    """
    shown = repr(text if len(text) <= 60 else f"{text[:60]}…")
    for rule in _RULES:
        if re.search(rule.pattern, text):
            raise BadPathError(f"{shown} {rule.says}", rule.hint)
    bucket, _, folder = text.strip("/").partition("/")
    if in_bucket:
        _check_bucket(bucket)
    return bucket, folder


def storage_path(values: dict[str, Any], service: str | None = None) -> StoragePath:
    """An entry of `input` or `output` as data; OSCAR takes a path of one part as a folder in a bucket of the service.

    Raises:
        BadPathError: The path or its bucket's name cannot be used.
    """
    provider, text = split_provider(values["storage_provider"]), values["path"]
    if service is not None and provider.type == "minio" and text and "/" not in text:
        text = f"{service}/{text}"
    bucket, folder = split_path(text, in_bucket=provider.type in ("s3", "minio"))
    return StoragePath(
        *provider,
        bucket,
        folder,
        prefix=tuple(values.get("prefix", ())),
        suffix=tuple(values.get("suffix", ())),
        per_request=values.get("per_request", False),
    )


def _check_bucket(bucket: str) -> None:
    if BUCKET.longest is not None and len(bucket) > BUCKET.longest:
        raise BadPathError(
            f"the bucket's name has {len(bucket)} characters, {BUCKET.longest} are allowed", "shorten it"
        )
    for rule in BUCKET.rules:
        found = re.search(rule.pattern, bucket) if rule.forbid else re.fullmatch(rule.pattern, bucket)
        if bool(found) == rule.forbid:
            raise BadPathError(f"the bucket {bucket!r} {rule.says}", rule.hint)
