"""Objects of S3 and MinIO, whatever they are called, however large they are, and while the storage fails."""

import hashlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import boto3
import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container, s3_event
from tests.supervisor.objects import COPY, LARGE, body, bucket, keys, to, with_minio
from tests.supervisor.unreliable import WAYS, unreliable


def test_records_of_minio_come_from_the_server_that_the_input_names(launch: Launch, s3: Any, s3_endpoint: str) -> None:
    name, random_name = bucket(s3, "minio-in"), "odd +.bin"
    s3.put_object(Bucket=name, Key=random_name, Body=LARGE)
    configuration = {
        "inputs": [{"storage_provider": "minio.mine", "path": f"{name}/in"}],
        "outputs": [{"storage_provider": "minio.mine", "path": f"{name}/out"}],
        "storage_providers": with_minio(s3_endpoint),
    }
    event = s3_event(name, random_name.replace("+", "%2B").replace(" ", "+"))
    event["Records"][0]["eventSource"] = "minio:s3"
    outcome = launch(script=COPY, configuration=configuration).invoke(event)
    assert not outcome.failed, outcome
    assert body(s3, name, f"out/{random_name}") == LARGE


def test_named_keys_are_used_and_not_those_of_the_role(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "named-keys")
    with unreliable(s3_endpoint) as (endpoint, faults):
        configuration = {
            **to({"storage_provider": "s3.other", "path": f"{name}/o"}),
            "storage_providers": {"s3.other": {"access_key": "OTHERS", "secret_key": "x", "region": "us-east-1"}},
        }
        environment = {**credentials, "AWS_ENDPOINT_URL": endpoint}
        container = launch(configuration=configuration, environment=environment)
        assert not container.run("echo x >$TMP_OUTPUT_DIR/x; env").failed
    sent = {header.lower(): value for header, value in faults.headers[-1].items()}
    assert "Credential=OTHERS/" in sent["authorization"]
    assert "x-amz-security-token" not in sent


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


def test_objects_of_any_name_are_downloaded_and_stored_unchanged(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
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


@pytest.mark.parametrize("key", ["a/../b", "a/./b", "..", "a\x01b"])
def test_a_key_that_urls_cannot_have_fails_and_downloads_nothing_else(
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


def test_a_key_longer_than_file_names_can_be_is_downloaded(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
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


def test_an_unreachable_storage_is_an_error_with_the_cause(launch: Launch, credentials: dict[str, str]) -> None:
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


def test_a_storage_that_is_unavailable_for_a_while_is_waited_for(
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


def test_an_interrupted_download_is_resumed(
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


EVENTS, CONTAINERS = 300, 3


ATTEMPTS = (
    3  # of an event of a storage: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
)


SCRIPT = """#!/bin/sh
name=${INPUT_FILE_PATH##*/}
cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$name"
wc -c <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$name.size"
echo "$name"
"""


def contents(number: int) -> bytes:
    """Return the content of the object with a number: most are small, some need several pieces and parts."""
    size = 9 << 20 if number % 100 == 50 else 20_000 if number % 10 == 5 else 100
    return (f"object {number} ".encode() * (size // 10 + 1))[:size]


def events_of(container: Container, name: str, numbers: range) -> Counter[int]:
    """Send one event for each object, again where it fails as Lambda does it; how often each was sent."""
    sent: Counter[int] = Counter()
    for number in numbers:
        for _ in range(ATTEMPTS):
            sent[number] += 1
            if not container.invoke(s3_event(name, f"in/{number}"), seconds=120).failed:
                break
    return sent


def test_of_three_hundred_events_none_is_lost_and_none_is_doubled(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "failing")
    for number in range(EVENTS):
        s3.put_object(Bucket=name, Key=f"in/{number}", Body=contents(number))
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.failing = 0.1
        environment = {**credentials, "AWS_ENDPOINT_URL": endpoint}
        containers = [
            launch(script=SCRIPT, configuration=to(f"{name}/out"), environment=environment) for _ in range(CONTAINERS)
        ]
        shares = [range(first, EVENTS, CONTAINERS) for first in range(CONTAINERS)]
        with ThreadPoolExecutor(CONTAINERS) as threads:
            sent = sum(threads.map(events_of, containers, [name] * CONTAINERS, shares), Counter())

    assert set(faults.ways) == set(WAYS)
    assert faults.ways.total() > EVENTS / 10
    assert len(sent) == EVENTS
    wanted = {f"out/{number}{ending}" for number in range(EVENTS) for ending in ("", ".size")}
    assert set(keys(s3, name)) - {f"in/{number}" for number in range(EVENTS)} == wanted
    for number in range(EVENTS):
        assert body(s3, name, f"out/{number}") == contents(number)
        assert int(body(s3, name, f"out/{number}.size")) == len(contents(number))
    # What the supervisor can repeat by itself it does: Lambda's own repetitions are hardly needed.
    assert sent.total() <= EVENTS * 1.02


def test_files_come_from_and_go_to_buckets_of_other_regions(
    launch: Launch, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    abroad = boto3.client(
        "s3", endpoint_url=s3_endpoint, aws_access_key_id="a", aws_secret_access_key="b", region_name="eu-west-1"
    )
    place = {"LocationConstraint": "eu-west-1"}
    abroad.create_bucket(Bucket="abroad", CreateBucketConfiguration=place)
    abroad.put_object(Bucket="abroad", Key="in/x", Body=b"content")
    with unreliable(s3_endpoint) as (endpoint, asked):
        container = launch(
            script=COPY,
            environment={**credentials, "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1"},
            configuration=to("abroad/out"),
        )
        assert not container.invoke(s3_event("abroad", "in/x")).failed
        first = len(asked.requests)
        assert not container.invoke(s3_event("abroad", "in/x")).failed
    assert body(abroad, "abroad", "out/x") == b"content"
    lookups = [headers for request, headers in zip(asked.requests, asked.headers, strict=True) if "HEAD" in request]
    assert lookups, asked.requests
    assert not any("Authorization" in headers or "X-Amz-Security-Token" in headers for headers in lookups)
    assert asked.requests[first:] == ["GET /abroad/in/x", "PUT /abroad/out/x"], "the region is remembered"


def test_a_bucket_of_another_region_that_is_not_there_is_named(
    launch: Launch, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.elsewhere = True
        container = launch(script="echo ran", environment={**credentials, "AWS_ENDPOINT_URL": endpoint})
        outcome = container.invoke(s3_event("nowhere", "x"))
    assert outcome.document["errorType"] == "InputFailed"
    assert "nowhere/x: cannot be downloaded" in outcome.message


def test_a_session_token_stays_with_the_server_that_it_is_for(launch: Launch, s3: Any, s3_endpoint: str) -> None:
    name = bucket(s3, "redirected")
    s3.put_object(Bucket=name, Key="in/x", Body=b"content")
    with unreliable(s3_endpoint) as (other, told), unreliable(s3_endpoint) as (endpoint, faults):
        faults.moved_to = other
        settings = {"access_key": "k", "secret_key": "s", "session_token": "token", "endpoint": endpoint}
        configuration = {
            "inputs": [{"storage_provider": "s3.other", "path": f"{name}/in"}],
            "storage_providers": {"s3.other": settings},
        }
        container = launch(script='cat "$INPUT_FILE_PATH"', configuration=configuration)
        assert container.output(s3_event(name, "in/x")) == "content"
    assert "X-Amz-Security-Token=token" in faults.requests[0]
    assert told.requests == [f"GET /{name}/in/x"]
    assert not any("token" in f"{header} {value}".lower() for header, value in told.headers[0].items())
