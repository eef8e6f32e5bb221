"""The files of one run, in folders under /tmp that are removed afterwards: the input is staged, outputs are stored."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from hashlib import sha256
from threading import Thread
from typing import NamedTuple

from supervisor import disk
from supervisor.configuration import StoragePath
from supervisor.errors import InputFailed, OutOfDisk, OutputFailed, SupervisorError
from supervisor.events import Data, Object
from supervisor.log import Log
from supervisor.storage import Storage, Storages

_LONGEST_NAME = 255  # bytes: NAME_MAX of every file system in use
_UPLOADS_AT_ONCE = 4
_SMALL = 1 << 20  # bytes: smaller files are stored side by side, larger ones one after the other


class Workspace(NamedTuple):
    """The folders of one run."""

    root: str
    input: str
    output: str
    temporary: str
    """Where the program puts what it needs only for a while: TMPDIR."""


@contextlib.contextmanager
def workspace(log: Log) -> Iterator[Workspace]:
    """Make the folders, and remove them with everything in them, whatever happens in the block."""
    root = f"{disk.TMP}/{disk.OWN}{os.urandom(8).hex()}"
    space = Workspace(root, f"{root}/input", f"{root}/output", f"{root}/temporary")
    try:
        for folder in space:
            os.mkdir(folder, disk.FOLDER_MODE)
    except OSError as error:
        raise _not_made(root, error, log) from error
    try:
        yield space
    except OutOfDisk:
        log.warning(disk.usage(root))
        raise
    finally:
        try:
            disk.remove(root)
        except (OSError, RecursionError) as error:
            log.warning(f"{root}: cannot be removed: {error}")


def _not_made(root: str, error: OSError, log: Log) -> SupervisorError:
    if _is_out_of_space(error):
        log.warning(disk.usage(root))
        return OutOfDisk(f"{root}: cannot be made: {error.strerror}; raise the function's ephemeral_storage")
    return InputFailed(f"{root}: cannot be made: {error.strerror}; a function needs a writable {disk.TMP}")


def stage_input(source: Object | Data, space: Workspace, storages: Storages, log: Log) -> str:
    """Write the input to a file in its folder, and return the path. Raises InputFailed or OutOfDisk."""
    if isinstance(source, Data):
        path = f"{space.input}/{file_name(source.file_name)}"
        _write(path, source.content)
        log.info(f"saved the event as {path}")
        return path
    path = f"{space.input}/{file_name(source.key)}"
    found = storages.locate(source)
    try:
        size = storages.named(found.provider).download(found.container, found.key, path)
    except InputFailed as error:
        if _is_out_of_space(error.__cause__):
            raise OutOfDisk(f"{error}; raise the function's ephemeral_storage") from error
        raise
    log.info(f"downloaded {found.container}/{found.key} ({size} bytes)".replace(" /", " "))
    return path


def file_name(key: str) -> str:
    """Return a file name for a key: its last part, changed where no file can have that name."""
    name = key.rstrip("/").rpartition("/")[2].replace("\0", "_")
    if name in ("", ".", ".."):
        return f"_{name}"
    raw = os.fsencode(name.encode("utf-8", "replace").decode() if _has_lone_surrogates(name) else name)
    if len(raw) <= _LONGEST_NAME:
        return os.fsdecode(raw)
    return _shortened(raw)


def _shortened(raw: bytes) -> str:
    # The ending says what kind of file it is, and the hash tells two long names apart.
    _, dot, ending = raw.rpartition(b".")
    suffix = dot + ending if dot and len(ending) <= 20 else b""
    mark = f"-{sha256(raw).hexdigest()[:12]}".encode()
    stem = raw[: _LONGEST_NAME - len(mark) - len(suffix)].decode("utf-8", "ignore").encode()
    return os.fsdecode(stem + mark + suffix)


def _has_lone_surrogates(name: str) -> bool:
    try:
        os.fsencode(name)
    except UnicodeEncodeError:
        return True
    return False


def _write(path: str, content: bytes) -> None:
    try:
        with open(path, "wb") as file:
            file.write(content)
    except OSError as error:
        kind = OutOfDisk if _is_out_of_space(error) else InputFailed
        raise kind(f"{path}: cannot be written: {error.strerror}") from error


def _is_out_of_space(cause: BaseException | None) -> bool:
    return isinstance(cause, OSError) and cause.errno in (errno.ENOSPC, errno.EDQUOT)


class Upload(NamedTuple):
    """One file and the place that it is stored in."""

    path: str
    size: int
    storage: Storage
    container: str
    key: str

    @property
    def name(self) -> str:
        """The object as messages name it."""
        return f"{self.container}/{self.key}".lstrip("/")


class _Place(NamedTuple):
    """An output and its storage."""

    output: StoragePath
    storage: Storage
    request_id: str

    def key(self, name: str) -> str | None:
        """Return the key for a file, by its relative name; None where the output's filters leave it out."""
        output = self.output
        if output.prefix and not name.startswith(output.prefix):
            return None
        if output.suffix and not name.endswith(output.suffix):
            return None
        folder = [part for part in output.path.split("/")[self.storage.has_containers :] if part]
        return "/".join([*folder, *([self.request_id] if output.per_request else ()), name])

    @property
    def container(self) -> str:
        """The bucket, where the storage has buckets."""
        return self.output.path.partition("/")[0] if self.storage.has_containers else ""


