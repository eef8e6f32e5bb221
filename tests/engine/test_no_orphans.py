"""The language host, and all that it has started, ends when it should, whoever ends whom; so no `pulumi` hangs."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import grpc
import pytest
from pulumi.runtime.proto import language_pb2 as language
from pulumi.runtime.proto import language_pb2_grpc

from scar_pulumi.engine import Engine, stack_environment
from scar_pulumi.engine.go_build import PROGRAM_RUNNER
from scar_pulumi.engine.tether import descendants, kill_tree
from tests.world.failing_runs import failing_runs

Wait = Callable[[Callable[[], object]], None]

_STUBBORN = """
import os, signal, subprocess, sys, time
from pathlib import Path
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)
child = subprocess.Popen(["sleep", "600"])
Path(os.environ["PIDS"]).write_text(f"{os.getpid()} {child.pid}\\n")
print("heard", flush=True)
while True:
    time.sleep(600)
"""
"""Ends by nothing but SIGKILL, and has started something that holds its output."""

_LEAVES_BEHIND = """
import os, subprocess
from pathlib import Path
child = subprocess.Popen(["sleep", "600"], start_new_session=True)
Path(os.environ["PIDS"]).write_text(f"{child.pid}\\n")
print("done")
"""

# Starts a host as the engine does, and does nothing else.
_ENGINE = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-P", "-m", "scar_pulumi.engine.language_host"], process_group=0)
time.sleep(600)
"""


class Host:
    """A language host under a process that stands for the engine; its output is read as the engine reads it."""

    def __init__(self) -> None:
        self.engine = subprocess.Popen([sys.executable, "-c", _ENGINE], stdout=subprocess.PIPE, process_group=0)
        assert self.engine.stdout is not None
        self.output: IO[bytes] = self.engine.stdout
        port = int(self.output.readline())
        self.pid = descendants(self.engine.pid)[0]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.stub = language_pb2_grpc.LanguageRuntimeStub(self.channel)

    def close(self) -> None:
        self.channel.close()
        kill_tree(self.engine.pid)
        self.engine.wait()
        self.output.close()


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("PIDS", str(tmp_path / "pids"))
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    host = Host()
    yield host
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    host.close()
    for pid in filter(exists, pids):
        os.kill(pid, signal.SIGKILL)


def exists(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text()


def begin_program(host: Host, folder: Path, code: str) -> "grpc.Future":
    (folder / PROGRAM_RUNNER).write_text(code)
    (folder / PROGRAM_RUNNER).chmod(0o755)
    info = language.ProgramInfo(root_directory=str(folder), program_directory=str(folder), entry_point=".")
    return host.stub.Run.future(language.RunRequest(pwd=str(folder), info=info))


def begin_plugin(host: Host, folder: Path, code: str) -> object:
    (folder / "plugin").mkdir()
    (folder / "plugin" / "__main__.py").write_text(code)
    where = str(folder / "plugin")
    info = language.ProgramInfo(root_directory=where, program_directory=where, entry_point=".")
    return host.stub.RunPlugin(language.RunPluginRequest(pwd=where, info=info))


def kill_host_alone(host: Host) -> None:
    os.kill(host.pid, signal.SIGKILL)


def kill_group_of_host(host: Host) -> None:
    os.killpg(host.pid, signal.SIGKILL)


def interrupt_group_of_host(host: Host) -> None:
    os.killpg(host.pid, signal.SIGINT)


def terminate_host(host: Host) -> None:
    os.kill(host.pid, signal.SIGTERM)


def kill_engine(host: Host) -> None:
    host.engine.kill()
    host.engine.wait()


@pytest.mark.parametrize("begin", [begin_program, begin_plugin])
@pytest.mark.parametrize(
    "end", [kill_host_alone, kill_group_of_host, interrupt_group_of_host, terminate_host, kill_engine]
)
def test_a_stubborn_program_ends_with_its_host_and_holds_no_pipe(
    host: Host,
    tmp_path: Path,
    wait_until: Wait,
    begin: Callable[[Host, Path, str], object],
    end: Callable[[Host], None],
) -> None:
    running = begin(host, tmp_path, _STUBBORN)
    wait_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().endswith("\n"))
    started = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    end(host)
    wait_until(lambda: not any(exists(pid) for pid in [host.pid, *started]))
    if host.engine.poll() is None:
        host.engine.kill()
    host.output.read()  # to its end, as the engine reads: for ever, where anybody still held it
    del running


def test_a_cancelled_program_ends_and_the_host_serves_on(host: Host, tmp_path: Path, wait_until: Wait) -> None:
    running = begin_program(host, tmp_path, _STUBBORN)
    wait_until(lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text().endswith("\n"))
    started = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    running.cancel()
    wait_until(lambda: not any(exists(pid) for pid in started))
    assert exists(host.pid)


def test_what_a_program_leaves_behind_does_not_keep_its_run_open(host: Host, tmp_path: Path) -> None:
    answer = begin_program(host, tmp_path, _LEAVES_BEHIND).result(timeout=60)
    assert (answer.error, answer.bail) == ("", False)
    assert host.output.readline() == b"done\n"


_FAILING = """
import threading, time
from tests.engine.file_cloud import Thing
for name in "abc":
    Thing(name)
Thing("taken")
threading.Thread(target=time.sleep, args=(600,)).start()  # keeps the program, which has nothing more to do
"""


@pytest.fixture
def plain(world: Path, engine: Engine) -> tuple[Path, dict[str, str]]:
    """Return a project whose program has a resource that fails, and does not end by itself."""
    directory = Path(os.environ["ENGINE_FDL"]).parent
    (directory / "Pulumi.yaml").write_text("name: plain\nruntime: python\n")
    (directory / "__main__.py").write_text(_FAILING)
    environment = {**os.environ, **stack_environment("local", None, engine)}
    subprocess.run(
        ["pulumi", "stack", "init", "local", "--non-interactive"], cwd=directory, env=environment, check=True
    )
    return directory, environment


@contextmanager
def up(directory: Path, environment: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    command = ["pulumi", "up", "--non-interactive", "--yes", "--skip-preview", "-s", "local"]
    with subprocess.Popen(
        command, cwd=directory, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        process_group=0,
    ) as running:  # fmt: skip
        try:
            yield running
        finally:
            kill_tree(running.pid)


def test_none_of_many_failing_runs_hangs(plain: tuple[Path, dict[str, str]]) -> None:
    for _ in failing_runs(8):
        with up(*plain) as running:
            shown, _ = running.communicate(timeout=120)
        assert "the name is taken; choose another" in shown
        assert running.returncode != 0


_WAITING = """
import threading, time
from tests.engine.file_cloud import Thing
Thing("a")
threading.Thread(target=time.sleep, args=(600,)).start()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_plain_pulumi_and_all_that_it_has_started(
    plain: tuple[Path, dict[str, str]], world: Path, wait_until: Wait, number: signal.Signals
) -> None:
    (plain[0] / "__main__.py").write_text(_WAITING)
    with up(*plain) as running:
        wait_until((world / "a").exists)
        started = descendants(running.pid)
        assert len(started) >= 3  # the host, its program, the plugin
        running.send_signal(number)
        running.communicate(timeout=60)
        wait_until(lambda: not any(exists(pid) for pid in started))
