"""Inputs come from S3, whatever they are called and however large they are, and go back there unchanged."""

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import s3_event
from tests.supervisor.objects import body, bucket, keys, to
from tests.supervisor.unreliable import unreliable

KEYS = [
    "plain.txt",
    "with space.txt",
    "plus+plus.txt",
    "100%.txt",
    "pct%20already.txt",
    "hash#mark.txt",
    "what?x=1&y=2.txt",
    "añ/日本語.txt",
    "e\u0301-decomposed.txt",
    "two//slashes///three.txt",
    "/leading.txt",
    "=:;@,$!'()~*[]{}^|<>`\"\\.txt",
    "-n",
    ".hidden",
    "tail space ",
]


def test_objects_of_any_name_come_in_and_go_out_unchanged(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    source, target = bucket(s3, "names-in"), bucket(s3, "names-out")
    for key in KEYS:
        s3.put_object(Bucket=source, Key=key, Body=key.encode())
    container = launch(
        "glibc",
        script='cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/${INPUT_FILE_PATH##*/}"',
        environment=credentials,
        configuration=to(f"{target}/out"),
    )
    outcome = container.invoke(s3_event(source, *map(quote_plus, KEYS)))
    assert not outcome.failed, outcome
    assert keys(s3, target) == sorted("out/" + key.rpartition("/")[2] for key in KEYS)
    for key in KEYS:
        assert body(s3, target, "out/" + key.rpartition("/")[2]) == key.encode()


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


def test_a_placeholder_of_a_folder_is_no_input(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "placeholders")
    s3.put_object(Bucket=name, Key="in/", Body=b"")
    assert launch(script="echo ran", environment=credentials).output(s3_event(name, "in/")) == ""


@pytest.mark.parametrize("key", ["a/../b", "a/./b", "..", "a\x01b"])
def test_a_key_that_no_url_can_name_fails_and_fetches_nothing_else(
    launch: Launch, s3: Any, credentials: dict[str, str], key: str
) -> None:
    name = bucket(s3, "hostile")
    s3.put_object(Bucket=name, Key="b", Body=b"another object")
    outcome = launch(script="echo ran", environment=credentials).invoke(s3_event(name, quote_plus(key)))
    assert outcome.document["errorType"] == "InputFailed"
    assert "rename the object" in outcome.message


def test_a_missing_object_or_bucket_is_named(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    container = launch(script="echo ran", environment=credentials)
    outcome = container.invoke(s3_event(bucket(s3, "missing-object"), "no/such"))
    assert outcome.document["errorType"] == "InputFailed"
    assert "missing-object/no/such: cannot be downloaded" in outcome.message
    assert "no-such-bucket/x" in container.invoke(s3_event("no-such-bucket", "x")).message


def test_a_name_longer_than_files_can_have_comes_in(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name, key = bucket(s3, "long-names"), "in/" + "日" * 250 + ".txt"
    s3.put_object(Bucket=name, Key=key, Body=b"content")
    output = launch(script='cat "$INPUT_FILE_PATH"; echo; echo "$STORAGE_OBJECT_KEY"', environment=credentials)
    assert output.output(s3_event(name, quote_plus(key))) == f"content\n{key}\n"


def test_plain_http_beyond_this_machine_is_refused(launch: Launch) -> None:
    environment = {
        "AWS_ENDPOINT_URL": "http://storage.example:9000",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    outcome = launch(environment=environment, script="echo ran").invoke(s3_event("bucket", "key"))
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "use an https URL" in outcome.message


def test_a_storage_that_is_never_there_is_told_with_the_cause(launch: Launch, credentials: dict[str, str]) -> None:
    environment = {**credentials, "AWS_ENDPOINT_URL": "http://127.0.0.1:1"}
    outcome = launch(environment=environment, script="echo ran").invoke(s3_event("bucket", "key"))
    assert outcome.document["errorType"] == "InputFailed"
    assert outcome.message.endswith("(Connection refused)")


def test_a_large_object_passes_through_little_memory(
    launch: Launch, s3: Any, credentials: dict[str, str], tmp_path: Path
) -> None:
    name, size = bucket(s3, "large-objects"), 96 << 20
    content = (bytes(range(256)) * 4096 + b"mark") * 100
    content = content[:size]
    s3.put_object(Bucket=name, Key="in/large", Body=content)
    container = launch(
        "glibc",
        script='#!/bin/bash\nln -s "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/copy"',
        environment=credentials,
        configuration=to(f"{name}/out"),
    )
    outcome = container.invoke(s3_event(name, "in/large"))
    assert not outcome.failed, outcome
    assert body(s3, name, "out/copy") == content
    status = Path(f"/proc/{container.supervisor_pid}/status").read_text()
    assert int(status.split("VmHWM:")[1].split()[0]) < 90_000, status  # kB


def test_storage_that_is_not_there_for_a_while_is_waited_for(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "flaky")
    s3.put_object(Bucket=name, Key="in/x", Body=b"content")
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.unavailable = 3
        container = launch(
            "glibc",
            script="#!/bin/bash\ncat $INPUT_FILE_PATH >$TMP_OUTPUT_DIR/x",
            environment={**credentials, "AWS_ENDPOINT_URL": endpoint},
            configuration=to(f"{name}/out"),
        )
        assert not container.invoke(s3_event(name, "in/x")).failed
    assert body(s3, name, "out/x") == b"content"
    assert len(faults.requests) == 5


@pytest.mark.parametrize("case", [(0, False, 1), (1, False, 2), (2, False, 3), (0, True, 2)])
def test_a_damaged_download_is_repeated_where_there_is_a_checksum(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str], case: tuple[int, bool, int]
) -> None:
    damage, foreign_tags, downloads = case
    name = bucket(s3, f"damaged-{damage}-{foreign_tags}".lower())
    s3.put_object(Bucket=name, Key="x", Body=b"content\n")
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.damage, faults.foreign_tags = damage, foreign_tags
        container = launch(script='cat "$INPUT_FILE_PATH"', environment={**credentials, "AWS_ENDPOINT_URL": endpoint})
        assert container.output(s3_event(name, "x")) == "content\n"
        assert len(faults.requests) == downloads
        assert container.output(s3_event(name, "x")) == "content\n"
        assert len(faults.requests) == downloads + 1


def test_a_download_that_breaks_off_is_taken_up_where_it_stopped(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    name, content = bucket(s3, "broken-off"), bytes(range(256)) * 40_000
    s3.put_object(Bucket=name, Key="in/x", Body=content)
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.break_off = 3
        container = launch(
            "glibc",
            script='#!/bin/bash\ncat "$INPUT_FILE_PATH" >$TMP_OUTPUT_DIR/x',
            environment={**credentials, "AWS_ENDPOINT_URL": endpoint},
            configuration=to(f"{name}/out"),
        )
        outcome = container.invoke(s3_event(name, "in/x"))
        assert not outcome.failed, outcome
        assert faults.break_off == 0
    assert hashlib.sha256(body(s3, name, "out/x")).digest() == hashlib.sha256(content).digest()