def check_outputs(outputs: tuple[StoragePath, ...], storages: Storages) -> None:
    """Raise ConfigurationInvalid where an output's storage is unknown or incomplete."""
    for output in outputs:
        storages.named(output.provider)


def store_outputs(folder: str, outputs: tuple[StoragePath, ...], storages: Storages, request_id: str, log: Log) -> None:
    """Store every file that belongs to an output. Raises OutputFailed, which names all that could not be stored."""
    found = sorted(output_files(folder, log))
    places = [_Place(output, storages.named(output.provider), request_id) for output in outputs]
    uploads = [upload for place in places for name, size in found for upload in _uploads(folder, name, size, place)]
    if found and not uploads:
        log.info(f"none of the {len(found)} files in the output folder matches an output")
    problems = _upload_all(uploads)
    stored = [upload for upload in uploads if upload not in problems]
    for upload in stored:
        log.info(f"uploaded {upload.name} ({upload.size} bytes)")
    if problems:
        raise OutputFailed(_report(problems, stored))


def output_files(folder: str, log: Log) -> Iterator[tuple[str, int]]:
    """Return the relative name and the size of every file below the folder; none where the program removed it."""
    return _walk(folder, log) if os.path.lexists(folder) else iter(())


def _uploads(folder: str, name: str, size: int, place: _Place) -> Iterator[Upload]:
    key = place.key(name)
    if key is not None:
        yield Upload(f"{folder}/{name}", size, place.storage, place.container, key)


def _upload_all(uploads: list[Upload]) -> dict[Upload, str]:
    small = [upload for upload in uploads if upload.size <= _SMALL]
    large = [upload for upload in uploads if upload.size > _SMALL]
    problems: dict[Upload, str] = {}
    # concurrent.futures would load the module logging, which takes longer than all of this.
    others = [
        Thread(target=_upload_some, args=(small[first::_UPLOADS_AT_ONCE], problems))
        for first in range(1, min(_UPLOADS_AT_ONCE, len(small)))
    ]
    for thread in others:
        thread.start()
    _upload_some(small[::_UPLOADS_AT_ONCE], problems)
    for thread in others:
        thread.join()
    _upload_some(large, problems)
    return {upload: problems[upload] for upload in uploads if upload in problems}


def _upload_some(uploads: list[Upload], problems: dict[Upload, str]) -> None:
    for upload in uploads:
        try:
            upload.storage.upload(upload.path, upload.container, upload.key)
        except Exception as error:  # noqa: BLE001 whatever it is, it is reported and the others are stored
            problems[upload] = str(error)


def _report(problems: dict[Upload, str], stored: list[Upload]) -> str:
    failed = "; ".join(f"{upload.name}: {problem}" for upload, problem in problems.items())
    names = ", ".join(upload.name for upload in stored) or "none"
    return f"{len(problems)} of {len(problems) + len(stored)} outputs could not be stored: {failed}; stored: {names}"


def _walk(folder: str, log: Log, inside: str = "") -> Iterator[tuple[str, int]]:
    """Yield the relative name and the size of every regular file; links to files count as files."""
    os.chmod(f"{folder}/{inside}", 0o700)
    with os.scandir(f"{folder}/{inside}") as entries:
        for entry in entries:
            name = f"{inside}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(folder, log, f"{name}/")
            elif entry.is_file():
                yield name, _readable(entry).st_size
            else:
                log.warning(f"{name} in the output folder is not a file, so it is left out")


def _readable(entry: "os.DirEntry[str]") -> os.stat_result:
    found = entry.stat()
    if not entry.is_symlink() and not found.st_mode & stat.S_IRUSR:
        os.chmod(entry.path, 0o600)
    return found
