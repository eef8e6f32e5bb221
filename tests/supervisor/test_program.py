"""Which program runs for an event, and with which environment."""

from pathlib import Path

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import encoded, printed, s3_event, variables

IMAGE = {"Entrypoint": ["echo", "entrypoint"], "Cmd": ["command"]}


def test_the_events_script_comes_before_its_arguments(launch: Launch) -> None:
    event = {"script": encoded("echo script"), "cmd_args": '["arguments"]'}
    assert launch(script="echo baked", image=IMAGE).output(event) == "script\n"


@pytest.mark.parametrize("arguments", ['["a", "b c"]', ["a", "b c"]])
def test_the_events_arguments_stand_in_for_the_images_command(launch: Launch, arguments: object) -> None:
    assert launch(script="echo baked", image=IMAGE).output({"cmd_args": arguments}) == "entrypoint a b c\n"


def test_the_baked_script_comes_before_the_images_own_command(launch: Launch) -> None:
    assert launch(script="echo baked", image=IMAGE).output({}) == "baked\n"


def test_the_images_own_command_runs_where_nothing_else_is_given(launch: Launch) -> None:
    assert launch(image=IMAGE).output({}) == "entrypoint command\n"


def test_an_image_with_nothing_to_run_is_a_failure_that_says_so(launch: Launch) -> None:
    outcome = launch("empty").invoke({})
    assert outcome.document["errorType"] == "ScriptFailed"
    assert "there is nothing to run" in outcome.message


def test_a_static_program_runs_in_an_image_without_a_shell(launch: Launch) -> None:
    image = {"Entrypoint": ["/opt/scar/lib/ld.so", "--version"], "Cmd": None}
    assert "ld.so" in launch("empty", image=image).output({})


def test_a_program_that_is_not_in_the_image_is_named(launch: Launch) -> None:
    outcome = launch(image={"Entrypoint": ["/no/such/program"]}).invoke({})
    assert outcome.document["errorType"] == "ScriptFailed"
    assert "/no/such/program cannot be started: " in outcome.message


def test_a_script_is_run_by_the_interpreter_that_its_first_line_names(launch: Launch) -> None:
    script = "#!/bin/bash\nshopt -q extglob; letters=(a b c); echo ${#letters[@]} $BASH\n"
    assert launch("glibc", script=script).output({}) == "3 /bin/bash\n"


def test_the_interpreters_one_argument_is_kept_whole(launch: Launch) -> None:
    outcome = launch("glibc").run("#!/bin/bash -eu -o pipefail\necho never")
    assert outcome.failed
    assert "invalid option" in outcome.message


def test_an_interpreter_found_by_env_is_honoured(launch: Launch) -> None:
    assert printed(launch("glibc").run("#!/usr/bin/env bash\nletters=(a b); echo ${#letters[@]}")) == "2\n"


@pytest.mark.parametrize("first_line", ["#!/bin/bash", "#!/usr/bin/env bash", "#! /bin/env -S bash -x", ""])
def test_the_shell_runs_scripts_whose_interpreter_is_not_in_the_image(launch: Launch, first_line: str) -> None:
    assert printed(launch().run(f"{first_line}\necho shell")) == "shell\n"


def test_a_missing_interpreter_is_named_when_the_shell_fails_on_the_script(launch: Launch) -> None:
    outcome = launch().run("#!/usr/bin/perl\nuse strict;")
    assert "/usr/bin/perl is not in the image" in outcome.message


def test_windows_line_endings_are_pointed_out(launch: Launch) -> None:
    outcome = launch("glibc").run("#!/bin/bash\r\nfalse\r\n")
    assert "save it with Unix line endings" in outcome.message


def test_a_script_in_an_image_without_a_shell_is_a_failure_that_says_so(launch: Launch) -> None:
    outcome = launch("empty", script="echo baked").invoke({})
    assert outcome.document["errorType"] == "ScriptFailed"
    assert "the image has no shell" in outcome.message


