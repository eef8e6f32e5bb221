"""Files and folders into a bucket."""

import mimetypes
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.client._parallel import Meter, in_parallel
from scar_pulumi.client.location import Location

# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
_LONGEST_KEY = 1024
# boto3's own threshold, in bytes
_PARTS_FROM = 8 << 20
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
        InputError: Something cannot be uploaded, or two files would get the same key; names them all.
    """
    uploads: dict[str, Upload] = {}
    problems = []
    for path in paths:
        if not path.exists():
            problems.append(f"{path}: no such file or folder")
            continue
        for file, name in _files(path):
            upload, problem = _upload(file, location.folder + name)
            if upload is None:
                problems.append(problem)
            elif upload.key in uploads:
                problems.append(f"{file}: would get the same key as {uploads[upload.key].file} ({upload.key})")
            else:
                uploads[upload.key] = upload
    if problems:
        raise InputError("\n".join(problems))
    if not uploads:
        raise InputError(f"{', '.join(map(str, paths))}: no files in there")
    return list(uploads.values())


def upload(
    s3: Any, bucket: str, uploads: Sequence[Upload], moved: Callable[[int], None] = lambda _: None
) -> Iterator[Upload]:
    """Upload files, several at once and large ones in parts; yields each when it is there."""
    meter = Meter(moved)

    def send(item: Upload) -> Upload:
        _send(s3, bucket, item, meter)
        return item

    return in_parallel(uploads, send, meter)


def _send(s3: Any, bucket: str, item: Upload, meter: Meter) -> None:
    described = {"ContentType": content_type(item.file.name)}
    if item.size >= _PARTS_FROM:
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


def _upload(file: Path, key: str) -> tuple[Upload | None, str]:
    if not file.exists():
        return None, f"{file}: a link to nothing"
    if not file.is_file():
        return None, f"{file}: not an ordinary file"
    if not os.access(file, os.R_OK):
        return None, f"{file}: cannot be read"
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        return None, f"{str(file)!r}: its name is not UTF-8, which keys are"
    if length > _LONGEST_KEY:
        return None, f"{file}: its key would have {length} bytes; {_LONGEST_KEY} are allowed"
    return Upload(file, key, file.stat().st_size), ""
