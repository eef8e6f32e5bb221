"""Whatever an event looks like, it is run, or the reason is given why not."""

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from supervisor import errors, events, invocation
from supervisor.configuration import StoragePath
from supervisor.errors import EventInvalid, SupervisorError
from supervisor.events import Object, http
from tests.supervisor.conftest import Launch
from tests.supervisor.objects import bucket, to

_S3 = {"bucket": {"name": "odd", "arn": "arn:aws:s3:::odd"}, "object": {"key": "in/a+b%2Bc", "size": 4, "eTag": "00"}}


_HTTP = {"body": "aGVsbG8=", "isBase64Encoded": True, "headers": {"Content-Type": "application/octet-stream"}}


_ALL_QUERY = {"queryStringParameters": {"a": "1"}, "multiValueQueryStringParameters": {"a": ["1", "2"]}}


_VERSION_2 = {"http": {"method": "POST", "path": "/x"}, "timeEpoch": 1583348638390, "requestId": "id", "stage": "scar"}


KINDS: tuple[Any, ...] = (
    {"Records": [{"eventSource": "aws:s3", "eventTime": "2026-01-01T00:00:00Z", "awsRegion": "us-east-1", "s3": _S3}]},
    {"Records": [{"eventSource": "aws:s3", "s3": _S3}, {"eventSource": "aws:s3", "s3": _S3}]},
    {"EventName": "s3:ObjectCreated:Put", "Key": "odd/in/a", "Records": [{"eventSource": "minio:s3", "s3": _S3}]},
    {"Key": "/space/files/a", "Records": [{"eventSource": "OneTrigger", "objectKey": "a", "objectId": "00"}]},
    {"event": {"name": "a.jpg", "mask": ["IN_CREATE"]}, "subscription": "https://dcache.example/s/1"},
    {"event_type": "transfer-done", "payload": {"scope": "user", "name": "a"}, "created_at": "2026-01-01"},
    {"event_type": "transfer-done", "payload": '{"scope": "user", "name": "a"}'},
    {"Records": [{"eventSource": "rucio", "payload": {"scope": "user", "name": "a"}}]},
    {"event": {"Records": [{"eventSource": "minio:s3", "s3": _S3}]}, "storage_provider": "minio.cluster"},
    {"source": "aws.s3", "detail-type": "Object Created", "time": "2026-01-01T00:00:00Z", "detail": _S3},
    {"httpMethod": "POST", "path": "/x", "requestContext": {"requestTimeEpoch": 1583348638390}, **_HTTP, **_ALL_QUERY},
    {"httpMethod": "GET", "path": "/", "requestContext": {"elb": {"targetGroupArn": "arn"}}, "body": "", "headers": {}},
    {"version": "2.0", "routeKey": "POST /x", "rawPath": "/x", "requestContext": _VERSION_2, **_HTTP, **_ALL_QUERY},
    {"version": "2.0", "rawPath": "/", "requestContext": {**_VERSION_2, "domainName": "x.lambda-url.y.on.aws"}},
    {"script": "ZWNobyBvaw=="},
    {"cmd_args": '["true", "-h"]'},
    {"cmd_args": ["true", 1]},
    {"any": "thing"},
    ["a", {"b": None}],
    "text",
)


LEFT_OUT = object()


WRONG: tuple[Any, ...] = (
    *(
        None,
        True,
        0,
        -1,
        2**70,
        1.5,
        float("inf"),
        float("nan"),
        "",
        " ",
        "\0",
        "\ud800",
        "é/../../etc",
        "%00%ff",
        "{",
        "[",
    ),
    *(
        "[" * 20_000,
        "x" * 5_000,
        "ZWNobw",
        '{"Records": [{"eventSource": "aws:s3"}]}',
        [],
        {},
        [[]],
        [None],
        {"": None},
    ),
)


def _copied(kind: Any) -> Any:
    return copy.deepcopy(kind)


def _places(document: Any) -> Iterator[tuple[Any, Any]]:
    """Every container in a document with each of its keys."""
    entries = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in list(entries):
        yield document, key
        if isinstance(value, dict | list):
            yield from _places(value)


def _spoiled(kind: Any, choices: list[tuple[int, Any]]) -> Any:
    document = _copied(kind)
    for index, wrong in choices:
        places = list(_places(document)) if isinstance(document, dict | list) else []
        if not places:
            return None if wrong is LEFT_OUT else wrong
        container, key = places[index % len(places)]
        if wrong is LEFT_OUT:
            del container[key]
        else:
            container[key] = _copied(wrong)
    return document


def _record(**record: Any) -> dict[str, Any]:
    return {"Records": [record]}


_TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


_WRAPPED: tuple[Callable[[Any], Any], ...] = (
    lambda event: event,
    lambda event: {"event": event, "storage_provider": "minio.other"},
    lambda event: {"event": json.dumps(event)},
    lambda event: _record(EventSource="aws:sns", Sns={"Message": json.dumps(event)}),
    lambda event: _record(eventSource="aws:sqs", messageId="1", body=json.dumps(event)),
    lambda event: _record(
        eventSource="aws:sqs",
        body=json.dumps({"Type": "Notification", "TopicArn": _TOPIC, "Message": json.dumps(event)}),
    ),
    lambda event: {"httpMethod": "POST", "headers": None, "body": json.dumps(event)},
)


_spoils = st.lists(st.tuples(st.integers(0, 40), st.sampled_from((*WRONG, LEFT_OUT))), max_size=3)


odd_events: st.SearchStrategy[Any] = st.builds(
    lambda kind, spoils, outer, outermost: outermost(outer(_spoiled(kind, spoils))),
    st.sampled_from(KINDS),
    _spoils,
    st.sampled_from(_WRAPPED),
    st.sampled_from(_WRAPPED),
)


"""Events of which up to three things are wrong, up to two others around them."""


COPY = '#!/bin/sh\ncat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/copy"'


KNOWN = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, SupervisorError)}


INPUTS = (StoragePath("webdav.dcache", "Users/in"),)


@given(odd_events)
@settings(deadline=None, max_examples=300)
def test_every_event_is_read_or_refused_with_a_reason(event: Any) -> None:
    found = events.parse(json.dumps(event).encode())
    with contextlib.suppress(EventInvalid):
        for item in events.request(found, INPUTS).items:
            assert item.name
            assert all(isinstance(value, str) for value in item.variables.values())
            if isinstance(item.source, Object):
                assert not {item.source.container, item.source.key} & {"None", "{}", "[]", "[None]", "True"}


@given(odd_events)
@settings(deadline=None, max_examples=300)
def test_every_event_is_classified_without_an_error(event: Any) -> None:
    found = events.parse(json.dumps(event).encode())
    asked = (http.is_synchronous, http.asks_for_queueing, http.asks_for_page)
    assert all(isinstance(ask(found), bool) for ask in asked)
    assert isinstance(http.gateway_request_id(found), str)
    assert isinstance(invocation.sqs_messages(found), list)
    assert not http.is_synchronous(found) or isinstance(http.gateway_deadline(found), float | None)


def test_one_container_responds_to_every_event(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "odd")
    s3.put_object(Bucket=name, Key="in/a b+c", Body=b"text")
    container = launch(script=COPY, configuration=to(f"{name}/out"), environment=credentials)

    @given(odd_events)
    @settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
    def each(event: Any) -> None:
        outcome = container.invoke(event)
        assert not outcome.failed or (outcome.document["errorType"] in KNOWN and outcome.message), outcome

    each()
    assert container.process.poll() is None
    assert "Traceback" not in container.log
