"""The process starts in any image, in the mode that its environment asks for, and ends when it is told to."""

import os
import signal
from pathlib import Path

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import USER, printed
from tests.world.waiting import wait_for

BROKEN = {"PYTHONHOME": "/rubbish", "PYTHONPATH": "/rubbish", "LD_LIBRARY_PATH": "/rubbish", "PYTHONSTARTUP": "/x"}


@pytest.mark.parametrize("root", ["empty", "busybox", "glibc", "broken-python"])
def test_polls_for_events_in_any_root_filesystem(launch: Launch, root: str) -> None:
    container = launch(root)
    assert container.api.polled.wait(20), container.log


@pytest.mark.parametrize("root", ["busybox", "glibc", "broken-python"])
def test_runs_scripts_as_an_unprivileged_user_on_a_read_only_root(launch: Launch, root: str) -> None:
    script = "id -u; echo x > /forbidden || echo read-only; echo y > /tmp/allowed && cat /tmp/allowed"
    output = printed(launch(root).run(script))
    assert output.split() == [str(USER), "read-only", "y"]


def test_ignores_interpreter_variables_and_libraries_of_the_image(launch: Launch) -> None:
    container = launch("broken-python", environment=BROKEN, image={"WorkingDir": "/rubbish"})
    output = container.output({"cmd_args": ["/bin/busybox", "sh", "-c", "echo $PYTHONHOME $LD_LIBRARY_PATH; pwd"]})
    assert output.split() == ["/rubbish", "/rubbish", "/rubbish"]


def test_a_preloaded_library_of_the_image_does_not_stop_the_start(launch: Launch) -> None:
    container = launch("broken-python", environment={"LD_PRELOAD": "/rubbish/libm.so.6"})
    assert container.api.polled.wait(20), container.log


def test_sigterm_ends_it_cleanly_while_it_waits(launch: Launch) -> None:
    container = launch()
    assert container.api.polled.wait(20)
    container.api.hang_up_next = True
    os.kill(container.supervisor_pid, signal.SIGTERM)
    assert container.process.wait(10) == 0


def test_sigterm_ends_the_running_program_too(launch: Launch) -> None:
    container = launch()
    container.start({"cmd_args": ["sh", "-c", "echo begun >&2; sleep 1000"]})
    wait_for(lambda: "begun" in container.log, 10, "the program runs")
    supervisor = _supervisor(container.supervisor_pid)
    os.kill(supervisor, signal.SIGTERM)
    assert container.process.wait(10) == 0


def _supervisor(pid: int) -> int:
    """Return the nearest process at or above this one that runs the supervisor."""
    while "supervisor.main" not in Path(f"/proc/{pid}/cmdline").read_text():
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(status.split("PPid:")[1].split()[0])
    return pid


def test_without_a_runtime_api_one_event_is_taken_from_standard_input(launch: Launch) -> None:
    container = launch(script="cat $INPUT_FILE_PATH; echo; echo to-err >&2", environment={"AWS_LAMBDA_RUNTIME_API": ""})
    assert container.process.wait(20) == 0
    wait_for(lambda: "{}\n" in container.log and "to-err\n" in container.log, 5, "the output is shown")


@pytest.mark.parametrize(("script", "code"), [("cat $INPUT_FILE_PATH", 0), ("exit 3", 3)])
def test_a_batch_job_takes_its_event_from_the_environment(launch: Launch, script: str, code: int) -> None:
    environment = {"AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job-1", "EVENT": '{"of": "the job"}'}
    container = launch(script=script, environment=environment)
    assert container.process.wait(20) == code
    wait_for(lambda: ('{"of": "the job"}' if not code else "exit code 3") in container.log, 5, "the output is shown")
