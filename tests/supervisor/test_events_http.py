"""What requests over HTTP are read as."""

import json
from typing import Any

import pytest

from supervisor import events
from supervisor.events import Object, http
from tests.supervisor.container import s3_event
from tests.supervisor.test_events import sources


def v1(body: Any, **more: Any) -> dict[str, Any]:
    return {"httpMethod": "POST", "path": "/launch", "headers": {}, "body": body, "isBase64Encoded": False, **more}


def v2(body: Any, **more: Any) -> dict[str, Any]:
    return {"version": "2.0", "requestContext": {"http": {"method": "POST"}}, "body": body, **more}


@pytest.mark.parametrize("request_", [v1, v2])
@pytest.mark.parametrize(
    ("body", "more", "file"),
    [
        (None, {}, b""),
        ("", {}, b""),
        ("hello", {"headers": {"content-type": "text/plain"}}, b"hello"),
        ("test", {}, b"test"),
        ("[1, 2]", {}, b"[1, 2]"),
        ("17", {}, b"17"),
        ('{"a":1}', {}, b'{"a":1}'),
        ("AP8=", {"isBase64Encoded": True}, b"\0\xff"),
        ("AP8=", {"headers": {"Content-Type": "application/octet-stream"}}, b"\0\xff"),
        ({"a": 1}, {}, b'{"a": 1}'),
        ('{"script": "ZXhpdCAx"}', {}, b'{"script": "ZXhpdCAx"}'),
    ],
)
def test_the_body_of_a_request_is_the_file(request_: Any, body: Any, more: dict[str, Any], file: bytes) -> None:
    event = request_(body, **more)
    assert sources(event)[0].content == file
    request = events.request(event)
    assert (request.script, request.arguments) == (None, None)


def test_a_request_may_carry_a_storage_event() -> None:
    assert sources(v2(json.dumps(s3_event("bucket", "a")))) == [Object("s3.default", "bucket", "a")]


def test_query_parameters_are_variables() -> None:
    (item,) = events.request(v1("", queryStringParameters={"a": "1", "b-c": "x y", "d=": "2"})).items
    assert item.variables == {"CONT_VAR_a": "1", "CONT_VAR_b-c": "x y", "CONT_VAR_b_c": "x y", "CONT_VAR_d_": "2"}
    several = {"a": "2", "b": None}, {"a": ["1", "2"]}
    event = v1("", queryStringParameters=several[0], multiValueQueryStringParameters=several[1])
    assert events.request(event).items[0].variables["CONT_VAR_a"] == "1,2"
    assert events.request(v2("", queryStringParameters=None)).items[0].variables == {}


@pytest.mark.parametrize(
    ("event", "waits"),
    [
        (v1(""), True),
        (v2(""), True),
        (v1("", headers={"x-amz-invocation-type": "Event"}), False),
        (v1("", headers=None, multiValueHeaders={"X-Amz-Invocation-Type": ["Event"]}), False),
        ({}, False),
        (s3_event("bucket", "a"), False),
        ("text", False),
    ],
)
def test_only_synchronous_http_requests_wait_for_a_response(event: Any, waits: bool) -> None:
    assert http.is_synchronous(event) is waits
