"""Objects of a bucket into a folder, which they never leave and where they replace nothing unasked."""

import contextlib
import filecmp
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_pulumi.client._parallel import Meter, in_parallel
from scar_pulumi.client.listing import StoredObject, objects
from scar_pulumi.client.location import Location

_CHUNK = 1 << 20
# boto3's own threshold, in bytes
_PARTS_FROM = 8 << 20


@dataclass(frozen=True)
class Download:
    """An object and the file it becomes."""

    source: StoredObject
    file: Path


@dataclass(frozen=True)
class Fetched:
    """What became of an object.

    `outcome` is "downloaded", "unchanged" (the file was there already), "differs" (another file is there and was left
    alone), or "refused", with the reason in `reason`.
    """

    key: str
    file: Path | None
    size: int
    outcome: str
    reason: str = ""


def plan_downloads(s3: Any, location: Location, folder: Path) -> tuple[list[Download], list[Fetched]]:
    """Find what to download, and what cannot be: keys that would leave the folder or make no file name."""
    root = folder.resolve()
    downloads, refused = [], []
    for source in objects(s3, location):
        name = _relative(location, source.key)
        if source.key.endswith("/") and source.size == 0:
            continue  # what consoles make to show an empty folder
        if reason := _unsafe(root, name):
            refused.append(Fetched(source.key, None, source.size, "refused", reason))
        else:
            downloads.append(Download(source, folder / name))
    return downloads, refused


def download(
    s3: Any,
    bucket: str,
    folder: Path,
    downloads: Sequence[Download],
    *,
    overwrite: bool = False,
    moved: Callable[[int], None] = lambda _: None,
) -> Iterator[Fetched]:
    """Download objects, several at once; yields each when its file is whole and in place."""
    folder.mkdir(parents=True, exist_ok=True)
    meter = Meter(moved)
    with tempfile.TemporaryDirectory(prefix=".scar-get-", dir=folder) as staging:
        fetch = _Fetch(s3, bucket, Path(staging), folder.resolve(), overwrite, meter)
        yield from in_parallel(enumerate(downloads), lambda item: fetch(*item), meter)


@dataclass(frozen=True)
class _Fetch:
    s3: Any
    bucket: str
    staging: Path
    root: Path
    overwrite: bool
    meter: Meter

    def __call__(self, number: int, item: Download) -> Fetched:
        try:
            return self._outcome(item, self._fetch(item, self.staging / str(number)))
        except OSError as error:  # the name is too long, a file is where a folder should be
            return self._outcome(item, "refused", error.strerror or str(error))

    def _fetch(self, item: Download, temporary: Path) -> str:
        present = item.file.is_file()
        if present and (known := _decided_without_reading(item, self.overwrite)):
            return known
        item.file.parent.mkdir(parents=True, exist_ok=True)
        if not item.file.parent.resolve().is_relative_to(self.root):
            raise OSError(0, "a link in the folder leads out of it")
        self._read(item, temporary)
        if present and filecmp.cmp(temporary, item.file, shallow=False):
            temporary.unlink()
            return "unchanged"
        if present and not self.overwrite:
            temporary.unlink()
            return "differs"
        os.replace(temporary, item.file)  # noqa: PTH105 - Path.replace is the same; the intent reads better
        return "downloaded"

    def _read(self, item: Download, temporary: Path) -> None:
        if item.source.size >= _PARTS_FROM:
            self.s3.download_file(self.bucket, item.source.key, str(temporary), Callback=self.meter)
            return
        # One call for a small object, where download_file would ask for its size first and start ten threads.
        body = self.s3.get_object(Bucket=self.bucket, Key=item.source.key)["Body"]
        with temporary.open("wb") as file, contextlib.closing(body):
            for chunk in body.iter_chunks(_CHUNK):
                file.write(chunk)
                self.meter(len(chunk))

    @staticmethod
    def _outcome(item: Download, outcome: str, reason: str = "") -> Fetched:
        return Fetched(item.source.key, item.file, item.source.size, outcome, reason)


def _decided_without_reading(item: Download, overwrite: bool) -> str:
    """Compare sizes and MD5 sums; an ETag that is no MD5 (parts, KMS) proves nothing, so then the object is read."""
    if item.file.stat().st_size != item.source.size:
        return "" if overwrite else "differs"
    return "unchanged" if _md5(item.file) == item.source.etag else ""


def _md5(file: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _relative(location: Location, key: str) -> str:
    return key.rpartition("/")[2] if key == location.key else key.removeprefix(location.folder)


def _unsafe(root: Path, name: str) -> str:
    """Say why a key cannot become a file below a folder; empty when it can."""
    parts = name.split("/")
    if ".." in parts or name.startswith("/"):
        return "its key leads out of the folder"
    if "" in parts or "." in parts:
        return "its key has an empty part, which no file name has"
    if "\0" in name:
        return "its key has a zero byte, which no file name has"
    if not (root / name).parent.resolve().is_relative_to(root):
        return "a link in the folder leads out of it"
    return ""
