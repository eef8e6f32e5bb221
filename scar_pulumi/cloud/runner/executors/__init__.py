"""What runs containers: the interface of every executor, and what it is given."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.image import StoredImage

# What Lambda runs functions as, and the limits it sets:
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
USER, GROUP = 993, 990
OPEN_FILES = 1024
PROCESSES = 1024
HOST_NAME = "169.254.1.1"


class ExecutorUnavailable(LocalCloudError):  # noqa: N818 - a state of the machine; only the choice of an executor sees it
    """This executor cannot work on this machine; the message says why."""


class LaunchError(LocalCloudError):
    """A container could not be started."""


@dataclass(frozen=True)
class Confinement:
    """What a container may do; the defaults are those of Lambda. `shared_memory` is the megabytes of /dev/shm.

    A `writable` container may write anywhere in its root filesystem, as many megabytes as its ephemeral storage has;
    any other only in /tmp.
    """

    user: int = USER
    group: int = GROUP
    capabilities: tuple[str, ...] = ()
    processes: int = PROCESSES
    open_files: int = OPEN_FILES
    writable: bool = False
    shared_memory: int = 0


LAMBDA = Confinement()


@dataclass(frozen=True)
class Volume:
    """A directory of this machine in a container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Sandbox:
    """What to run. `name` is 32 hexadecimal digits; `memory` and `ephemeral_storage` are megabytes.

    `gpus` are numbers of this machine's NVIDIA devices. The environment may contain secrets, so `repr` leaves it out.
    """

    name: str
    function: str
    image: StoredImage
    command: tuple[str, ...]
    working_directory: str
    memory: int
    ephemeral_storage: int
    environment: Mapping[str, str] = field(repr=False)
    confinement: Confinement = LAMBDA
    volumes: tuple[Volume, ...] = ()
    gpus: tuple[int, ...] = ()


class Process(Protocol):
    """A running container."""

    output: int
    """Descriptor of standard output and error together; non-blocking, at its end when no process can write to it."""
    exited: asyncio.Future[int]
    """Exit status of the command, or 128 + n for signal n."""

    def memory(self) -> int:
        """Return the most megabytes in use so far; each call takes a sample."""

    def out_of_memory(self) -> bool:
        """Return whether the memory limit has killed a process of the container."""

    def terminate(self) -> bool:
        """Send SIGTERM to the command; return False while it has not started yet."""

    async def kill(self) -> None:
        """Kill all processes of the container and free its resources. May be called again."""


class Executor(Protocol):
    """Runs containers."""

    name: str

    async def start(self) -> None:
        """Try whether it works here, and remove what a killed runner left. Raises ExecutorUnavailable."""

    async def prepare(self, image: StoredImage) -> None:
        """Get an image ready to run; slow the first time. Raises UnusableImageError."""

    async def launch(self, sandbox: Sandbox) -> Process:
        """Start a container of a prepared image. Raises LaunchError."""

    async def collect(self, in_use: Iterable[str]) -> None:
        """Remove what was prepared for images that are no longer in the store, except those of the digests `in_use`."""

    async def close(self) -> None:
        """Free everything. All containers have been killed before."""

    def describe(self) -> dict[str, object]:
        """Return how it works here, for `scar-pulumi local status`."""
