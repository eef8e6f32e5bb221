"""What events are read as."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor import events
from supervisor.configuration import StoragePath
from supervisor.errors import EventInvalid
from supervisor.events import Data, Object
from tests.supervisor.container import s3_event


def read(event: Any) -> events.RunRequest:
    return events.request(events.parse(json.dumps(event).encode()))


def content(payload: bytes) -> bytes:
    (item,) = events.request(events.parse(payload)).items
    assert isinstance(item.source, Data)
    assert item.source.file_name.startswith("event-file-")
    return item.source.content


def test_every_record_of_an_s3_event_is_an_item() -> None:
    request = read(s3_event("bucket", "a", "b/c", "d"))
    assert [item.source for item in request.items] == [Object("s3.default", "bucket", key) for key in ("a", "b/c", "d")]


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("a+b", "a b"),
        ("a%2Bb", "a+b"),
        ("a%2520b", "a%20b"),
        ("%C3%B1%E6%97%A5", "ñ日"),
        ("a%23%3F", "a#?"),
        ("a//b", "a//b"),
    ],
)
def test_keys_are_decoded_as_s3_encodes_them(written: str, key: str) -> None:
    (item,) = read(s3_event("bucket", written)).items
    assert item.variables["STORAGE_OBJECT_KEY"] == key


def test_the_time_of_an_s3_event_is_optional() -> None:
    (item,) = read(s3_event("bucket", "a")).items
    assert "EVENT_TIME" not in item.variables


def test_a_record_without_a_key_is_invalid() -> None:
    with pytest.raises(EventInvalid, match="does not name a bucket and an object key"):
        read({"Records": [{"eventSource": "aws:s3", "s3": {}}]})


@pytest.mark.parametrize("key", ["folder/", "a/b//", ""])
def test_placeholders_of_folders_are_recognised(key: str) -> None:
    (item,) = read(s3_event("bucket", key)).items
    assert item.is_folder


@pytest.mark.parametrize(
    ("payload", "file"),
    [
        (b"", b"{}"),
        (b"{}", b"{}"),
        (b'{"a": [1, 2]}', b'{"a": [1, 2]}'),
        (b"[1, 2]", b"[1, 2]"),
        (b"17", b"17"),
        (b"null", b"null"),
        (b"true", b"true"),
        (b'"hello world!"', b"hello world!"),
        (b'"{\\"a\\": 1}"', b'{"a": 1}'),
        (json.dumps(base64.b64encode(b"\0\xff").decode()).encode(), b"\0\xff"),
        (b"not json", b"not json"),
        (b"\xff\xfe", b"\xff\xfe"),
        (b'""', b""),
        (b'{"Records": []}', b'{"Records": []}'),
        (b'{"Records": "x"}', b'{"Records": "x"}'),
        (b'{"Records": [1]}', b'{"Records": [1]}'),
        (b'"\\ud800"', b"?"),
    ],
)
def test_any_other_event_is_saved_as_a_file(payload: bytes, file: bytes) -> None:
    assert content(payload) == file


@given(st.binary(max_size=200) | st.text(max_size=50).map(lambda text: json.dumps(text).encode()))
def test_no_payload_makes_reading_fail(payload: bytes) -> None:
    assert isinstance(content(payload), bytes)


def test_deeply_nested_json_is_saved_as_text() -> None:
    assert content(b"[" * 100_000) == b"[" * 100_000


def test_two_events_never_share_a_file_name() -> None:
    assert read({}).items[0].name != read({}).items[0].name


def sources(event: Any, *inputs: StoragePath) -> list[Any]:
    return [item.source for item in events.request(events.parse(json.dumps(event).encode()), inputs).items]


def s3_record(key: str, source: str = "aws:s3", bucket: str = "bucket") -> dict[str, Any]:
    return {"eventSource": source, "s3": {"bucket": {"name": bucket}, "object": {"key": key}}}


def test_records_of_minio_name_objects_in_minio() -> None:
    assert sources({"Key": "bucket/a b", "Records": [s3_record("a+b", "minio:s3")]}) == [
        Object("minio.default", "bucket", "a b")
    ]


@pytest.mark.parametrize(
    ("event", "keys"),
    [
        ({"Key": "/space/files/a.txt", "Records": [{"objectKey": "a.txt"}]}, ["files/a.txt"]),
        ({"Key": "/space/a", "Records": [{"objectKey": "a"}, {"objectKey": "b"}]}, ["a", "b"]),
        ({"Key": "/space/f/a", "Records": [{"objectKey": "a"}, {"objectKey": "b"}]}, ["f/a", "f/b"]),
    ],
)
def test_records_of_onetrigger_name_files_in_their_space(event: dict[str, Any], keys: list[str]) -> None:
    for record in event["Records"]:
        record |= {"eventSource": "OneTrigger", "objectId": "00", "eventTime": "2026-01-01T00:00:00"}
    assert sources(event) == [Object("onedata.default", "space", key) for key in keys]


def test_a_dcache_event_names_a_file_below_the_input() -> None:
    event = {"event": {"name": "image.jpg", "mask": ["IN_CREATE"]}, "subscription": "https://dcache.example/s/1"}
    entry = StoragePath("webdav.dcache", "Users/scar/in")
    assert sources(event, entry) == [Object("webdav.dcache", "", "Users/scar/in/image.jpg")]


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": "transfer-done", "payload": {"scope": "user.jdoe", "name": "a.root"}},
        {"event_type": "transfer-done", "payload": '{"scope": "user.jdoe", "name": "a.root"}'},
        {"event": {"scope": "user.jdoe", "name": "a.root"}},
        {"Records": [{"eventSource": "rucio", "scope": "user.jdoe", "name": "a.root"}]},
    ],
)
def test_a_rucio_event_names_a_file_by_its_scope(event: dict[str, Any]) -> None:
    assert sources(event) == [Object("rucio.default", "user.jdoe", "a.root")]


@pytest.mark.parametrize("encode", [lambda event: event, json.dumps], ids=["object", "text"])
@pytest.mark.parametrize(
    ("source", "provider", "found"),
    [
        ("minio:s3", "minio.cluster2", "minio.cluster2"),
        ("minio:s3", "cluster2", "minio.cluster2"),
        ("aws:s3", "s3.other", "s3.other"),
        ("minio:s3", "minio", "minio.default"),
        ("minio:s3", None, "minio.default"),
    ],
)
def test_the_provider_of_a_delegated_event_says_where_its_files_are(
    encode: Any, source: str, provider: str, found: str
) -> None:
    event = {"event": encode({"Records": [s3_record("a", source)]}), "storage_provider": provider}
    assert sources(event) == [Object(found, "bucket", "a")]


@pytest.mark.parametrize(("inner", "file"), [("aGVsbG8=", b"hello"), ({"a": 1}, b'{"a": 1}'), ("hello!", b"hello!")])
def test_any_other_delegated_event_is_saved(inner: Any, file: bytes) -> None:
    assert sources({"event": inner, "storage_provider": "minio.x"})[0].content == file


def test_events_in_queues_and_topics_are_what_they_hold() -> None:
    def sns(message: Any) -> dict[str, Any]:
        return {"EventSource": "aws:sns", "Sns": {"Message": json.dumps(message)}}

    def sqs(body: Any) -> dict[str, Any]:
        return {"eventSource": "aws:sqs", "body": json.dumps(body)}

    s3 = {"Records": [s3_record("a%2Bb"), s3_record("c")]}
    both = [Object("s3.default", "bucket", key) for key in ("a+b", "c")]
    assert sources({"Records": [sns(s3)]}) == both
    assert sources({"Records": [sqs(s3), sqs(s3)]}) == both * 2
    notification = {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(s3)}
    assert sources({"Records": [sqs(notification)]}) == both
    assert sources({"Records": [sqs({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"})]}) == []
    assert [found.content for found in sources({"Records": [sqs("test"), sns({"x": 1})]})] == [b'"test"', b'{"x": 1}']
    plain = {"Records": [{"eventSource": "aws:sqs", "body": "dGVzdA=="}]}
    assert sources(plain)[0].content == b"dGVzdA=="


def test_an_eventbridge_event_of_s3_writes_keys_as_they_are() -> None:
    detail = {"bucket": {"name": "bucket"}, "object": {"key": "a+b%20c d"}}
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": detail, "time": "2026-01-01T00:00:00Z"}
    assert sources(event) == [Object("s3.default", "bucket", "a+b%20c d")]
    assert sources({**event, "source": "mine"})[0].content.startswith(b'{"source": "mine"')


def test_events_inside_each_other_without_end_are_refused() -> None:
    event: dict[str, Any] = {}
    for _ in range(20):
        event = {"event": event}
    with pytest.raises(EventInvalid, match="inside each other"):
        sources(event)
