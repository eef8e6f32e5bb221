"""The Runtime API as runtimes see it, over real sockets."""

import asyncio
import json
import time

import pytest

from scar_pulumi.cloud.runner.runtime_api import PAYLOAD_LIMIT, Event, RuntimeApi, RuntimeResponse
from tests.cloud.runner.runtime_client import RUNTIME, Connect, event, served


def test_an_event_goes_out_and_its_answer_comes_back_on_one_connection() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client = await connect()
            for number in range(3):
                sent = event(f"id-{number}", b'{"n": %d}' % number)
                api.deliver(sent)
                status, headers, body = await client.call("GET", f"{RUNTIME}invocation/next")
                assert (status, body) == (200, sent.payload)
                assert headers["lambda-runtime-aws-request-id"] == sent.request_id
                assert headers["lambda-runtime-invoked-function-arn"] == "arn:function"
                assert int(headers["lambda-runtime-deadline-ms"]) > 1_700_000_000_000
                assert headers["lambda-runtime-trace-id"].startswith("Root=1-")
                status, _, _ = await client.call("POST", f"{RUNTIME}invocation/{sent.request_id}/response", b"ok")
                assert status == 202
                assert (await sent.answered).payload == b"ok"

    asyncio.run(scenario())


def test_a_runtime_waits_for_its_event() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client = await connect()
            client.send("GET", f"{RUNTIME}invocation/next")
            await api.ready
            waiting = asyncio.create_task(client.response())
            done, _ = await asyncio.wait({waiting}, timeout=0.2)
            assert not done
            api.deliver(event("late"))
            assert (await waiting)[1]["lambda-runtime-aws-request-id"] == "late"

    asyncio.run(scenario())


def test_an_event_is_not_lost_with_a_client_that_hangs_up() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            gone = await connect()
            gone.send("GET", f"{RUNTIME}invocation/next")
            await api.ready
            gone.close()
            await gone.writer.wait_closed()
            await asyncio.sleep(0)
            client = await connect()
            client.send("GET", f"{RUNTIME}invocation/next")
            # Whichever of the two the server hears of first, the event must reach the one that lives.
            assert (await _ping(connect)) == b"pong"
            api.deliver(event("kept"))
            _, headers, _ = await asyncio.wait_for(client.response(), 5)
            assert headers["lambda-runtime-aws-request-id"] == "kept"

    asyncio.run(scenario())


async def _ping(connect: Connect) -> bytes:
    return (await (await connect()).call("GET", "/2018-06-01/ping"))[2]


def test_errors_carry_their_payload() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client, sent = await connect(), event("one")
            api.deliver(sent)
            await client.call("GET", f"{RUNTIME}invocation/next")
            await client.call("POST", f"{RUNTIME}invocation/one/error", b'{"errorType": "X"}')
            answer = await sent.answered
            assert (answer.failed, answer.payload) == (True, b'{"errorType": "X"}')

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", f"{RUNTIME}invocation/unknown/response", 400),
        ("POST", f"{RUNTIME}invocation/unknown/error", 400),
        ("POST", "/2020-01-01/extension/register", 403),
        ("GET", "/2020-01-01/extension/event/next", 403),
        ("GET", "/", 404),
        ("GET", f"{RUNTIME}invocation/unknown", 404),
        ("DELETE", f"{RUNTIME}invocation/next", 405),
        ("GET", f"{RUNTIME}init/error", 405),
        ("PUT", "/2022-07-01/telemetry", 404),
    ],
)
def test_what_makes_no_sense_is_refused_in_json(method: str, path: str, status: int) -> None:
    async def scenario() -> None:
        async with served() as (_, connect):
            answered, _, body = await (await connect()).call(method, path)
            assert answered == status
            assert json.loads(body).keys() == {"errorMessage", "errorType"}

    asyncio.run(scenario())


