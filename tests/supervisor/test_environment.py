"""What the user's process finds around it."""

import json
from typing import Any

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container, printed, s3_event


def variables(container: Container, event: object, **more: str) -> dict[str, str]:
    found = container.output(event, **more)
    return dict(line.partition("=")[::2] for line in found.splitlines() if "=" in line)


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


def test_nothing_of_an_event_is_left_for_the_next_one(launch: Launch) -> None:
    container = launch(
        script="env; ls -A /tmp; cat $TMP_OUTPUT_DIR/* 2>/dev/null; echo x >$TMP_OUTPUT_DIR/x; cd /tmp; ls -A | wc -l"
    )
    first = variables(container, {"a": 1})
    second = variables(container, {"b": 2})
    assert first["TMP_OUTPUT_DIR"] != second["TMP_OUTPUT_DIR"]
    assert container.output({}).splitlines()[-1] == "1"  # only the folder of the event itself
    changing = {"INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "AWS_LAMBDA_REQUEST_ID"}
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == changing


def test_files_that_the_script_locked_are_removed_too(launch: Launch) -> None:
    container = launch()
    locked = "cd $TMP_INPUT_DIR && mkdir -p a/b && echo 1 >a/b/c && ln -s / a/root && mkfifo a/p && chmod 0 a/b/c a/b a"
    assert not container.run(locked).failed
    assert printed(container.run("ls -A /tmp | wc -l")) == "1\n"
    assert "cannot be removed" not in container.log


def test_folders_of_failed_and_timed_out_events_are_removed_too(launch: Launch) -> None:
    container = launch()
    assert container.run("echo x >$TMP_OUTPUT_DIR/x; exit 3").failed
    assert container.run("echo x >$TMP_OUTPUT_DIR/x; sleep 100", seconds=0.5).failed
    assert printed(container.run("ls -A /tmp | wc -l")) == "1\n"


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


def test_the_events_record_is_given_as_json(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    s3.create_bucket(Bucket="records")
    s3.put_object(Bucket="records", Key="in/a b.txt", Body=b"1")
    container = launch(script='echo "$EVENT"; echo "$EVENT_TIME"; echo "$STORAGE_OBJECT_KEY"', environment=credentials)
    event = s3_event("records", "in/a+b.txt", eventTime="2026-01-01T00:00:00Z")
    record, time, key = container.output(event).splitlines()
    assert json.loads(record) == event["Records"][0]
    assert (time, key) == ("2026-01-01T00:00:00Z", "in/a b.txt")
