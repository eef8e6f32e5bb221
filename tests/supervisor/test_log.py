"""Log lines of the supervisor and of the program."""

import json
import os
import signal

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import with_argument
from tests.world.waiting import wait_for


def test_lines_may_be_json(launch: Launch) -> None:
    container = launch(configuration={"log_format": "json"}, script="echo user; exit 1")
    request_id = container.start({})
    assert container.finish(request_id).failed
    container.close()
    lines = [json.loads(line) for line in container.log.splitlines() if line != "user"]
    assert {line["requestId"] for line in lines} == {request_id}
    assert [line["level"] for line in lines][-1] == "ERROR"
    assert all(set(line) == {"timestamp", "level", "requestId", "message"} for line in lines)


def test_a_message_of_several_lines_is_several_lines_that_begin_alike(launch: Launch) -> None:
    container = launch(script="echo last words; exit 1")
    request_id = container.start({})
    assert container.finish(request_id).failed
    container.close()
    assert "\\n" not in container.log
    errors = [line.partition(" ERROR ")[2] for line in container.log.splitlines() if " ERROR " in line]
    assert errors[0].startswith(f"{request_id} ")
    assert all(line.startswith(f"{request_id}   ") for line in errors[1:])


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
