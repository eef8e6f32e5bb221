"""`BUCKET/PREFIX`, as people write it."""

from dataclasses import dataclass

from scar_pulumi.errors import InputError


@dataclass(frozen=True)
class Location:
    """A place in a bucket: the whole of it (`key` empty), a folder, or one object."""

    bucket: str
    key: str = ""

    @classmethod
    def parse(cls, text: str) -> "Location":
        """Read `BUCKET`, `BUCKET/PREFIX` or `s3://BUCKET/PREFIX`.

        Raises:
            InputError: There is no bucket in it.
        """
        bucket, _, key = text.removeprefix("s3://").partition("/")
        if not bucket:
            raise InputError(f"{text or repr(text)}: no bucket is named; write BUCKET or BUCKET/PREFIX")
        return cls(bucket, key)

    @property
    def folder(self) -> str:
        """What the keys in this folder start with: empty, or ending in a slash, so `in` does not take in `inner/`."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    def holds(self, key: str) -> bool:
        """Whether a key is this object or lies in this folder."""
        return key == self.key or key.startswith(self.folder)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}" if self.key else self.bucket
