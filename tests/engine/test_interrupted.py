"""Operations that are cancelled or killed at some moment: the next one continues from there and doubles nothing."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from scar_pulumi.engine.tether import descendants, kill_tree

Wait = Callable[[Callable[[], object]], None]
_COUNT = 6


class Operation:
    """`file_cloud.py` in a process of its own."""

    def __init__(self, verb: str, seconds: float) -> None:
        command = [sys.executable, "-m", "tests.engine.file_cloud", verb, str(_COUNT), str(seconds)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def finish(self) -> str:
        """Return what it printed, once it has succeeded."""
        output, _ = self.process.communicate(timeout=120)
        assert self.process.returncode == 0, output
        return output


@pytest.fixture
def start(world: Path) -> Iterator[Callable[..., Operation]]:
    started: list[Operation] = []

    def start(verb: str = "up", seconds: float = 0) -> Operation:
        started.append(Operation(verb, seconds))
        return started[-1]

    yield start
    for operation in started:
        if operation.process.poll() is None:
            kill_tree(operation.process.pid)
            operation.process.wait()
        if operation.process.stdout:
            operation.process.stdout.close()


def _locks(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "the state" / "pulumi" / ".pulumi" / "locks").rglob("*.json"))


def _resources(tmp_path: Path) -> list[str]:
    path = tmp_path / "the state" / "pulumi" / ".pulumi" / "stacks" / "my-video" / "local.json"
    latest = json.loads(path.read_text())["checkpoint"]["latest"]
    assert not latest.get("pending_operations")
    return [
        resource["urn"].rpartition("::")[2] for resource in latest.get("resources", []) if "Thing" in resource["type"]
    ]


def _assert_converged(tmp_path: Path, world: Path) -> None:
    names = [f"thing-{number}" for number in range(_COUNT)]
    assert sorted(_resources(tmp_path)) == names
    assert {path.name: path.read_text() for path in world.iterdir()} == dict.fromkeys(names, "created\n")


def test_up_converges_after_everything_was_killed(
    start: Callable[..., Operation], world: Path, tmp_path: Path, wait_until: Wait
) -> None:
    """Four creations run at a time, so two of the six had been begun by the engine but not by the provider."""
    operation = start(seconds=30)
    wait_until(lambda: len(list(world.iterdir())) == 4)
    engine_and_plugins = descendants(operation.process.pid)
    assert len(engine_and_plugins) >= 2
    kill_tree(operation.process.pid)
    operation.process.communicate()
    assert len(_locks(tmp_path)) == 1

    assert "the last operation was killed: checking what it had begun" in start().finish()
    _assert_converged(tmp_path, world)  # the four were taken in, not made again
    assert not _locks(tmp_path)
    assert f"same={_COUNT + 1}" in start().finish()


def test_destroy_after_a_kill_removes_what_had_been_begun(
    start: Callable[..., Operation], world: Path, tmp_path: Path, wait_until: Wait
) -> None:
    operation = start(seconds=30)
    wait_until(lambda: len(list(world.iterdir())) == 4)
    kill_tree(operation.process.pid)
    operation.process.communicate()
    start("destroy").finish()
    assert not list(world.iterdir())
    assert not _resources(tmp_path)


def test_plugins_end_when_the_engine_alone_is_killed(
    start: Callable[..., Operation], world: Path, wait_until: Wait
) -> None:
    operation = start(seconds=30)
    wait_until(lambda: list(world.iterdir()))
    processes = descendants(operation.process.pid)
    engine = next(pid for pid in processes if "pulumi" in Path(f"/proc/{pid}/comm").read_text())
    os.kill(engine, signal.SIGKILL)
    operation.process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))


def test_the_engine_finishes_when_only_the_command_is_killed_and_the_next_one_waits_for_it(
    start: Callable[..., Operation], world: Path, tmp_path: Path, wait_until: Wait
) -> None:
    operation = start(seconds=3)
    wait_until(lambda: list(world.iterdir()))
    operation.process.kill()
    operation.process.communicate()
    output = start().finish()
    assert "waiting for process" in output
    assert "checking what it had begun" not in output
    _assert_converged(tmp_path, world)


def test_operations_that_begin_together_come_one_after_the_other(
    start: Callable[..., Operation], world: Path, tmp_path: Path
) -> None:
    both = [start(seconds=1) for _ in range(2)]
    outputs = [operation.finish() for operation in both]
    assert sum(f"create={_COUNT + 1}" in output for output in outputs) == 1
    assert sum(f"same={_COUNT + 1}" in output for output in outputs) == 1
    _assert_converged(tmp_path, world)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_finishes_what_has_begun(
    start: Callable[..., Operation], world: Path, tmp_path: Path, wait_until: Wait, number: signal.Signals
) -> None:
    operation = start(seconds=1)
    wait_until(lambda: list(world.iterdir()))
    operation.process.send_signal(number)
    output, _ = operation.process.communicate(timeout=60)
    assert operation.process.returncode == 1, output
    assert "cancelling: finishing what has begun" in output
    assert "error: up of stack local was cancelled; `scar-pulumi up` continues from here" in output
    assert not _locks(tmp_path)
    assert sorted(_resources(tmp_path)) == sorted(path.name for path in world.iterdir())
    start().finish()
    _assert_converged(tmp_path, world)


def test_a_second_signal_ends_everything_at_once_and_leaves_no_lock(
    start: Callable[..., Operation], world: Path, tmp_path: Path, wait_until: Wait
) -> None:
    operation = start(seconds=60)
    wait_until(lambda: list(world.iterdir()))
    processes = descendants(operation.process.pid)
    operation.process.send_signal(signal.SIGINT)
    assert operation.process.stdout is not None
    for line in operation.process.stdout:
        if "cancelling" in line:
            break
    operation.process.send_signal(signal.SIGINT)
    operation.process.communicate(timeout=30)
    assert operation.process.returncode == 1
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
    assert not _locks(tmp_path)
    start().finish()
    _assert_converged(tmp_path, world)


def test_a_lock_of_a_process_that_is_gone_is_removed_and_one_of_another_machine_is_not(
    start: Callable[..., Operation], world: Path, tmp_path: Path
) -> None:
    start().finish()
    folder = tmp_path / "the state" / "pulumi" / ".pulumi" / "locks" / "organization" / "my-video" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cut.json").write_text('{"pid": 1')
    (folder / "gone.json").write_text(json.dumps({"pid": 2**22 - 1, "hostname": os.uname().nodename}))
    start().finish()
    assert Counter(path.name for path in _locks(tmp_path)) == Counter()

    (folder / "other.json").write_text(json.dumps({"pid": 1, "hostname": "elsewhere"}))
    output, _ = start().process.communicate(timeout=60)
    assert "stack local: process 1 on elsewhere is working on it" in output
    assert "other.json" in output
