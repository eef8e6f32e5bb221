"""A runner on a loop of its own, and functions whose events are shell scripts."""

import asyncio
import dataclasses
import secrets
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeVar

import pytest

from scar_pulumi.cloud.runner import FunctionConfiguration, InvocationResult, Limits, Runner

from . import images

T = TypeVar("T")
ENDPOINT = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "secret"}


class Sink:
    """Keeps log events by stream."""

    def __init__(self) -> None:
        self.events: dict[tuple[str, str], list[tuple[int, str]]] = {}
        self.batches: list[int] = []

    def put(self, log_group: str, log_stream: str, events: Sequence[tuple[int, str]]) -> None:
        self.batches.append(sum(len(message.encode()) for _, message in events))
        self.events.setdefault((log_group, log_stream), []).extend(events)

    def text(self, log_group: str) -> str:
        streams = (events for (group, _), events in self.events.items() if group == log_group)
        return "".join(message for events in streams for _, message in events)


class Local:
    """A started runner, called from the test's thread."""

    def __init__(self, store: images.Store, directory: Path, executor: str = "bubblewrap", **limits: float) -> None:
        self.store = store
        self.sink = Sink()
        self.directory = directory
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._numbers = iter(range(1_000_000))
        self.runner = self.run(self._make(executor, limits))

    async def _make(self, executor: str, limits: dict[str, Any]) -> Runner:
        runner = Runner(self.store, self.sink, self.directory, ENDPOINT, executor, limits=Limits(**limits))
        await runner.start()
        return runner

    def submit(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.submit(work).result(60)

    def begin(
        self, function: FunctionConfiguration, script: str, background: bool = False
    ) -> "Future[InvocationResult]":
        name = f"event-{next(self._numbers)}"
        return self.submit(self.runner.invoke(function, script.encode(), name, background=background))

    def invoke(self, function: FunctionConfiguration, script: str) -> InvocationResult:
        return self.begin(function, script).result(60)

    def answer(self, function: FunctionConfiguration, script: str) -> str:
        result = self.invoke(function, script)
        assert result.error is None, result.payload
        return result.payload.decode()

    def containers(self, function: FunctionConfiguration) -> list[dict[str, str]]:
        described: Any = self.runner.describe()["containers"]
        return [container for container in described if container["function"] == function.name]

    def close(self) -> None:
        self.run(self.runner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return the layer that every test image begins with."""
    return images.base_layer(images.find_busybox(tmp_path_factory.mktemp("busybox")))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> images.Store:
    return images.Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def image(store: images.Store, base: bytes) -> str:
    """Return an image with busybox, the runtime, and a file that only root may read."""
    extra = images.layer([images.Entry("private", b"secret", 0o600), images.Entry("public", b"hello")])
    return store.add([base, extra], Entrypoint=["/bin/runtime"], Env=["PATH=/bin", "FROM_IMAGE=yes", "BOTH=image"])


@pytest.fixture(scope="session")
def local(store: images.Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    """Return a runner for all tests that do not change how it runs."""
    started = Local(store, tmp_path_factory.mktemp("runner"))
    yield started
    started.close()


Configure = Callable[..., FunctionConfiguration]


@pytest.fixture
def function(image: str, request: pytest.FixtureRequest) -> Configure:
    """Make configurations of a function named after the test."""
    name = request.node.name.removeprefix("test_").replace("_", "-")[:60]
    default = FunctionConfiguration(
        name=name,
        arn=f"arn:aws:lambda:us-east-1:000000000000:function:{name}",
        version="$LATEST",
        region="us-east-1",
        account="000000000000",
        image=image,
        memory=256,
        timeout=10,
        ephemeral_storage=512,
        environment={"FROM_FUNCTION": "yes", "BOTH": "function"},
        log_group=f"/aws/lambda/{name}",
    )
    return lambda **changes: dataclasses.replace(default, **changes)


@pytest.fixture
def nap() -> str:
    """Return a long time to sleep, in seconds, that no other test on this machine sleeps."""
    return f"{600 + secrets.randbelow(300)}.{secrets.randbelow(10**9):09}"
