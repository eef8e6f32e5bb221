"""Containers that run once, as Docker runs them."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cloud.runner import ContainerExit, ContainerRun
from scar_pulumi.cloud.runner.executors import Confinement, Sandbox, Volume, mounts
from scar_pulumi.cloud.runner.executors.bubblewrap_process import ContainerMounts, arguments, gpu_devices
from scar_pulumi.cloud.runner.executors.docker import container_options
from scar_pulumi.cloud.runner.executors.mounts import TemporaryStorage
from scar_pulumi.cloud.runner.image import StoredImage, UnusableImageError
from tests.cloud.runner import images
from tests.cloud.runner.conftest import Local

Run = Callable[..., tuple[ContainerExit, str]]


def make(image: str, script: str, **changes: Any) -> ContainerRun:
    settings: dict[str, Any] = {"memory": 64, "storage": 16, "log_group": script, "log_stream": "s", **changes}
    return ContainerRun("task", image, command=("sh", "-c", script), **settings)


@pytest.fixture
def plain(store: images.Store, base: bytes) -> str:
    """Return an image with an entry point that runs what it is given."""
    return store.add([base], Entrypoint=["/bin/env", "VIA=entrypoint"], Env=["PATH=/bin"], WorkingDir="/")


@pytest.fixture
def run(local: Local, plain: str) -> Run:
    def run(script: str, **changes: Any) -> tuple[ContainerExit, str]:
        return _run(local, plain, script, **changes)

    return run


def _run(local: Local, image: str, script: str, **changes: Any) -> tuple[ContainerExit, str]:
    result = local.run(local.runner.run(make(image, script, **changes), lambda: None))
    return result, local.sink.text(script)


def test_the_entry_point_stays_and_root_may_do_what_docker_lets_it(run: Run) -> None:
    result, printed = run("echo $VIA; touch /f && chmod 600 /f && id -u; cat /proc/self/status | grep CapEff")
    assert result == ContainerExit(0)
    assert printed.splitlines()[:2] == ["entrypoint", "0"]
    assert printed.split()[-1] == "00000000880405fb", "Docker's, without raw sockets"


def test_the_kernel_s_settings_are_out_of_reach(run: Run) -> None:
    """The same value is written again, so that a failing test changes nothing."""
    files = "/proc/sys/vm/swappiness /proc/sys/kernel/core_pattern /proc/sys/kernel/domainname /proc/1/oom_score_adj"
    script = f'for f in {files}; do v=$(cat $f) && (echo "$v" >$f) 2>/dev/null && echo $f; done; date'
    _, printed = run(script)
    assert printed.splitlines()[:-1] == ["/proc/1/oom_score_adj"], "what is the container's own"


def test_the_disk_has_the_size_that_was_asked_for(run: Run) -> None:
    result, printed = run("dd if=/dev/zero of=/f bs=1M count=100 2>&1 | grep -o 'No space'; stat -c %s /f")
    assert printed.startswith("No space")
    assert 10 * 2**20 < int(printed.split()[-1]) < 32 * 2**20
    assert result.exit_code == 0


def test_a_read_only_root_leaves_tmp_for_any_user(run: Run) -> None:
    _, printed = run("touch /f 2>/dev/null || echo no; touch /tmp/f && id -u", read_only=True, user="1234")
    assert printed.split() == ["no", "1234"]


@pytest.mark.parametrize(
    ("user", "numbers"), [("worker", "1234 1235"), ("worker:staff", "1234 1300"), ("7:staff", "7 1300"), ("7", "7 0")]
)
def test_an_image_s_user_may_be_a_name(local: Local, store: images.Store, base: bytes, user: str, numbers: str) -> None:
    accounts = [
        images.Entry("etc/passwd", b"root:x:0:0::/:/bin/sh\nworker:x:1234:1235::/:/bin/sh\n"),
        images.Entry("etc/group", b"root:x:0:\nstaff:x:1300:worker\n"),
    ]
    image = store.add([base, images.layer(accounts)], Env=["PATH=/bin"], User=user)
    _, printed = _run(local, image, f"echo $(id -u) $(id -g) # {user}")
    assert printed.strip() == numbers


def test_a_user_that_the_image_does_not_know_is_told(local: Local, store: images.Store, base: bytes) -> None:
    image = store.add([base], Env=["PATH=/bin"], User="nobody-knows")
    with pytest.raises(UnusableImageError, match="its user nobody-knows is not in its /etc/passwd"):
        _run(local, image, "echo")


def test_cancelled_it_may_tidy_up_and_is_killed_if_it_does_not(local: Local, plain: str, nap: str) -> None:
    polite = f"trap 'echo tidied; exit 0' TERM; echo on; sleep {nap} & wait"
    stubborn = f"trap '' TERM; echo on; sleep {nap}; sleep {nap}"
    for script, said in ((polite, "on\ntidied\n"), (stubborn, "on\n")):
        running = local.submit(_cancelled(local, make(plain, script, grace=1.0)))
        running.result(30)
        assert local.sink.text(script) == said
        assert not images.sleeping(nap)


async def _cancelled(local: Local, task: ContainerRun) -> None:
    started = asyncio.Event()
    running = asyncio.ensure_future(local.runner.run(task, started.set))
    await started.wait()
    while "on" not in local.sink.text(task.log_group):
        await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()


@pytest.mark.skipif(os.geteuid() != 0, reason="these ways are root's")
@pytest.mark.parametrize("way", [(TemporaryStorage, "mount"), (mounts, "stack")], ids=["storage", "stack"])
def test_where_the_best_way_is_not_open_tasks_run_all_the_same(
    store: images.Store, plain: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: tuple[Any, str]
) -> None:
    def fail(*_: object) -> None:
        raise PermissionError("not here")

    monkeypatch.setattr(*way, fail)
    local = Local(store, tmp_path / "runner")
    try:
        result, printed = _run(local, plain, "touch /tmp/f && echo fine; touch /f 2>/dev/null && echo written")
        assert printed.split()[0] == "fine"
        assert result.exit_code == 0 or way[1] == "stack"
    finally:
        local.close()


def sandbox(**more: Any) -> Sandbox:
    image = StoredImage("sha256:0", Path("/config"), ())
    return Sandbox("0" * 32, "task", image, ("run",), "/", 64, 16, {"A": "1"}, **more)


def test_gpus_volumes_and_shared_memory_reach_either_executor(tmp_path: Path) -> None:
    confinement = Confinement(0, 0, ("CAP_CHOWN",), writable=True, shared_memory=64)
    volumes = (Volume(tmp_path, "/data", read_only=True),)
    given = sandbox(confinement=confinement, volumes=volumes, gpus=(0, 2))
    words = " ".join(arguments(given, ContainerMounts(tmp_path, written=True, volumes=volumes), 3, 4))
    assert f"--bind {tmp_path} /" in words
    assert f"--ro-bind {tmp_path} /data" in words
    assert "--dev-bind /dev/nvidia2 /dev/nvidia2" in words
    assert "--tmpfs /dev/shm" in words
    assert "--cap-drop ALL --cap-add CAP_CHOWN" in words
    options = container_options(given)
    (request,) = options["device_requests"]
    assert (request["Driver"], request["DeviceIDs"]) == ("nvidia", ["0", "2"])
    assert (options["read_only"], options["cap_add"], options["shm_size"]) == (False, ["CHOWN"], "64m")
    assert options["volumes"] == {str(tmp_path): {"bind": "/data", "mode": "ro"}}
    assert (options["mem_limit"], options["user"]) == ("64m", "0:0")
    assert gpu_devices(()) == []


def test_cancelled_before_its_command_is_there_it_ends_at_once(local: Local, plain: str, nap: str) -> None:
    tasks = [make(plain, f"sleep {nap}", log_group=str(number), grace=600.0) for number in range(8)]
    for task in tasks:
        local.run(_cancelled_at_once(local, task))
    assert not images.sleeping(nap)


async def _cancelled_at_once(local: Local, task: ContainerRun) -> None:
    started = asyncio.Event()
    running = asyncio.ensure_future(local.runner.run(task, started.set))
    await started.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
