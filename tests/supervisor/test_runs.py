"""An event is one run of the program for each of its inputs."""

import json
from typing import Any

from tests.supervisor.conftest import Launch
from tests.supervisor.container import s3_event
from tests.supervisor.objects import bucket, keys, to


def test_every_record_of_an_event_is_run(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "records-all")
    for number in range(5):
        s3.put_object(Bucket=name, Key=f"in/{number}", Body=str(number).encode())
    container = launch(script='cat "$INPUT_FILE_PATH"; ls "$TMP_INPUT_DIR" | wc -l', environment=credentials)
    assert container.output(s3_event(name, *(f"in/{number}" for number in range(5)))) == "".join(
        f"{number}1\n" for number in range(5)
    )


def test_one_failed_record_fails_the_event_after_the_others_were_run(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
    name, target = bucket(s3, "records-bad"), bucket(s3, "records-bad-out")
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    container = launch(
        script='cat "$INPUT_FILE_PATH" >$TMP_OUTPUT_DIR/$STORAGE_OBJECT_KEY; [ $STORAGE_OBJECT_KEY != b ]',
        environment=credentials,
        configuration=to(target),
    )
    outcome = container.invoke(s3_event(name, "a", "b", "c", "missing"))
    assert outcome.failed
    assert "2 of 4 inputs failed" in outcome.message
    assert "records-bad/b: " in outcome.message
    assert "records-bad/missing: " in outcome.message
    assert keys(s3, target) == ["a", "c"]


def test_the_message_of_a_failure_begins_with_the_input(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "records-named")
    s3.put_object(Bucket=name, Key="in/a b", Body=b"")
    container = launch(script="exit 3", environment=credentials)
    assert container.invoke(s3_event(name, "in/a+b")).message.startswith("records-named/in/a b: ")
    assert " records-named/in/a b: " in next(line for line in container.log.splitlines() if " ERROR " in line)


def test_an_object_that_marks_a_folder_is_skipped(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "placeholders")
    s3.put_object(Bucket=name, Key="in/", Body=b"")
    assert launch(script="echo ran", environment=credentials).output(s3_event(name, "in/")) == ""


def test_the_events_record_is_given_as_json(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    s3.create_bucket(Bucket="records")
    s3.put_object(Bucket="records", Key="in/a b.txt", Body=b"1")
    container = launch(script='echo "$EVENT"; echo "$EVENT_TIME"; echo "$STORAGE_OBJECT_KEY"', environment=credentials)
    event = s3_event("records", "in/a+b.txt", eventTime="2026-01-01T00:00:00Z")
    record, time, key = container.output(event).splitlines()
    assert json.loads(record) == event["Records"][0]
    assert (time, key) == ("2026-01-01T00:00:00Z", "in/a b.txt")


def test_with_file_stage_in_the_input_stays_in_its_storage(launch: Launch, credentials: dict[str, str]) -> None:
    container = launch(
        script="echo ${INPUT_FILE_PATH-none} $STORAGE_OBJECT_KEY",
        configuration={"file_stage_in": True},
        environment=credentials,
    )
    assert container.output(s3_event("nowhere", "a")) == "none a\n"
