"""Where the best way is not open, another one is found, and functions run all the same."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner.executors import mounts
from scar_pulumi.cloud.runner.executors.bubblewrap_process import Program
from scar_pulumi.cloud.runner.executors.control_groups import ControlGroup, Controller, find_controllers
from scar_pulumi.cloud.runner.executors.mounts import TemporaryStorage
from scar_pulumi.cloud.runner.runner import choose_executor
from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="these ways are root's")


def _fail(*_: object) -> None:
    raise PermissionError("not here")


@needs_root
def test_without_overlayfs_layers_are_merged(
    store: images.Store, base: bytes, tmp_path: Path, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "stack", _fail)
    upper = images.layer([images.Entry(".wh.gone"), images.Entry("new", b"n"), images.Entry("private", b"s", 0o600)])
    layers = [base, images.layer([images.Entry("gone", b"g"), images.Entry("kept", b"k")]), upper]
    digest = store.add(layers, Entrypoint=["/bin/runtime"])
    local = Local(store, tmp_path / "runner")
    try:
        assert "merged" in str(local.runner.describe()["root_filesystem"])
        script = "cat /kept /new; ls /gone; cat /private; touch /x; true"
        assert local.answer(function(image=digest, environment={"PATH": "/bin"}), script) == "kn"
    finally:
        local.close()


@needs_root
def test_without_loop_devices_tmp_is_memory_that_does_not_count(
    store: images.Store, tmp_path: Path, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TemporaryStorage, "mount", _fail)
    local = Local(store, tmp_path / "runner")
    try:
        assert local.runner.describe()["temporary_storage"] == "memory"
        script = "said=$(dd if=/dev/zero of=/tmp/a bs=1M count=600 2>&1 | grep -o 'No space')"
        script += "; size=$(stat -c %s /tmp/a); rm /tmp/a; echo $said; echo $size"
        said, size = local.answer(function(memory=128, ephemeral_storage=512), script).splitlines()
        assert said == "No space"
        assert 510 * 2**20 <= int(size) <= 512 * 2**20
    finally:
        local.close()


def test_without_control_groups_functions_run_unlimited_and_that_is_told(
    store: images.Store, tmp_path: Path, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar_pulumi.cloud.runner.executors.bubblewrap.find_controllers", dict)
    local = Local(store, tmp_path / "runner")
    try:
        assert str(local.runner.describe()["memory_limit"]).startswith("not limited")
        result = local.invoke(
            function(memory=128), "dd if=/dev/zero of=/dev/null bs=300M count=1 2>/dev/null; sleep 0.3"
        )
        assert result.error is None
        assert result.max_memory_mb >= 1
    finally:
        local.close()


def test_groups_of_version_2_are_limited_by_its_files(tmp_path: Path) -> None:
    """A plain folder stands for the kernel's: what is written is what counts."""
    group = ControlGroup("x", {name: Controller(2, tmp_path) for name in ("memory", "pids")})
    group.create(256, 1024)
    (folder,) = tmp_path.iterdir()
    assert (folder / "memory.max").read_text() == str(256 * 2**20)
    assert (folder / "memory.swap.max").read_text() == "0"
    assert (folder / "pids.max").read_text() == "1024"
    (folder / "memory.stat").write_text("anon 5000\nfile 9\n")
    (folder / "memory.events").write_text("oom 1\noom_kill 1\n")
    assert group.resident() == 5000
    assert group.out_of_memory()


def test_the_nearest_group_above_that_can_limit_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar_pulumi.cloud.runner.executors.control_groups._mounted", lambda: {"": tmp_path})
    (tmp_path / "user" / "session").mkdir(parents=True)
    (tmp_path / "user" / "cgroup.subtree_control").write_text("memory pids\n")
    found = find_controllers("0::/user/session\n")
    assert found == {name: Controller(2, tmp_path / "user") for name in ("memory", "pids")}


