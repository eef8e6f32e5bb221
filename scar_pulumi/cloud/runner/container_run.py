"""A container that runs once, to its end, as `docker run` does it: a job of AWS Batch, a task of ECS."""

import asyncio
import contextlib
import os
import uuid
from collections.abc import Callable, Mapping
from concurrent.futures import Executor as Threads
from dataclasses import dataclass, field

from scar_pulumi.cloud.runner.configuration import PROGRAM_PATH, LogSink
from scar_pulumi.cloud.runner.executors import OPEN_FILES, Confinement, Executor, Process, Sandbox, Volume
from scar_pulumi.cloud.runner.image import StoredImage, UnusableImageError, command_line, text_file
from scar_pulumi.cloud.runner.log import ContainerLog, setup_failure

# What Docker leaves to a container's root user: https://docs.docker.com/engine/containers/run/#runtime-privilege-and-linux-capabilities
_CAPABILITIES = (
    *("CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD", "CAP_NET_BIND_SERVICE"),
    *("CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"),
)
_PROCESSES = 4096
_NOT_FOUND = 127
_POLLING = 0.02  # seconds between two attempts to signal a container whose command has not started yet
_LAST_WORDS = 5.0  # seconds to read what a killed container has printed


@dataclass(frozen=True)
class ContainerRun:
    """What to run. `memory`, `storage` and `shared_memory` are megabytes; `image` is a digest in the local store.

    `command` and `entry_point` replace the image's, as Docker's options do; `user` is a number or a pair of them
    (`1000:1000`), by default the image's or root.
    `grace` is how many seconds it has to end after SIGTERM; the default is that of ECS.
    """

    name: str
    image: str
    memory: int
    storage: int
    log_group: str
    log_stream: str
    command: tuple[str, ...] | None = None
    entry_point: tuple[str, ...] | None = None
    user: str = ""
    shared_memory: int = 64
    open_files: int = OPEN_FILES
    grace: float = 30.0
    read_only: bool = False
    volumes: tuple[Volume, ...] = ()
    gpus: tuple[int, ...] = ()
    architecture: str = "x86_64"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class ContainerExit:
    """How it ended: the exit code as Docker reports it, and whether the kernel killed a process for lack of memory.

    `setup_failure` says why its command could not be executed.
    """

    exit_code: int
    out_of_memory: bool = False
    setup_failure: str = ""


async def run_to_end(
    run: ContainerRun,
    image: StoredImage,
    executor: Executor,
    *,
    sink: LogSink,
    threads: Threads,
    started: Callable[[], None],
) -> ContainerExit:
    """Run a container to its end; call `started` once it runs. Raises LaunchError, UnusableImageError.

    Cancelling sends SIGTERM, and SIGKILL after the time of grace; cancelling again kills at once.
    """
    process = await executor.launch(_sandbox(run, image))
    log = ContainerLog(sink, run.log_group, run.log_stream, threads)
    try:
        log.follow(process.output)
        started()
        code = await asyncio.shield(process.exited)
        out_of_memory = process.out_of_memory()
        failure = setup_failure(await _last_words(process, log)) if code == 1 else None
        return ContainerExit(
            _NOT_FOUND if failure else code, out_of_memory and code != 0, failure.text if failure else ""
        )
    except asyncio.CancelledError:
        await _ask_to_end(process, run.grace)
        raise
    finally:
        await asyncio.shield(_end(process, log))


async def _ask_to_end(process: Process, grace: float) -> None:
    until = asyncio.get_running_loop().time() + grace
    while not process.terminate() and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(_POLLING)
    await asyncio.wait({process.exited}, timeout=max(0.0, until - asyncio.get_running_loop().time()))


async def _last_words(process: Process, log: ContainerLog) -> bytes:
    await process.kill()  # what its first process has left running
    await log.flush()
    return log.tail()


async def _end(process: Process, log: ContainerLog) -> None:
    await process.kill()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(log.close(), _LAST_WORDS)


def _sandbox(run: ContainerRun, image: StoredImage) -> Sandbox:
    user, group = _user(run.user or image.user, image)
    return Sandbox(
        uuid.uuid4().hex,
        run.name,
        image,
        command_line(image, run.entry_point, run.command),
        image.working_directory,
        run.memory,
        run.storage,
        {"PATH": PROGRAM_PATH, "HOME": "/root" if user == 0 else "/", **dict(image.environment), **run.environment},
        Confinement(
            user,
            group,
            _CAPABILITIES if user == 0 and os.geteuid() == 0 else (),
            _PROCESSES,
            run.open_files,
            writable=not run.read_only,
            shared_memory=run.shared_memory,
        ),
        run.volumes,
        run.gpus,
    )


def _user(text: str, image: StoredImage) -> tuple[int, int]:
    """Return the numbers of `user` or `user:group`, which may be names of the image's; an empty text is root."""
    user, _, group = text.partition(":")
    if not user or user.isdecimal():
        number, own_group = int(user or 0), 0
    else:
        number, own_group = (int(one) for one in _account(image, "etc/passwd", user)[2:4])
    if not group or group.isdecimal():
        return number, int(group or own_group)
    return number, int(_account(image, "etc/group", group)[2])


def _account(image: StoredImage, file: str, name: str) -> list[str]:
    content = text_file(image.layers, file)
    fields = next((line.split(":") for line in content.splitlines() if line.startswith(f"{name}:")), [])
    if not all(one.isdecimal() for one in fields[2 : 4 if file == "etc/passwd" else 3]) or len(fields) < 4:
        raise UnusableImageError(f"image {image.digest}: its user {name} is not in its /{file}; set a user by number")
    return fields
