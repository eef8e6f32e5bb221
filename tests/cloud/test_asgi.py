"""Requests that are read whole, and responses of applications in this process."""

import asyncio

import pytest

from scar_pulumi.cloud.asgi import (
    BodyTooLargeError,
    ClientDisconnect,
    Message,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    call,
    read_body,
    replaying,
)


def receiving(*messages: Message) -> Receive:
    left = list(messages)

    async def receive() -> Message:
        return left.pop(0)

    return receive


def part(body: bytes, *, more: bool = False) -> Message:
    return {"type": "http.request", "body": body, "more_body": more}


def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    assert asyncio.run(read_body(receiving(part(b"ab", more=True), part(b"c")), 3)) == b"abc"
    with pytest.raises(BodyTooLargeError):
        asyncio.run(read_body(receiving(part(b"ab", more=True), part(b"cd")), 3))


def test_a_client_that_goes_away_is_told_from_one_that_sent_less() -> None:
    with pytest.raises(ClientDisconnect):
        asyncio.run(read_body(receiving(part(b"ab", more=True), {"type": "http.disconnect"})))


def test_an_application_gets_a_body_that_was_read_before() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(await read_body(receive), 201, {"X-Path": scope["path"]})(scope, receive, send)

    response = asyncio.run(call(replaying(echo, b"before"), Request("PUT", "/a%20b", body=b"after")))
    assert (response.status_code, response.body, response.headers["x-path"]) == (201, b"before", "/a b")


def test_another_body_has_another_length_and_the_same_headers() -> None:
    response = Response(b"long", 200, {"x-a": "1"}).with_body(b"s")
    assert (response.body, response.headers["content-length"], response.headers["x-a"]) == (b"s", "1", "1")
    assert len(response.headers.getlist("content-length")) == 1
