"""How long the user's process may run, what becomes of it, and what comes of its output."""

import base64
import os
import signal
import time
from pathlib import Path

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed
from tests.world.waiting import wait_for


def with_argument(word: str) -> list[int]:
    """The processes of this machine that have the word among their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


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


def test_a_process_left_behind_does_not_hold_up_the_answer(launch: Launch) -> None:
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


def test_the_answer_is_the_output_in_its_envelope(launch: Launch) -> None:
    container = launch(script="echo to-out; echo to-err >&2")
    request_id = container.start({})
    document = container.finish(request_id).document
    assert document == {
        "statusCode": 200,
        "headers": {
            "amz-lambda-request-id": request_id,
            "amz-log-group-name": "/aws/lambda/any",
            "amz-log-stream-name": "2026/01/01/[$LATEST]any",
        },
        "body": base64.b64encode(b"to-out\n").decode(),
        "isBase64Encoded": True,
    }


def test_binary_output_comes_back_unchanged(launch: Launch) -> None:
    outcome = launch().run(r"printf '\000\377\r\n\200'")
    assert base64.b64decode(outcome.document["body"]) == b"\0\xff\r\n\x80"


def test_an_answer_longer_than_lambda_takes_is_cut_with_a_notice(launch: Launch) -> None:
    outcome = launch().run("seq 1 1200000")
    assert len(outcome.document["body"]) < 6_200_000
    output = printed(outcome)
    assert output.startswith("1\n2\n3\n")
    assert output.splitlines()[-1].startswith("[cut: 8488896 bytes were printed, ")


def test_output_is_passed_on_while_the_process_runs(launch: Launch) -> None:
    container, mark = launch(), f"mark-{os.urandom(8).hex()}"
    script = "trap 'exit 0' USR1; echo live; while :; do sleep 0.05; done"
    request_id = container.start({"cmd_args": ["sh", "-c", script, mark]}, seconds=20)
    wait_for(lambda: "live\n" in container.log, 10, "the line is passed on before the process ends")
    os.kill(min(with_argument(mark)), signal.SIGUSR1)
    assert not container.finish(request_id).failed


def test_lines_of_the_process_and_of_the_supervisor_never_mix(launch: Launch) -> None:
    container = launch(configuration={"log_level": "debug"})
    outcome = container.run("for i in $(seq 200); do echo out-$i; echo err-$i >&2; done; printf unfinished")
    assert not outcome.failed
    wait_for(lambda: "ended after" in container.log, 5, "the last line")
    lines = container.log.splitlines()
    assert [line for line in lines if line.startswith("out-")] == [f"out-{i}" for i in range(1, 201)]
    assert [line for line in lines if line.startswith("err-")] == [f"err-{i}" for i in range(1, 201)]
    assert "unfinished" in lines
    ours = [line for line in lines if not line.startswith(("out-", "err-", "unfinished"))]
    assert all(" INFO request-" in line for line in ours), ours


@pytest.mark.parametrize(("level", "logged"), [("INFO", True), ("info", True), ("ERROR", False), ("nonsense", True)])
def test_the_log_level_decides_which_lines_are_written(launch: Launch, level: str, logged: bool) -> None:
    container = launch(configuration={"log_level": level})
    assert container.run("exit 1").failed
    wait_for(lambda: "exit code 1" in container.log, 5, "errors are written at every level")
    assert ("running /bin/sh" in container.log) is logged
