"""Outputs: which of the files that the program left go where, and their way there."""

import os
import stat
from collections.abc import Iterator
from threading import Thread
from typing import NamedTuple

from supervisor.configuration import StoragePath
from supervisor.errors import OutputFailed
from supervisor.log import Log
from supervisor.storage import Storage, Storages

_AT_ONCE = 4
_SMALL = 1 << 20  # bytes: files up to this size are stored side by side, larger ones use the bandwidth alone


class Upload(NamedTuple):
    """One file on its way to one place."""

    path: str
    size: int
    storage: Storage
    container: str
    key: str

    @property
    def name(self) -> str:
        """The object as people know it."""
        return f"{self.container}/{self.key}".lstrip("/")


def check(outputs: tuple[StoragePath, ...], storages: Storages) -> None:
    """Fail early where a file could never be stored."""
    for output in outputs:
        storages.named(output.provider)


def store(folder: str, outputs: tuple[StoragePath, ...], storages: Storages, request_id: str, log: Log) -> None:
    """Store every file that belongs to an output; any that could not be stored is an error that tells all."""
    found = sorted(files(folder, log))
    places = [_Place(output, storages.named(output.provider), request_id) for output in outputs]
    uploads = [upload for place in places for name, size in found for upload in _upload(folder, name, size, place)]
    if found and not uploads:
        log.info(f"none of the {len(found)} files in the output folder belongs to an output")
    problems = _all(uploads)
    stored = [upload for upload in uploads if upload not in problems]
    for upload in stored:
        log.info(f"uploaded {upload.name} ({upload.size} bytes)")
    if problems:
        raise OutputFailed(_report(problems, stored))


def files(folder: str, log: Log) -> Iterator[tuple[str, int]]:
    """Name, relative to the folder, and size of every file below it; none where the program removed the folder."""
    return _files(folder, log) if os.path.lexists(folder) else iter(())


class _Place(NamedTuple):
    """An output and the storage that it lies in."""

    output: StoragePath
    storage: Storage
    request_id: str

    def key(self, name: str) -> str | None:
        """The key under which a file is stored, None when the output's filters leave it out; `name` is relative."""
        output = self.output
        if output.prefix and not name.startswith(output.prefix):
            return None
        if output.suffix and not name.endswith(output.suffix):
            return None
        folder = [part for part in output.path.split("/")[self.storage.has_containers :] if part]
        return "/".join([*folder, *([self.request_id] if output.per_request else ()), name])

    @property
    def container(self) -> str:
        """The bucket, where the storage has such."""
        return self.output.path.partition("/")[0] if self.storage.has_containers else ""


def _upload(folder: str, name: str, size: int, place: _Place) -> Iterator[Upload]:
    key = place.key(name)
    if key is not None:
        yield Upload(f"{folder}/{name}", size, place.storage, place.container, key)


def _all(uploads: list[Upload]) -> dict[Upload, str]:
    small = [upload for upload in uploads if upload.size <= _SMALL]
    large = [upload for upload in uploads if upload.size > _SMALL]
    problems: dict[Upload, str] = {}
    # concurrent.futures would load the module logging, for more than all of this takes.
    others = [
        Thread(target=_some, args=(small[first::_AT_ONCE], problems)) for first in range(1, min(_AT_ONCE, len(small)))
    ]
    for thread in others:
        thread.start()
    _some(small[::_AT_ONCE], problems)
    for thread in others:
        thread.join()
    _some(large, problems)
    return {upload: problems[upload] for upload in uploads if upload in problems}


def _some(uploads: list[Upload], problems: dict[Upload, str]) -> None:
    for upload in uploads:
        try:
            upload.storage.upload(upload.path, upload.container, upload.key)
        except Exception as error:  # noqa: BLE001 whatever it is, it is told and the others are stored
            problems[upload] = str(error)


def _report(problems: dict[Upload, str], stored: list[Upload]) -> str:
    failed = "; ".join(f"{upload.name}: {problem}" for upload, problem in problems.items())
    made = ", ".join(upload.name for upload in stored) or "none"
    return f"{len(problems)} of {len(problems) + len(stored)} outputs could not be stored: {failed}; stored: {made}"


def _files(folder: str, log: Log, inside: str = "") -> Iterator[tuple[str, int]]:
    """Name, relative to the folder, and size of every regular file; links to files count as files."""
    os.chmod(f"{folder}/{inside}", 0o700)  # noqa: PTH101 the program may have locked itself out
    with os.scandir(f"{folder}/{inside}") as entries:
        for entry in entries:
            name = f"{inside}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _files(folder, log, f"{name}/")
            elif entry.is_file():
                yield name, _readable(entry).st_size
            else:
                log.warning(f"{name} in the output folder is not a file, it is left out")


def _readable(entry: "os.DirEntry[str]") -> os.stat_result:
    found = entry.stat()
    if not entry.is_symlink() and not found.st_mode & stat.S_IRUSR:
        os.chmod(entry.path, 0o600)  # noqa: PTH101
    return found
