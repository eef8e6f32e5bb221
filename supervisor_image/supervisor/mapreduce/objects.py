"""Buckets as MapReduce uses them: reads pinned to one version, writes that only the first one wins, copies."""

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from supervisor.errors import ConfigurationInvalid, InputChanged, InputFailed, OutputFailed, SupervisorError
from supervisor.storage import Storages
from supervisor.storage.s3 import S3, reason

if TYPE_CHECKING:
    from obstore.store import S3Store

_BLOCK = 1 << 20  # bytes
_PART = 8 << 20  # bytes
_INTERRUPTIONS = 5  # how often an interrupted read is resumed
_LOOKS = 5  # at an object that is another one: it may have been put back at once
_PAUSE = 1.0  # seconds
# https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
LARGEST_COPY = 5 << 30
AT_ONCE = 16
"""Requests side by side."""

One = TypeVar("One")
Other = TypeVar("Other")


class Head(NamedTuple):
    """What is known of an object without reading it."""

    size: int
    etag: str
    version: str | None


class Bucket:
    """A bucket of S3, or of a storage with its interface. Keys are whole ones."""

    def __init__(self, storages: Storages, provider: str, name: str) -> None:
        storage = storages.named(provider)
        if not isinstance(storage, S3):
            raise ConfigurationInvalid(f"storage provider {provider!r}: MapReduce needs one of kind s3 or minio")
        self.name = name
        self._storage = storage

    def head(self, key: str) -> Head:
        """Return size, entity tag and version of the present object. Raises InputFailed."""
        import obstore

        with_failure = _failing(InputFailed, f"{self.name}/{key}: cannot be found")
        found = with_failure(lambda: obstore.head(*self._located(key, InputFailed)))
        return Head(found["size"], found["e_tag"] or "", found["version"])

    def get(self, key: str) -> bytes:
        """Return a small object. Raises InputFailed."""
        import obstore

        with_failure = _failing(InputFailed, f"{self.name}/{key}: cannot be read")
        return with_failure(lambda: bytes(obstore.get(*self._located(key, InputFailed)).bytes()))

    def find(self, key: str) -> bytes | None:
        """Return a small object, or None where there is none. Raises InputFailed."""
        import obstore

        def read() -> bytes | None:
            try:
                return bytes(obstore.get(*self._located(key, InputFailed)).bytes())
            except FileNotFoundError:
                return None

        return _failing(InputFailed, f"{self.name}/{key}: cannot be read")(read)

    def put(self, key: str, content: bytes) -> None:
        """Write a small object. Raises OutputFailed."""
        import obstore

        with_failure = _failing(OutputFailed, f"{self.name}/{key}: cannot be written")
        with_failure(lambda: obstore.put(*self._located(key, OutputFailed), content))

    def create(self, key: str, content: bytes) -> bool:
        """Write a small object unless there is one; return whether it was written. Raises OutputFailed.

        False may also mean that the first answer was lost, and the object is this one.
        """
        import obstore

        def put() -> bool:
            try:
                obstore.put(*self._located(key, OutputFailed), content, mode="create")
            except obstore.exceptions.AlreadyExistsError:
                return False
            return True

        return _failing(OutputFailed, f"{self.name}/{key}: cannot be written")(put)

    def put_file(self, key: str, path: str) -> None:
        """Store a file. Raises OutputFailed."""
        import obstore

        with_failure = _failing(OutputFailed, f"{self.name}/{key}: cannot be written")
        with_failure(
            lambda: obstore.put(*self._located(key, OutputFailed), Path(path), chunk_size=_PART, max_concurrency=3)
        )

    def download(self, key: str, path: str) -> None:
        """Write an object to a file. Raises InputFailed."""
        self._storage.download(self.name, key, path)

    def delete(self, key: str) -> None:
        """Delete an object, if it is there. Raises OutputFailed."""
        import obstore

        def remove() -> None:
            try:
                obstore.delete(*self._located(key, OutputFailed))
            except FileNotFoundError:
                return

        _failing(OutputFailed, f"{self.name}/{key}: cannot be deleted")(remove)

    def names(self, folder: str) -> list[str]:
        """Return the names directly or indirectly below a folder, without it, in order. Raises InputFailed."""
        import obstore

        def read() -> list[str]:
            store, _ = self._located(folder + "x", InputFailed)
            found = (entry["path"] for block in obstore.list(store, prefix=folder) for entry in block)
            return sorted(path.removeprefix(folder) for path in found)

        return _failing(InputFailed, f"{self.name}/{folder}: cannot be listed")(read)

    def pinned(self, key: str, etag: str = "", version: str | None = None) -> "Pinned":
        """Return an object that is read in one version only, or one that nobody replaces."""
        store, path = self._located(key, InputFailed)
        return Pinned(store, path, f"{self.name}/{key}", etag, version)

    def copy_to(self, other: "Bucket", source: str, target: str, size: int) -> bool:
        """Copy an object within the storage; return False where only reading and writing it can do that."""
        import obstore

        if size > LARGEST_COPY or not self._storage.is_beside(other._storage):
            return False
        with_failure = _failing(OutputFailed, f"{other.name}/{target}: cannot be written")
        path = other._located(target, OutputFailed)[1]
        if path != target:  # a key with empty parts, which lie in the URL of a store
            return False
        copier = self._storage.copier(self.name, other.name)
        with_failure(lambda: obstore.copy(copier, source, target))
        return True

    def _located(self, key: str, failure: type[SupervisorError]) -> "tuple[S3Store, str]":
        return self._storage.located(self.name, key, failure)


