"""A runner killed with SIGKILL takes its containers with it, and the next one finds a clean place."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local
from tests.world.waiting import wait_for

# One container after the other starts and runs; each is told by a line.
_DAEMON = """
import asyncio, dataclasses, sys
from pathlib import Path
from scar_pulumi.cloud.runner import FunctionConfiguration, Runner
from tests.cloud.runner.images import Store

class Sink:
    def put(self, *batch): pass

async def main(store, directory, image, script):
    runner = Runner(Store(Path(store)), Sink(), Path(directory), {}, "bubblewrap")
    await runner.start()
    print("started", runner.describe()["user"], flush=True)
    function = FunctionConfiguration("f", "arn", "1", "r", "a", image, 256, 900, 512, {}, "/g")
    for n in range(40):
        event = dataclasses.replace(function, timeout=800 + n)
        asyncio.ensure_future(runner.invoke(event, script.encode(), str(n)))
        await asyncio.sleep(0.01)
    await asyncio.sleep(900)

asyncio.run(main(*sys.argv[1:]))
"""


class Daemon:
    """A runner in a process of its own."""

    def __init__(self, *arguments: str) -> None:
        root = Path(__file__).parents[3]
        command = [sys.executable, "-c", _DAEMON, *arguments]
        self.process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True)

    def said(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


Launch = Callable[[Path, str], Daemon]


@pytest.fixture
def launch(store: images.Store, image: str) -> Iterator[Launch]:
    """Start a runner on a folder, all of whose events are one script."""
    started: list[Daemon] = []
    folders: set[Path] = set()

    def start(directory: Path, script: str) -> Daemon:
        started.append(Daemon(str(store.folder), str(directory), image, script))
        folders.add(directory)
        assert started[-1].said().startswith("started")
        return started[-1]

    yield start
    for daemon in started:
        if daemon.process.returncode is None:
            daemon.kill()
    for folder in folders:
        Local(store, folder).close()  # sweeps


def test_no_process_outlives_a_killed_runner_whenever_that_happens(launch: Launch, tmp_path: Path, nap: str) -> None:
    """Kills fall into starting containers as well as running ones; some have left their process group."""
    directory = tmp_path / "runner"
    for moment in range(5):
        _kill_when_more_run(launch(directory, f"setsid sleep {nap} & sleep {nap}"), nap, moment * 4)
    assert str(directory) not in Path("/proc/mounts").read_text()
    wait_for(lambda: not images.loop_devices(directory), 10, "loop devices are free")


def _kill_when_more_run(daemon: Daemon, nap: str, count: int) -> None:
    wait_for(lambda: len(images.sleeping(nap)) > count, 20, "containers run")
    daemon.kill()
    wait_for(lambda: not images.sleeping(nap), 5, "every process is gone")


def test_the_next_start_sweeps_what_a_killed_runner_left(
    launch: Launch, store: images.Store, tmp_path: Path, function: Configure, nap: str
) -> None:
    directory = tmp_path / "runner"
    daemon = launch(directory, f"sleep {nap}")
    wait_for(lambda: images.sleeping(nap), 20, "a container runs")
    daemon.kill()
    (left,) = (directory / "runs").iterdir()
    layers = next((directory / "layers").iterdir())
    (layers / "partial-of-a-killed-one" / "root").mkdir(parents=True)
    successor = Local(store, directory)
    try:
        assert not left.exists()
        assert not list(layers.glob("partial-*"))
        assert not list(Path("/sys/fs/cgroup").rglob(f"scar-pulumi-{left.name}*"))
        assert successor.answer(function(), "cat /public") == "hello"
    finally:
        successor.close()


def test_two_runners_on_one_folder_do_not_disturb_each_other(
    launch: Launch, store: images.Store, tmp_path: Path, function: Configure, nap: str
) -> None:
    directory = tmp_path / "runner"
    launch(directory, f"sleep {nap}")
    wait_for(lambda: images.sleeping(nap), 20, "a container runs")
    second = Local(store, directory)
    try:
        assert second.answer(function(), "cat /public") == "hello"
        assert images.sleeping(nap)
    finally:
        second.close()
    assert images.sleeping(nap)
