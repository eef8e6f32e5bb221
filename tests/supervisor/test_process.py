"""How long the program may run, how it is ended, and why it failed."""

import time
from pathlib import Path

import pytest

from supervisor import process
from supervisor.errors import OutOfDisk, OutOfMemory, ScriptFailed
from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed, with_argument
from tests.world.waiting import wait_for


@pytest.mark.parametrize("code", [1, 3, 127])
def test_an_exit_code_is_a_failed_invocation(launch: Launch, code: int) -> None:
    outcome = launch().run(f"echo to-out; echo to-err >&2; exit {code}")
    assert outcome.document["errorType"] == "ScriptFailed"
    assert outcome.error_type == "Function.ScriptFailed"
    assert f"exit code {code}" in outcome.message
    assert "to-out" in outcome.message
    assert "to-err" in outcome.message


def test_a_signal_is_a_failed_invocation(launch: Launch) -> None:
    assert "SIGSEGV" in launch().run("kill -SEGV $$").message


def test_a_failure_shows_the_end_of_a_long_output(launch: Launch) -> None:
    outcome = launch().run("seq 1 100000; echo the end; exit 1")
    assert outcome.message.endswith("99999\n100000\nthe end")
    assert len(outcome.message) < 5000


def test_a_timeout_ends_the_whole_process_group_before_lambda_would(launch: Launch) -> None:
    container = launch(configuration={"timeout_threshold": 2})
    started = time.monotonic()
    outcome = container.run("sleep 4711.1 & (sleep 4711.2; echo never) & sleep 4711.3", seconds=4)
    assert 1.8 < time.monotonic() - started < 30
    assert outcome.document["errorType"] == "ScriptTimedOut"
    assert "timeout" in outcome.message
    assert not any(with_argument(f"4711.{number}") for number in (1, 2, 3))
    assert printed(container.run("echo next")) == "next\n"


def test_a_timeout_asks_before_it_kills(launch: Launch) -> None:
    container = launch()
    outcome = container.run("trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done", seconds=1)
    assert outcome.document["errorType"] == "ScriptTimedOut"
    assert "asked" in outcome.message


def test_a_process_that_ignores_the_request_is_killed(launch: Launch) -> None:
    container = launch()
    started = time.monotonic()
    outcome = container.run("trap '' TERM; while :; do sleep 4712; done", seconds=2)
    assert outcome.document["errorType"] == "ScriptTimedOut"
    assert time.monotonic() - started < 30
    assert not with_argument("4712")


def test_processes_left_behind_are_ended_with_the_event(launch: Launch) -> None:
    container = launch()
    outcome = container.run("sleep 4713 & setsid sleep 4714 & nohup sleep 4715 >/dev/null 2>&1 & sleep 0.2; echo done")
    assert printed(outcome) == "done\n"
    wait_for(lambda: not any(with_argument(word) for word in ("4713", "4714", "4715")), 5, "all are gone")


def test_a_process_left_behind_does_not_delay_the_response(launch: Launch) -> None:
    container = launch()
    started = time.monotonic()
    assert printed(container.run("setsid sleep 30 & echo done")) == "done\n"
    assert time.monotonic() - started < 30


@pytest.mark.parametrize("threshold", [1, 2, 10])
def test_a_threshold_never_takes_most_of_the_time(launch: Launch, threshold: int) -> None:
    container = launch(configuration={"timeout_threshold": threshold})
    assert printed(container.run("sleep 1; echo done", seconds=2.5)) == "done\n"


def test_the_threshold_of_the_environment_comes_first(launch: Launch) -> None:
    container = launch(configuration={"timeout_threshold": 0}, environment={"TIMEOUT_THRESHOLD": "2"})
    started = time.monotonic()
    assert container.run("sleep 10", seconds=4).failed
    assert 1.5 < time.monotonic() - started < 30


@pytest.mark.parametrize("code", [-9, 137])
def test_a_kill_that_the_kernel_counts_is_out_of_memory(tmp_path: Path, code: int) -> None:
    now = process.oom_kills()
    assert now, "no kernel counts here"
    before = {path: count - 1 for path, count in now.items()}
    assert process.failure_cause("sh", code, "", before, str(tmp_path))[0] is OutOfMemory
    assert process.failure_cause("sh", code, "", now, str(tmp_path))[0] is ScriptFailed


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("numpy: Cannot allocate memory", OutOfMemory),
        ("Traceback: MemoryError", OutOfMemory),
        ("write error: No space left on device", OutOfDisk),
        ("nothing special", ScriptFailed),
    ],
)
def test_the_programs_own_words_decide_the_cause(tmp_path: Path, printed: str, kind: type) -> None:
    found, told = process.failure_cause("sh", 1, printed, {}, str(tmp_path))
    assert found is kind
    assert "exit code 1" in told


def test_the_output_folder_is_not_blamed_for_another_file_system_that_is_full(tmp_path: Path) -> None:
    _, told = process.failure_cause("sh", 1, "dd: /dev/shm/x: No space left on device", {}, str(tmp_path))
    assert f"if that was in {tmp_path}" in told
