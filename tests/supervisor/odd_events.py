"""Events of every kind as their services write them, with something missing or wrong, and one inside another."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from hypothesis import strategies as st

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