@pytest.mark.parametrize(("program", "fails"), [("true", False), ("false", True)])
def test_a_binary_serves_as_script(launch: Launch, program: str, fails: bool) -> None:
    assert launch("glibc", script=Path(f"/usr/bin/{program}").read_bytes()).invoke({}).failed is fails


def test_the_working_directory_of_the_image_is_honoured(launch: Launch) -> None:
    assert printed(launch(image={"WorkingDir": "/bin"}).run("pwd")) == "/bin\n"


def test_a_missing_working_directory_is_ignored(launch: Launch) -> None:
    assert printed(launch(image={"WorkingDir": "/no/such/folder"}).run("pwd")) == "/\n"


@pytest.mark.parametrize(
    ("event", "complaint"),
    [
        ({"script": "%%%"}, "`script` is not base64"),
        ({"cmd_args": "df -h"}, "`cmd_args` is not JSON"),
        ({"cmd_args": {"df": 1}}, "`cmd_args` is not a list"),
    ],
)
def test_a_malformed_script_or_argument_is_an_invalid_event(launch: Launch, event: object, complaint: str) -> None:
    outcome = launch(script="echo baked").invoke(event)
    assert outcome.document["errorType"] == "EventInvalid"
    assert complaint in outcome.message


def test_the_process_sees_its_image_and_its_function_and_nothing_of_the_supervisor(launch: Launch) -> None:
    container = launch(
        script="env",
        image={"Env": ["FROM_IMAGE=1", "BOTH=image"]},
        environment={"BOTH": "function", "AWS_SECRET_ACCESS_KEY": "key", "AWS_REGION": "eu-west-1"},
    )
    found = variables(container, {})
    assert found["FROM_IMAGE"] == "1"
    assert found["BOTH"] == "function"
    assert found["AWS_SECRET_ACCESS_KEY"] == "key"
    assert found["AWS_REGION"] == "eu-west-1"
    ours = {"SCAR_FUNCTION", "AWS_LAMBDA_RUNTIME_API", "LC_CTYPE", "PYTHONHOME", "PYTHONPATH", "LD_LIBRARY_PATH"}
    assert not ours & set(found)


def test_the_process_gets_the_variables_of_its_event(launch: Launch) -> None:
    container = launch(script="env; cat $INPUT_FILE_PATH")
    request_id = container.start({"a": 1}, trace_id="Root=1-2-3")
    output = printed(container.finish(request_id))
    found = dict(line.partition("=")[::2] for line in output.splitlines() if "=" in line)
    assert found["AWS_LAMBDA_REQUEST_ID"] == request_id
    assert found["_X_AMZN_TRACE_ID"] == "Root=1-2-3"
    assert found["INPUT_FILE_PATH"].startswith(found["TMP_INPUT_DIR"] + "/event-file-")
    assert found["TMP_OUTPUT_DIR"] != found["TMP_INPUT_DIR"]
    assert found["HOME"] == "/tmp"
    assert output.endswith('{"a": 1}')


def test_an_event_longer_than_any_variable_is_left_out_and_the_script_runs(launch: Launch) -> None:
    container = launch(script="echo ${EVENT-none} ${#STORAGE_OBJECT_KEY}")
    event = s3_event("bucket", "folder/", padding="x" * 200_000)
    event["Records"][0]["s3"]["object"]["key"] = "folder/"
    assert container.output(event) == ""  # a placeholder: nothing runs, nothing fails
    long = {"padding": "x" * 200_000}
    assert container.output(long) == "none 0\n"


def test_a_long_input_name_and_odd_bytes_in_variables_do_no_harm(launch: Launch) -> None:
    found = variables(launch(script="env", environment={"ODD": "a\nb=c", "UMLAUT": "ä"}), {})
    assert found["UMLAUT"] == "ä"
    assert found["b"] == "c"
