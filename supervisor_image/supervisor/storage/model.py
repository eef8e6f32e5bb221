"""What every storage can do."""

from typing import Protocol


class Storage(Protocol):
    """A storage of objects, in containers (buckets, spaces) where it has such."""

    has_containers: bool
    """Whether the first part of an output's path is a container."""

    def download(self, container: str, key: str, path: str) -> int:
        """Write the object to a file; its size in bytes. Raises InputFailed."""
        ...

    def upload(self, path: str, container: str, key: str, /) -> None:
        """Store the file as an object, replacing any of that name. Raises OutputFailed."""
        ...