class Pinned(NamedTuple):
    """One version of an object."""

    store: "S3Store"
    key: str
    name: str
    etag: str
    version: str | None = None

    def read(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes of a range, resuming where a connection broke. Raises InputChanged or InputFailed."""
        from obstore.exceptions import BaseError, PreconditionError

        left, looks = _INTERRUPTIONS, _LOOKS
        while start < end:
            try:
                for block in self._stream(start, end):
                    start += len(block)
                    yield block
                if start < end:
                    raise InputFailed(f"{self.name}: {end - start} bytes are missing; try again")
            except (PreconditionError, FileNotFoundError) as error:
                looks -= 1
                if not looks:
                    raise InputChanged(
                        f"{self.name}: the input changed while it was read: it was replaced or deleted; "
                        "a new object starts a run of its own"
                    ) from error
                time.sleep(_PAUSE)
            except (BaseError, OSError) as error:
                left -= 1
                if not left:
                    raise InputFailed(f"{self.name}: cannot be read: {reason(error)}") from error
                time.sleep(0.1)

    def _stream(self, start: int, end: int) -> Iterator[bytes]:
        import obstore

        options: Any = {"range": (start, end)}
        if self.etag:
            options["if_match"] = self.etag
        if self.version:
            options["version"] = self.version
        for block in obstore.get(self.store, self.key, options=options).stream(min_chunk_size=_BLOCK):
            yield bytes(block)


def _failing(failure: type[SupervisorError], place: str) -> Callable[[Callable[[], One]], One]:
    """Return what calls a function, and raises that failure where the storage or the disk fails."""

    def call(action: Callable[[], One]) -> One:
        from obstore.exceptions import BaseError

        try:
            return action()
        except (BaseError, OSError) as error:
            raise failure(f"{place}: {reason(error)}") from error

    return call


def side_by_side(action: Callable[[One], Other], items: Iterable[One]) -> list[Other]:
    """Return the results for all items, some at once, in the order of the items; raise the first error.

    concurrent.futures would load the module logging, which the layer does not have.
    """
    todo = list(enumerate(items))
    results: dict[int, Other] = {}
    errors: dict[int, BaseException] = {}
    turns = iter(todo)

    def work() -> None:
        for number, item in turns:  # next() on a list's iterator is atomic
            if errors:
                return
            try:
                results[number] = action(item)
            except BaseException as error:  # noqa: BLE001 raised again below, in the thread that waits
                errors[number] = error

    threads = [Thread(target=work, daemon=True) for _ in range(min(AT_ONCE, len(todo)) - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[min(errors)]
    return [results[number] for number, _ in todo]
