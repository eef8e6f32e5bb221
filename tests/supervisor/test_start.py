"""The supervisor starts wherever it is put, and ends as it should."""

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


def test_an_unusable_configuration_is_an_init_error(launch: Launch) -> None:
    container = launch(configuration="{not json")
    outcome = container.finish("init")
    assert outcome.kind == "init"
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "SCAR_FUNCTION: is not JSON" in outcome.message
    assert container.process.wait(10) == 1


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
    """The nearest process at or above this one that runs the supervisor."""
    while "supervisor.main" not in Path(f"/proc/{pid}/cmdline").read_text():
        status = Path(f"/proc/{pid}/status").read_text()
        pid = int(status.split("PPid:")[1].split()[0])
    return pid


def test_events_go_on_over_one_kept_alive_connection(launch: Launch) -> None:
    container = launch()
    for number in range(5):
        assert printed(container.run(f"echo {number}")) == f"{number}\n"
    assert container.api.connections == 1


def test_a_closed_connection_is_opened_again(launch: Launch) -> None:
    container = launch()
    assert printed(container.run("echo 1")) == "1\n"
    container.api.hang_up_next = True
    assert printed(container.run("echo 2")) == "2\n"
    assert printed(container.run("echo 3")) == "3\n"
    assert container.api.connections == 2


def test_a_refused_answer_is_reported_and_the_next_event_taken(launch: Launch) -> None:
    container = launch()
    container.api.refuse_response = True
    outcome = container.run("echo 1")
    assert outcome.document["errorType"] == "ResponseTooLarge"
    container.api.refuse_response = False
    assert printed(container.run("echo 2")) == "2\n"


def test_an_unexpected_failure_is_reported_and_the_next_event_taken(launch: Launch) -> None:
    container = launch()
    # The script puts a file where the folder for its outputs was: nothing that the supervisor foresees.
    outcome = container.run("busybox rmdir $TMP_OUTPUT_DIR && echo > $TMP_OUTPUT_DIR")
    assert outcome.document["errorType"] == "NotADirectoryError"
    assert outcome.message.startswith("the supervisor failed: ")
    wait_for(lambda: "Traceback" in container.log, 5, "where it happened is in the log")
    assert printed(container.run("echo 2")) == "2\n"


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


def test_a_runtime_api_that_goes_away_ends_the_process_with_an_error(launch: Launch) -> None:
    container = launch()
    assert container.api.polled.wait(20)
    container.api.close()
    assert container.process.wait(10) == 1
    wait_for(lambda: "the Runtime API is gone" in container.log, 5, "the reason is told")