def test_asking_again_before_an_answer_gives_the_same_event() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client = await connect()
            api.deliver(event("one"))
            api.deliver(event("two"))
            for _ in range(2):
                _, headers, _ = await client.call("GET", f"{RUNTIME}invocation/next")
                assert headers["lambda-runtime-aws-request-id"] == "one"
            await client.call("POST", f"{RUNTIME}invocation/one/response", b"1")
            assert (await client.call("GET", f"{RUNTIME}invocation/next"))[1]["lambda-runtime-aws-request-id"] == "two"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("again", "status"), [("response", 403), ("error", 403)], ids=["another answer", "an error after the answer"]
)
def test_the_first_answer_stands(again: str, status: int) -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client, sent = await connect(), event("one")
            api.deliver(sent)
            await client.call("GET", f"{RUNTIME}invocation/next")
            await client.call("POST", f"{RUNTIME}invocation/one/response", b"first")
            assert (await client.call("POST", f"{RUNTIME}invocation/one/{again}", b"second"))[0] == status
            assert (await sent.answered) == RuntimeResponse(b"first", False)

    asyncio.run(scenario())


def test_an_answer_that_comes_when_time_is_up_is_refused() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client, sent = await connect(), event("one")
            api.deliver(sent)
            await client.call("GET", f"{RUNTIME}invocation/next")
            api.abandon()
            status, _, body = await client.call("POST", f"{RUNTIME}invocation/one/response", b"late")
            assert (status, json.loads(body)["errorType"]) == (400, "InvalidRequestID")
            assert not sent.answered.done()

    asyncio.run(scenario())


def test_what_the_caller_says_of_itself_goes_along_on_one_line() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client = await connect()
            api.deliver(Event("one", b"{}", "arn:function", 3, '{"custom":\n {"a": 1}}'))
            before = time.time()
            _, headers, _ = await client.call("GET", f"{RUNTIME}invocation/next")
            assert headers["lambda-runtime-client-context"] == '{"custom":  {"a": 1}}'
            assert "lambda-runtime-cognito-identity" not in headers  # nobody calls with one here
            assert before + 2.9 < int(headers["lambda-runtime-deadline-ms"]) / 1000 < time.time() + 3.1

    asyncio.run(scenario())

    asyncio.run(scenario())


def test_an_error_at_the_start_is_taken_before_the_first_event_only() -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client = await connect()
            assert (await client.call("POST", f"{RUNTIME}init/error", b"broken"))[0] == 202
            assert await api.init_error == b"broken"
            api.deliver(event("one"))
            await client.call("GET", f"{RUNTIME}invocation/next")
            assert (await client.call("POST", f"{RUNTIME}init/error", b"late"))[0] == 403

    asyncio.run(scenario())


@pytest.mark.parametrize(("size", "status"), [(PAYLOAD_LIMIT, 202), (PAYLOAD_LIMIT + 1, 413)])
def test_answers_are_taken_up_to_lambdas_limit(size: int, status: int) -> None:
    async def scenario() -> None:
        async with served() as (api, connect):
            client, sent = await connect(), event("one", b"x" * PAYLOAD_LIMIT)
            api.deliver(sent)
            assert len((await client.call("GET", f"{RUNTIME}invocation/next"))[2]) == PAYLOAD_LIMIT
            answered = await client.call("POST", f"{RUNTIME}invocation/one/response", b"y" * size)
            assert answered[0] == status
            answer = await sent.answered
            assert answer.failed == (status == 413)

    asyncio.run(scenario())


def test_a_client_that_asks_before_it_sends_a_body_is_told_to_go_on() -> None:
    """curl does so with bodies over a megabyte."""

    async def scenario() -> None:
        async with served() as (api, connect):
            client, sent = await connect(), event("one")
            api.deliver(sent)
            await client.call("GET", f"{RUNTIME}invocation/next")
            head = f"POST {RUNTIME}invocation/one/response HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
            client.writer.write(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert b" 100 " in await client.reader.readuntil(b"\r\n\r\n")
            client.writer.write(b"ok")
            assert (await client.response())[0] == 202

    asyncio.run(scenario())


def test_garbage_ends_the_connection_and_nothing_else() -> None:
    async def scenario() -> None:
        async with served() as (_, connect):
            client = await connect()
            client.writer.write(b"\x00\x01 garbage\r\n\r\n")
            assert await client.reader.read() == b""
            assert await _ping(connect) == b"pong"

    asyncio.run(scenario())


def test_it_listens_on_loopback_only() -> None:
    async def scenario() -> None:
        api = RuntimeApi()
        address = await api.start()
        assert address.startswith("127.0.0.1:")
        await api.close()

    asyncio.run(scenario())
