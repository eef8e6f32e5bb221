"""`BUCKET/PREFIX` or `PROVIDER/BUCKET/PREFIX`, as people write it."""

import re
from dataclasses import dataclass

from scar_foundation.errors import InputError

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
            InputError: There is no bucket in it.
        """
        provider, rest = "", text.removeprefix("s3://")
        if rest == text and _PROVIDER.fullmatch(first := text.partition("/")[0]):
            provider, rest = "" if first == _OWN else first, text.partition("/")[2]
        bucket, _, key = rest.partition("/")
        if not bucket:
            place = f"{provider}/" if provider else ""
            raise InputError(f"{text or repr(text)}: no bucket is named; write {place}BUCKET or {place}BUCKET/PREFIX")
        return cls(bucket, key, provider)

    @property
    def folder(self) -> str:
        """What the keys in this folder start with: empty, or ending in a slash, so `in` does not take in `inner/`."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    @property
    def container(self) -> str:
        """The bucket as people write it."""
        return f"{self.provider}/{self.bucket}" if self.provider else self.bucket

    def holds(self, key: str) -> bool:
        """Whether a key is this object or lies in this folder."""
        return key == self.key or key.startswith(self.folder)

    def __str__(self) -> str:
        return f"{self.container}/{self.key}" if self.key else self.container