# The interpreter may lie where only root can look: it keeps the right to read all, which what it starts does not.
_AS_NOBODY = """
import asyncio, ctypes, os, runpy, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl(8, 1, 0, 0, 0)
os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
header = (ctypes.c_uint32 * 2)(0x20080522, 0)
data = (ctypes.c_uint32 * 6)(1 << 2, 1 << 2, 0, 0, 0, 0)
assert libc.capset(header, data) == 0
libc.prctl(4, 1, 0, 0, 0)  # else /proc/self belongs to root
sys.argv = ["-", *sys.argv[1:]]
from pathlib import Path
from scar_pulumi.cloud.runner import ContainerRun, FunctionConfiguration, Runner
from tests.cloud.runner.images import Store

class Sink:
    def put(self, group, stream, events):
        if group == "/tasks":
            print("task said", *(message.strip() for _, message in events))

async def main(store, directory, image, script):
    runner = Runner(Store(Path(store)), Sink(), Path(directory), {}, "bubblewrap")
    await runner.start()
    print(runner.describe())
    function = FunctionConfiguration("f", "arn", "1", "r", "a", image, 256, 10, 16, {"PATH": "/bin"}, "/g")
    for n in range(2):
        print((await runner.invoke(function, script.encode(), str(n))).payload.decode())
    command = ("sh", "-c", "id -u; touch /tmp/f && echo tmp; touch /f 2>/dev/null && echo root; exit 7")
    run = ContainerRun("t", image, 64, 16, "/tasks", "s", command, entry_point=())
    print("task ended", (await runner.run(run, lambda: None)).exit_code)
    await runner.close()

asyncio.run(main(*sys.argv[1:]))
"""


def test_what_bwrap_says_when_it_cannot_begin_is_told(tmp_path: Path, store: images.Store) -> None:
    """As on a machine that forbids user namespaces."""
    program = Program(Path("/bin/ls"), "fake", True)  # says that it does not know the options, and ends
    with pytest.raises(LocalCloudError, match=r"bwrap ended before the container began.*--args"):
        asyncio.run(_start_with(program, tmp_path, store))


async def _start_with(program: Program, folder: Path, store: images.Store) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("scar_pulumi.cloud.runner.executors.bubblewrap.find_program", lambda _: program)
        await choose_executor("bubblewrap", folder / "runner", store)


@needs_root
@pytest.mark.parametrize("stacking", [True, False])
def test_an_ordinary_user_can_run_functions(store: images.Store, base: bytes, stacking: bool) -> None:
    place = Path("/tmp") / f"scar-runner-test-{os.getpid()}-{stacking}"
    place.mkdir(mode=0o755)
    os.chown(place, 65534, 65534)
    try:
        _run_as_nobody(store, base, place, stacking)
    finally:
        subprocess.run(["rm", "-rf", str(place)], check=True)


def _run_as_nobody(store: images.Store, base: bytes, place: Path, stacking: bool) -> None:
    upper = images.layer([images.Entry(".wh.gone"), images.directory("d"), images.Entry("d/.wh..wh..opq")])
    lower = images.layer([images.Entry("gone", b"g"), images.directory("d", 0o555), images.Entry("d/old", b"o")])
    # More layers than one mount's options can name, unless they are stacked.
    extra = [] if stacking else [images.layer([images.Entry(f"n{n}", b"x")]) for n in range(60)]
    digest = store.add([base, lower, upper, *extra], Entrypoint=["/bin/runtime"])
    script = (
        "id -u; ls /d /gone 2>/dev/null; touch /x 2>/dev/null || echo ro; dd if=/dev/zero of=/tmp/a bs=1M 2>/dev/null"
    )
    script += "; size=$(stat -c %s /tmp/a); rm /tmp/a; echo $size; hostname"
    done = subprocess.run(  # noqa: PLW1510 - the return code is looked at with what was said
        [sys.executable, "-c", _AS_NOBODY, str(store.folder), str(place / "runner"), digest, script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert bool(list((place / "runner/merged").iterdir())) is not stacking
    described, *answers = done.stdout.strip().splitlines()
    assert "'user': '993:990 in a user namespace'" in described
    lines = [line for line in answers if line]
    assert lines[0] == "993"
    assert "ro" in lines
    assert "old" not in done.stdout.replace("'", "").split()
    assert "/gone" not in lines
    assert lines.count("169.254.1.1") == 2
    assert f"task said 0 tmp{' root' if stacking else ''}" in lines
    assert "task ended 7" in lines
    assert any(line.isdecimal() and 15 * 2**20 < int(line) <= 16 * 2**20 for line in lines)
