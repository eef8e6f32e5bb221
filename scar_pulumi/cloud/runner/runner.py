"""The runner: events in, results out, containers in between."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.configuration import FunctionConfiguration, Images, InvocationResult, Limits, LogSink
from scar_pulumi.cloud.runner.container import Container, ContainerGone, Invocation
from scar_pulumi.cloud.runner.container_run import ContainerExit, ContainerRun, run_to_end
from scar_pulumi.cloud.runner.executors import Executor, ExecutorUnavailable
from scar_pulumi.cloud.runner.image import check_architecture, read_image
from scar_pulumi.cloud.runner.pool import Pool, Slots

_HOUSEKEEPING_SECONDS = 15.0
_EXECUTORS = ("bubblewrap", "docker")
"""In the order in which `auto` tries them."""


class RunnerStoppedError(LocalCloudError):
    """The runner is not running or is stopping. The event has not completed, and the function is not to blame."""

    def __init__(self) -> None:
        super().__init__("the container runner is not running; start the local cloud and send the event again")


class Runner:
    """Runs functions in containers, as Lambda does.

    `directory` holds unpacked images and everything else the runner keeps on disk. `endpoint_environment` is what lets
    functions find the local cloud (AWS_ENDPOINT_URL, credentials). `executor` is "auto", "bubblewrap" or "docker".
    """

    def __init__(
        self,
        images: Images,
        logs: LogSink,
        directory: Path,
        endpoint_environment: Mapping[str, str],
        executor: str = "auto",
        *,
        limits: Limits | None = None,
    ) -> None:
        self._images = images
        self._logs = logs
        self._directory = directory
        self._endpoint = dict(endpoint_environment)
        self._wish = executor
        self._limits = limits or Limits()
        self._pool = Pool(self._limits)
        self._background = Slots(self._limits.background)
        self._synchronous = Slots(self._limits.synchronous)
        self._generations: Counter[str] = Counter()
        self._executor: Executor | None = None
        self._housekeeping: asyncio.Task[None] | None = None
        self._expected: set[asyncio.Task[None]] = set()
        self._threads = ThreadPoolExecutor(4, "logs")
        self._images_of_tasks: Counter[str] = Counter()
        self._closed = False

    async def start(self) -> None:
        """Find an executor that works here, and remove what a killed runner left. Raises LocalCloudError."""
        self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._executor = await choose_executor(self._wish, self._directory, self._images)
        self._housekeeping = asyncio.create_task(self._keep_house())

    async def invoke(
        self,
        function: FunctionConfiguration,
        payload: bytes,
        request_id: str,
        *,
        client_context: str | None = None,
        background: bool = False,
    ) -> InvocationResult:
        """Run one event. With `background` it shares the slots of events whose senders do not wait.

        A function that fails or dies has a result, too. Raises LocalCloudError when no container can be started,
        for example because its image is missing or damaged, and RunnerStoppedError when the runner stops first.
        """
        generation = self._generations[function.name]
        invocation = Invocation(request_id, payload, client_context)
        async with (self._background if background else self._synchronous).slot(function.name):
            result = None
            while result is None:
                result = await self._try(function, generation, invocation)
        if result.error is not None and self._closed:
            raise RunnerStoppedError
        return result

    async def _try(
        self, function: FunctionConfiguration, generation: int, invocation: Invocation
    ) -> InvocationResult | None:
        """Run an event in a container; return None when that had died before."""
        container = await self._container(function, generation)
        try:
            result = await container.invoke(invocation)
        except ContainerGone:
            self._pool.discard(container)
            return None
        except BaseException:
            self._pool.discard(container)
            if self._closed:
                raise RunnerStoppedError from None
            raise
        if container.rest is None:
            self._release(container)
        else:
            self._expected.add(task := asyncio.create_task(self._release_later(container, container.rest)))
            task.add_done_callback(self._expected.discard)
        return result

    async def _release_later(self, container: Container, rest: asyncio.Task[None]) -> None:
        """Give a container no other event until it has finished the one that it answered early."""
        await asyncio.gather(rest, return_exceptions=True)
        container.rest = None
        self._release(container)

    async def run(self, task: ContainerRun, started: Callable[[], None], logs: LogSink | None = None) -> ContainerExit:
        """Run a container to its end; call `started` once it runs. Cancelling kills the container.

        Its output goes to `logs`, by default to the log sink of the functions. Raises LocalCloudError when the
        container cannot be started, RunnerStoppedError when the runner is not running.
        """
        if self._executor is None or self._closed:
            raise RunnerStoppedError
        self._images_of_tasks[task.image] += 1
        try:
            image = await asyncio.to_thread(read_image, self._images, task.image, task.architecture)
            await self._executor.prepare(image)
            return await run_to_end(
                task, image, self._executor, sink=logs or self._logs, threads=self._threads, started=started
            )
        finally:
            self._images_of_tasks[task.image] -= 1

    async def prepare(self, image: str, architecture: str = "x86_64") -> None:
        """Unpack an image ahead of its first event. Raises LocalCloudError."""
        if self._executor is None or self._closed:
            raise RunnerStoppedError
        await self._executor.prepare(await asyncio.to_thread(read_image, self._images, image, architecture))

    def expect(self, image: str, architecture: str = "x86_64") -> None:
        """Start to unpack an image in the background. Its errors are reported at its first event."""
        task = asyncio.create_task(self.prepare(image, architecture))
        self._expected.add(task)
        task.add_done_callback(self._expected.discard)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())

    async def _container(self, function: FunctionConfiguration, generation: int) -> Container:
        if self._executor is None or self._closed:
            raise RunnerStoppedError
        warm = self._pool.take(function)
        if warm is not None:
            return warm
        check_architecture(function.name, function.architecture)
        image = await asyncio.to_thread(read_image, self._images, function.image, function.architecture)
        container = Container(function, generation)
        self._pool.add_busy(container)
        try:
            await self._executor.prepare(image)
            await container.start(self._executor, image, self._endpoint, self._logs, self._threads)
        except BaseException:
            self._pool.discard(container)
            raise
        return container

    def _release(self, container: Container) -> None:
        if container not in self._pool.busy:
            return
        is_current = container.generation == self._generations[container.function.name]
        if container.alive and is_current and not self._closed:
            self._pool.give_back(container)
        else:
            self._pool.discard(container)

    async def retire(self, name: str) -> None:
        """Close the containers of a function that was changed or deleted; the busy ones after their event."""
        self._generations[name] += 1
        self._pool.retire(name)
        await self._pool.settle()

    async def close(self) -> None:
        """Stop all containers; events that still run fail."""
        self._closed = True
        background = [*self._expected, *((self._housekeeping,) if self._housekeeping else ())]
        for task in background:
            task.cancel()
        await asyncio.gather(*background, return_exceptions=True)
        await self._pool.close()
        if self._executor is not None:
            await self._executor.close()
        self._threads.shutdown(wait=True)

    async def _keep_house(self) -> None:
        assert self._executor is not None
        seconds = min(_HOUSEKEEPING_SECONDS, self._limits.idle_seconds / 4)
        while True:
            await asyncio.sleep(seconds)
            self._pool.evict_stale()
            with contextlib.suppress(OSError):  # a full disk must not end the housekeeping
                await self._executor.collect(self._pool.images() | set(+self._images_of_tasks))

    def describe(self) -> dict[str, object]:
        """Return what runs and how, for `scar-pulumi local status`."""
        executor = self._executor
        return {
            "executor": executor.name if executor else None,
            **(executor.describe() if executor else {}),
            "containers": [
                {"id": container.name[:12], "function": container.function.name, "state": state}
                for state, containers in (("busy", self._pool.busy), ("idle", self._pool.idle))
                for container in containers
            ],
            "events": {
                "background": {"running": self._background.used, "waiting": self._background.waiting},
                "synchronous": {"running": self._synchronous.used, "waiting": self._synchronous.waiting},
            },
        }


def _make(name: str, directory: Path, images: Images) -> Executor:
    if name == "bubblewrap":
        from scar_pulumi.cloud.runner.executors.bubblewrap import Bubblewrap  # noqa: PLC0415 - needs Linux

        return Bubblewrap(directory, images)
    try:
        from scar_pulumi.cloud.runner.executors.docker import Docker  # noqa: PLC0415 - its SDK takes 0.2 s to import
    except ModuleNotFoundError as error:
        raise ExecutorUnavailable(f"docker: {error}; install scar-pulumi[local]") from None
    return Docker(directory, images)


async def choose_executor(wish: str, directory: Path, images: Images) -> Executor:
    """Start the executor of that name and return it; "auto" is the first that works. Raises LocalCloudError."""
    if wish not in ("auto", *_EXECUTORS):
        known = ", ".join(("auto", *_EXECUTORS))
        raise LocalCloudError(f"local cloud: there is no executor {wish!r}; set SCAR_LOCAL_EXECUTOR to one of {known}")
    failures = []
    for name in _EXECUTORS if wish == "auto" else (wish,):
        try:
            executor = _make(name, directory, images)
            await executor.start()
        except ExecutorUnavailable as error:
            failures.append(str(error))
        else:
            return executor
    raise LocalCloudError(
        "local cloud: containers cannot run on this machine: " + "; ".join(failures) + "; install Docker or Podman, or"
        " allow user namespaces (with sysctl: kernel.unprivileged_userns_clone=1,"
        " kernel.apparmor_restrict_unprivileged_userns=0)"
    )
