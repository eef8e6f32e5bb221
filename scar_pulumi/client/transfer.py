"""Files into a bucket and back, several at once."""

import contextlib
import filecmp
import hashlib
import mimetypes
import os
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from scar_foundation.errors import InputError
from scar_foundation.limits import MIB, S3_KEY_BYTES
from scar_pulumi.client.objects import Location, StoredObject, objects

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")

_AT_ONCE = 8
# boto3's own threshold for transfers in parts.
# https://boto3.amazonaws.com/v1/documentation/api/latest/reference/customizations/s3.html
_PARTS_FROM_BYTES = 8 * MIB
_CHUNK_BYTES = 1 * MIB


class Stopped(Exception):  # noqa: N818 - not an error: raised inside a transfer to end it
    """Another transfer failed, or the user interrupted."""


class Meter:
    """Counts moved bytes, and stops the transfers that report to it.

    boto3 aborts a transfer, multipart uploads included, when its callback raises.
    """

    def __init__(self, moved: Callable[[int], None]) -> None:
        self._moved = moved
        self._stop = threading.Event()

    def __call__(self, count: int) -> None:
        """Count more bytes."""
        if self._stop.is_set():
            raise Stopped
        self._moved(count)

    def stop(self) -> None:
        """End every transfer at its next report."""
        self._stop.set()


def in_parallel(work: Iterable[_Work], do: Callable[[_Work], _Result], meter: Meter) -> Iterator[_Result]:
    """Yield results as they come; the first error, or leaving early, stops the rest."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="transfer") as pool:
        futures = [pool.submit(do, item) for item in work]
        try:
            for future in as_completed(futures):
                yield future.result()
        finally:
            meter.stop()
            pool.shutdown(wait=False, cancel_futures=True)


_ENCODED = {"gzip": "application/gzip", "bzip2": "application/x-bzip2", "xz": "application/x-xz"}


@dataclass(frozen=True)
class Upload:
    """A file and the key it goes to; `size` in bytes."""

    file: Path
    key: str
    size: int


def plan_uploads(location: Location, paths: Sequence[Path]) -> list[Upload]:
    """Find the files to upload: a file under its name, a folder's files under their paths in it.

    Raises:
        InputError: Something cannot be uploaded, or two files would get the same key; the message lists all.
    """
    uploads: dict[str, Upload] = {}
    problems = []
    for found in (found for path in paths for found in _candidates(path, location.folder)):
        if isinstance(found, str):
            problems.append(found)
        elif found.key in uploads:
            problems.append(f"{found.file}: would get the same key as {uploads[found.key].file} ({found.key})")
        else:
            uploads[found.key] = found
    if problems:
        raise InputError("\n".join(problems))
    if not uploads:
        raise InputError(f"{', '.join(map(str, paths))}: there are no files in it")
    return list(uploads.values())


def upload(
    s3: Any, bucket: str, uploads: Sequence[Upload], moved: Callable[[int], None] = lambda _: None
) -> Iterator[Upload]:
    """Upload files, several at once and large ones in parts; yield each when it has arrived."""
    meter = Meter(moved)

    def send(item: Upload) -> Upload:
        _send_file(s3, bucket, item, meter)
        return item

    return in_parallel(uploads, send, meter)


def _send_file(s3: Any, bucket: str, item: Upload, meter: Meter) -> None:
    described = {"ContentType": content_type(item.file.name)}
    if item.size >= _PARTS_FROM_BYTES:
        s3.upload_file(str(item.file), bucket, item.key, ExtraArgs=described, Callback=meter)
        return
    # One call for a small file, where upload_file would start ten threads.
    with item.file.open("rb") as body:
        meter(0)
        s3.put_object(Bucket=bucket, Key=item.key, Body=body, **described)
    meter(item.size)


def content_type(name: str) -> str:
    """Guess the media type of a file from its name."""
    kind, encoding = mimetypes.guess_type(name)
    if encoding:
        return _ENCODED.get(encoding, "application/octet-stream")
    return kind or "application/octet-stream"


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.is_dir():
        yield path, path.name or path.resolve().name
        return
    for folder, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = Path(folder, name)
            yield file, file.relative_to(path).as_posix()


def _candidates(path: Path, folder: str) -> Iterator[Upload | str]:
    """Find the files of a path, and say of each that cannot be uploaded why."""
    if not path.exists():
        yield f"{path}: no such file or folder"
        return
    for file, name in _files(path):
        key = folder + name
        yield _obstacle(file, key) or Upload(file, key, file.stat().st_size)


def _obstacle(file: Path, key: str) -> str:
    """Return why a file cannot be uploaded; empty when it can."""
    if not file.exists():
        return f"{file}: a broken link"
    if not file.is_file():
        return f"{file}: not an ordinary file"
    if not os.access(file, os.R_OK):
        return f"{file}: is not readable"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return f"{str(file)!r}: its name is not UTF-8, as keys must be"
    return f"{file}: its key would have {length} bytes; the limit is {S3_KEY_BYTES}" if length > S3_KEY_BYTES else ""


@dataclass(frozen=True)
class Download:
    """An object and the file it becomes."""

    source: StoredObject
    file: Path


@dataclass(frozen=True)
class Fetched:
    """What became of an object.

    `outcome` is "downloaded", "unchanged" (the file was already there), "differs" (the file there has other content and
    was kept), or "refused", with the reason in `reason`.
    """

    key: str
    file: Path | None
    size: int
    outcome: str
    reason: str = ""


def plan_downloads(s3: Any, location: Location, folder: Path) -> tuple[list[Download], list[Fetched]]:
    """Find what to download, and what to refuse: keys that lead out of the folder or make no file name."""
    root = folder.resolve()
    downloads, refused = [], []
    for source in objects(s3, location):
        name = _relative(location, source.key)
        if source.key.endswith("/") and source.size == 0:
            continue  # made by consoles to show an empty folder
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
    """Download objects, several at once; yield each when its file is complete and in place."""
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
        if item.source.size >= _PARTS_FROM_BYTES:
            self.s3.download_file(self.bucket, item.source.key, str(temporary), Callback=self.meter)
            return
        # One call for a small object, where download_file would ask for its size first and start ten threads.
        body = self.s3.get_object(Bucket=self.bucket, Key=item.source.key)["Body"]
        with temporary.open("wb") as file, contextlib.closing(body):
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                file.write(chunk)
                self.meter(len(chunk))

    @staticmethod
    def _outcome(item: Download, outcome: str, reason: str = "") -> Fetched:
        return Fetched(item.source.key, item.file, item.source.size, outcome, reason)


def _decided_without_reading(item: Download, overwrite: bool) -> str:
    """Compare sizes and MD5 sums; an ETag that is not an MD5 sum (parts, KMS) proves nothing, so the object is read."""
    if item.file.stat().st_size != item.source.size:
        return "" if overwrite else "differs"
    return "unchanged" if _md5(item.file) == item.source.etag else ""


def _md5(file: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _relative(location: Location, key: str) -> str:
    return key.rpartition("/")[2] if key == location.key else key.removeprefix(location.folder)


def _unsafe(root: Path, name: str) -> str:
    """Return why a key cannot become a file below a folder; empty when it can."""
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
