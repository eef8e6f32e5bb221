"""What every executor can do: the one interface between the runner and whatever runs containers."""

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


class ExecutorUnavailable(LocalCloudError):  # noqa: N818 - says what is the case; only choosing an executor sees it
    """This executor cannot work on this machine; the message says why."""


class LaunchError(LocalCloudError):
    """A container could not be started."""


@dataclass(frozen=True)
class Confinement:
    """What a container may do; `shared_memory` is the megabytes of its /dev/shm, none of which is Lambda's way.

    With `writable` it may write anywhere in its root filesystem, into as many megabytes as its ephemeral storage has;
    without, only in /tmp.
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
    """A folder of this machine in a container."""

    source: Path
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Sandbox:
    """What to run. `name` is 32 hexadecimal digits; `memory` and `ephemeral_storage` are megabytes.

    `gpus` are numbers of this machine's NVIDIA devices. The environment may hold secrets, therefore it is not in the
    representation.
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
    """Descriptor of standard output and error together; non-blocking, at its end when all writers are gone."""
    exited: asyncio.Future[int]
    """Exit status of the command; 128 + n for signal n."""

    def memory(self) -> int:
        """Return the megabytes in use now, or the most so far where the kernel counts that."""

    def out_of_memory(self) -> bool:
        """Tell whether the memory limit killed a process of it."""

    def terminate(self) -> bool:
        """Ask the command to end: SIGTERM. False while there is no command yet: try again."""

    async def kill(self) -> None:
        """Kill every process of the container; return when none is left and its resources are free. Repeatable."""


class Executor(Protocol):
    """Runs containers."""

    name: str

    async def start(self) -> None:
        """Try it for real and sweep what a killed predecessor left. Raises ExecutorUnavailable."""

    async def prepare(self, image: StoredImage) -> None:
        """Get an image ready to run; slow the first time. Raises ImageError."""

    async def launch(self, sandbox: Sandbox) -> Process:
        """Start a container of a prepared image. Raises LaunchError."""

    async def collect(self, in_use: Iterable[str]) -> None:
        """Drop what was prepared for images that have left the store, except those of the digests `in_use`."""

    async def close(self) -> None:
        """Free everything; all processes have been killed before."""

    def describe(self) -> dict[str, object]:
        """Say how it works here, for `scar-pulumi local status`."""
