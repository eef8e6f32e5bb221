"""How many containers there are, who waits for whom, and when warm ones go."""

import os
import signal
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from scar_foundation.errors import LocalCloudError
from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local
from tests.world.waiting import wait_for


@pytest.fixture
def own(store: images.Store, tmp_path: Path) -> Iterator[Local]:
    """Return a runner with two slots for background events, three idle containers at most, closed after the test."""
    started = Local(store, tmp_path / "runner", background=2, idle_containers=3)
    yield started
    started.close()


def test_two_hundred_background_events_share_few_containers(own: Local, function: Configure) -> None:
    """Each event runs once, and each container takes many."""
    running = [own.begin(function(), f"echo {n} >&2; echo {n}", background=True) for n in range(200)]
    answers = [future.result(60).payload for future in running]
    assert answers == [f"{n}\n".encode() for n in range(200)]
    printed = [line for line in own.sink.text(function().log_group).splitlines() if line.isdecimal()]
    assert sorted(map(int, printed)) == list(range(200))
    assert len(own.sink.events) <= 2


def test_synchronous_events_do_not_wait_for_background_ones(own: Local, function: Configure, nap: str) -> None:
    slow = [own.begin(function(), f"sleep {nap}", background=True) for _ in range(4)]
    wait_for(lambda: len(images.sleeping(nap)) == 2, 10, "two of four run")
    assert own.answer(function(), "echo quick") == "quick\n"
    described = own.runner.describe()["events"]
    assert described == {"background": {"running": 2, "waiting": 2}, "synchronous": {"running": 0, "waiting": 0}}
    for future in slow:
        future.cancel()


def test_functions_take_turns_in_the_queue(own: Local, function: Configure) -> None:
    """One event of a second function does not wait for all that the first one has queued."""
    order: list[str] = []
    first, second = function(name="first"), function(name="second")
    running = [own.begin(first, "sleep 0.2", background=True) for _ in range(8)]
    running.append(own.begin(second, "true", background=True))
    for future in running:
        name = "second" if future is running[-1] else "first"
        future.add_done_callback(partial(_note, order, name))
    for future in running:
        future.result(60)
    assert order.index("second") < 6


def _note(order: list[str], name: str, _: object) -> None:
    order.append(name)


def test_a_changed_function_gets_a_new_container(own: Local, function: Configure) -> None:
    assert own.answer(function(), "echo mark >/tmp/mark; echo $BOTH") == "function\n"
    changed = function(environment={"BOTH": "changed"})
    assert own.answer(changed, "ls /tmp; echo $BOTH") == "changed\n"
    assert own.answer(function(), "cat /tmp/mark") == "mark\n"


def test_retiring_ends_idle_containers_at_once_and_busy_ones_after_their_event(
    own: Local, function: Configure, nap: str
) -> None:
    chosen = function(environment={"MARK": nap})
    busy = own.begin(chosen, "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo done")
    wait_for(lambda: own.containers(chosen), 10, "one is busy")
    assert own.answer(chosen, "echo two") == "two\n"
    assert sorted(container["state"] for container in own.containers(chosen)) == ["busy", "idle"]
    own.run(own.runner.retire(chosen.name))
    assert [container["state"] for container in own.containers(chosen)] == ["busy"]

    def ended() -> bool:
        _release(nap)
        return busy.done()

    wait_for(ended, 10, "the busy one ends")
    assert busy.result(20).payload == b"done\n"
    wait_for(lambda: not own.containers(chosen), 10, "the busy one is gone, too")


def _release(mark: str) -> None:
    """Make the file that the function waits for, from outside."""
    for process in images.processes(b"sh\x00/tmp/.event"):
        if images.has_in_environment(process, mark):
            (process / "root/tmp/go").touch()


def test_idle_containers_beyond_the_bound_go_the_oldest_first(own: Local, function: Configure) -> None:
    for number in range(5):
        own.answer(function(name=f"f{number}", log_group="/x"), "true")
    described = own.runner.describe()["containers"]
    assert isinstance(described, list)
    assert [container["function"] for container in described] == ["f2", "f3", "f4"]


def test_idle_containers_make_room_when_memory_is_short(
    store: images.Store, tmp_path: Path, function: Configure
) -> None:
    own = Local(store, tmp_path / "runner", container_memory=600)
    try:
        for number in range(3):
            own.answer(function(name=f"f{number}", memory=256), "true")
        described = own.runner.describe()["containers"]
        assert isinstance(described, list)
        assert [container["function"] for container in described] == ["f1", "f2"]
    finally:
        own.close()


def test_containers_idle_for_too_long_go(store: images.Store, tmp_path: Path, function: Configure) -> None:
    own = Local(store, tmp_path / "runner", idle_seconds=0.4)
    try:
        own.answer(function(), "true")
        wait_for(lambda: not own.containers(function()), 10, "the idle container is gone")
        assert own.answer(function(), "echo again") == "again\n"
    finally:
        own.close()


def test_a_container_that_died_while_idle_is_not_used(own: Local, function: Configure) -> None:
    mark = own.answer(function(), "echo mark >/tmp/mark; echo $AWS_LAMBDA_RUNTIME_API").strip()
    runtime = [path for path in images.processes(b"/bin/runtime") if images.has_in_environment(path, mark)]
    for path in runtime:
        os.kill(int(path.name), signal.SIGKILL)
    # An event handed over in the very moment of the death counts as begun, and so it is on Lambda.
    wait_for(lambda: not any(container.alive for container in own.runner._pool.idle), 10, "its death is known")
    assert own.answer(function(), "cat /tmp/mark 2>/dev/null; echo fine") == "fine\n"


def test_closing_ends_every_container_and_leaves_nothing(
    store: images.Store, tmp_path: Path, function: Configure, nap: str
) -> None:
    own = Local(store, tmp_path / "runner")
    own.answer(function(), f"setsid sleep {nap} >/dev/null 2>&1 & true")
    running = own.begin(function(), f"sleep {nap}")
    wait_for(lambda: len(images.sleeping(nap)) == 2, 10, "both run")
    own.close()
    running.cancel()
    assert not images.sleeping(nap)
    assert not list((tmp_path / "runner" / "runs").iterdir())


def test_an_invocation_cancelled_at_any_moment_of_its_start_leaves_no_container(
    own: Local, function: Configure, nap: str
) -> None:
    for moment in range(12):
        running = own.begin(function(memory=200 + moment), f"sleep {nap}")
        time.sleep(moment * 0.005)  # spread over the start, whatever its phases take
        running.cancel()
    wait_for(lambda: not own.runner.describe()["containers"], 10, "the pool is empty")
    wait_for(lambda: not images.sleeping(nap), 10, "no event runs")
    # Each file system is written out before it goes, which takes its time where the disk is busy.
    wait_for(lambda: not images.loop_devices(own.directory), 90, "nothing of an unfinished start is left")


def test_an_event_interrupted_by_the_end_of_the_local_cloud_is_no_failure_of_the_function(
    store: images.Store, tmp_path: Path, function: Configure, nap: str
) -> None:
    """Whoever keeps the event runs it again."""
    own = Local(store, tmp_path / "runner", background=1)
    running = [own.begin(function(), f"sleep {nap}", background=True) for _ in range(2)]
    wait_for(lambda: images.sleeping(nap), 10, "the first runs")
    own.close()
    for future in running:
        with pytest.raises(LocalCloudError):
            future.result(10)
