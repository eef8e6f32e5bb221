"""Calls over HTTP that nobody waits for, or whose gateway does not wait long enough."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container
from tests.supervisor.lambda_service import Queue, lambda_service
from tests.supervisor.test_http import answer, received, request
from tests.world.waiting import wait_for

EVENT_HEADER = {"X-Amz-Invocation-Type": "Event"}


@pytest.fixture
def queue() -> Iterator[Queue]:
    with lambda_service() as service:
        yield service


def asynchronous(launch: Launch, queue: Queue, **configuration: Any) -> Container:
    environment = {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL_LAMBDA": queue.address,
        "AWS_LAMBDA_FUNCTION_NAME": "fn",
    }
    settings = {"name": "fn", "asynchronous_http": True, **configuration}
    return launch(script="echo ran", configuration=settings, environment=environment)


@pytest.mark.parametrize("how", [{"headers": EVENT_HEADER}, {"routeKey": "ANY /launch/async"}])
def test_a_call_that_nobody_waits_for_is_queued_whole_and_answered_at_once(
    launch: Launch, queue: Queue, how: dict[str, Any]
) -> None:
    container = asynchronous(launch, queue)
    event = request("hello", queryStringParameters={"a": "1"}, **how)
    request_id = container.start(event)
    document = container.finish(request_id).document
    assert document["statusCode"] == 202
    assert json.loads(received(document)) == {"requestId": "later-1"}
    assert document["headers"]["amz-lambda-request-id"] == "later-1"
    assert queue.events == [{**event, "queuedBy": request_id}]
    path, headers = queue.requests[0]
    assert path == "/2015-03-31/functions/fn/invocations"
    assert headers["x-amz-invocation-type"] == "Event"
    assert "/us-east-1/lambda/aws4_request" in headers["authorization"]
    assert "ran\n" not in container.log
    # What was queued runs, and is not queued again.
    later = container.invoke(queue.events[0])
    assert (later.document["statusCode"], len(queue.events)) == (200, 1)
    wait_for(lambda: "ran\n" in container.log, 10, "the script's output")


def test_a_queued_call_that_fails_is_a_failure_that_lambda_sees(launch: Launch, queue: Queue) -> None:
    container = asynchronous(launch, queue)
    event = {**request("hello", headers=EVENT_HEADER), "queuedBy": "x", "script": "ZXhpdCAz"}
    outcome = container.invoke(event)
    assert outcome.failed
    assert outcome.document["errorType"] == "ScriptFailed"


@pytest.mark.parametrize(
    ("refusal", "status", "said"),
    [
        ((403, "not you"), 500, "lambda:InvokeFunction on the function"),
        ((400, "what?"), 500, "what?"),
    ],
)
def test_a_call_that_cannot_be_queued_is_told_so(
    launch: Launch, queue: Queue, refusal: tuple[int, str], status: int, said: str
) -> None:
    queue.refusal = refusal
    document = answer(asynchronous(launch, queue), request("hello", headers=EVENT_HEADER))
    assert document["statusCode"] == status
    assert "EventNotQueued" in received(document).decode()
    assert said in received(document).decode()


def test_a_call_that_is_too_large_for_the_queue_is_told_the_limit_and_the_way_out(launch: Launch, queue: Queue) -> None:
    document = answer(asynchronous(launch, queue), request("x" * 1_100_000, headers=EVENT_HEADER))
    assert document["statusCode"] == 413
    assert b"takes 1,048,576; put the file into the function's input bucket" in received(document)
    assert queue.requests == []


def test_without_the_setting_a_call_is_run_at_once(launch: Launch, queue: Queue) -> None:
    container = asynchronous(launch, queue, asynchronous_http=False)
    assert not container.invoke(request("hello", routeKey="ANY /launch/async")).failed
    wait_for(lambda: "ran\n" in container.log, 10, "the script's output")
    assert queue.requests == []


def test_a_caller_is_answered_before_its_gateway_gives_up_and_the_work_goes_on(launch: Launch) -> None:
    container = launch(script="sleep 2; echo ended", configuration={"name": "fn"})
    context = {"http": {"method": "POST"}, "timeEpoch": int((time.time() - 28.5) * 1000)}
    request_id = container.start(request(requestContext=context))
    document = container.finish(request_id).document
    assert document["statusCode"] == 504
    told = json.loads(received(document))
    assert (told["errorType"], told["requestId"]) == ("StillRunning", request_id)
    assert f"logs fn --request-id {request_id}" in told["errorMessage"]
    # Nobody hears of the script's own answer, and the next event is taken after it.
    assert not container.invoke({"script": "dHJ1ZQ=="}).failed
    wait_for(lambda: "ended\n" in container.log, 10, "the first script's output")


def test_a_quick_answer_is_the_functions_own(launch: Launch) -> None:
    context = {"http": {"method": "POST"}, "timeEpoch": int(time.time() * 1000)}
    document = answer(launch(script="echo quick"), request(requestContext=context))
    assert (document["statusCode"], received(document)) == (200, b"quick\n")


@pytest.mark.parametrize(
    "told",
    [
        {"timeEpoch": int(time.time() * 1000), "domainName": "x.lambda-url.us-east-1.on.aws"},
        {"timeEpoch": 1583348638390, "domainName": "id.execute-api.us-east-1.amazonaws.com"},
    ],
    ids=["a function URL", "a request that was kept and is sent again"],
)
def test_without_a_gateway_that_waits_the_function_takes_its_time(launch: Launch, told: dict[str, Any]) -> None:
    context = {"http": {"method": "POST"}, **told}
    document = answer(launch(script="sleep 0.2; echo slow"), request(requestContext=context))
    assert (document["statusCode"], received(document)) == (200, b"slow\n")


def test_a_binary_answer_that_does_not_fit_is_an_error_and_not_half_a_file(launch: Launch) -> None:
    document = answer(launch("glibc", script="#!/bin/bash\n" + r"printf '\377%05000000d' 0"), request())
    assert document["statusCode"] == 500
    assert b"ResponseTooLarge" in received(document)
    assert b"write it to $TMP_OUTPUT_DIR" in received(document)
