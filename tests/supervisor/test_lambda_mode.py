"""Events follow one another from the Runtime API, whatever goes wrong with one of them."""

import subprocess
import sys

import pytest

from tests.supervisor.conftest import BUNDLE, Launch
from tests.supervisor.container import printed
from tests.world.waiting import wait_for


def test_an_unusable_configuration_is_an_init_error(launch: Launch) -> None:
    container = launch(configuration="{not json")
    outcome = container.finish("init")
    assert outcome.kind == "init"
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "SCAR_FUNCTION: is not JSON" in outcome.message
    assert container.process.wait(10) == 1


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


def test_a_refused_response_is_reported_and_the_next_event_is_processed(launch: Launch) -> None:
    container = launch()
    container.api.refuse_response = True
    outcome = container.run("echo 1")
    assert outcome.document["errorType"] == "ResponseTooLarge"
    container.api.refuse_response = False
    assert printed(container.run("echo 2")) == "2\n"


def test_an_unexpected_failure_is_reported_and_the_next_event_is_processed(launch: Launch) -> None:
    container = launch()
    # The script puts a file where the folder for its outputs was: nothing that the supervisor foresees.
    outcome = container.run("busybox rmdir $TMP_OUTPUT_DIR && echo > $TMP_OUTPUT_DIR")
    assert outcome.document["errorType"] == "NotADirectoryError"
    assert outcome.message.startswith("the supervisor failed: ")
    wait_for(lambda: "Traceback" in container.log, 5, "where it happened is in the log")
    assert printed(container.run("echo 2")) == "2\n"


def test_a_runtime_api_that_goes_away_ends_the_process_with_an_error(launch: Launch) -> None:
    container = launch()
    assert container.api.polled.wait(20)
    container.api.close()
    assert container.process.wait(10) == 1
    wait_for(lambda: "the Runtime API is gone" in container.log, 5, "the reason is told")


@pytest.mark.parametrize(
    ("programs", "loaded"),
    [
        (["main"], {"main"}),
        (
            ["main", "lambda_mode"],
            {"configuration", "disk", "errors", "events", "events.http", "events.items", "events.storage", "function"}
            | {"lambda_mode", "limits", "log", "main", "storage"},
        ),
    ],
)
def test_only_what_is_needed_is_loaded_before_the_first_poll(programs: list[str], loaded: set[str]) -> None:
    assert _loaded(*programs) == loaded


def test_a_plain_event_loads_six_modules_more() -> None:
    more = {"files", "invocation", "process", "program", "response", "runs"}
    assert _loaded("lambda_mode", "invocation") - _loaded("lambda_mode") == more


def _loaded(*modules: str) -> set[str]:
    """Return the modules of the supervisor that are loaded after importing some of them."""
    imports = ", ".join(f"supervisor.{name}" for name in modules)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, {imports}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(BUNDLE.parent)},
    )
    return {name.removeprefix("supervisor.") for name in done.stdout.split() if name.startswith("supervisor.")}
