"""What an invocation on Lambda does besides running the program: in time for gateways, per message for queues."""

import json
import time
from typing import Any

import pytest

from scar_pulumi.client.logs import GATEWAY_LINE
from tests.supervisor.conftest import Launch
from tests.supervisor.http_calls import answer, received, request
from tests.world.waiting import wait_for


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_the_log_has_the_gateways_id_of_the_request_where_the_client_looks_for_it(
    launch: Launch, log_format: str
) -> None:
    container = launch(script="echo hi", configuration={"log_format": log_format})
    context = {"http": {"method": "GET"}, "requestId": "JKJaXmPLvHcESHA="}
    request_id = container.start(request(requestContext=context))
    assert not container.finish(request_id).failed
    found = wait_for(lambda: GATEWAY_LINE.search(container.log), 30, "the line is in the log")
    assert found.groups() == (request_id, "JKJaXmPLvHcESHA=")


def test_an_asynchronous_request_fails_as_an_event(launch: Launch) -> None:
    event = request(headers={"X-Amz-Invocation-Type": "Event"})
    assert launch(script="exit 3").invoke(event).document["errorType"] == "ScriptFailed"


def test_a_caller_gets_a_response_before_the_gateway_times_out_and_the_program_goes_on(launch: Launch) -> None:
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


def test_a_quick_response_is_the_functions_own(launch: Launch) -> None:
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
def test_without_a_gateway_the_function_has_all_its_time(launch: Launch, told: dict[str, Any]) -> None:
    context = {"http": {"method": "POST"}, **told}
    document = answer(launch(script="sleep 0.2; echo slow"), request(requestContext=context))
    assert (document["statusCode"], received(document)) == (200, b"slow\n")


@pytest.mark.parametrize(("queue", "again"), [("plain", ["b"]), ("ordered.fifo", ["b", "c"])])
def test_a_queue_is_told_which_of_its_messages_failed(launch: Launch, queue: str, again: list[str]) -> None:
    script = '#!/bin/sh\nread -r x <"$INPUT_FILE_PATH" || :\n[ "$x" != bad ]\n'
    arn = f"arn:aws:sqs:us-east-1:000000000000:{queue}"
    records = [
        {"eventSource": "aws:sqs", "eventSourceARN": arn, "messageId": name, "body": text}
        for name, text in (("a", "good good"), ("b", "bad"), ("c", "good good"))
    ]
    container = launch(script=script, configuration={"report_batch_item_failures": True})
    outcome = container.invoke({"Records": records})
    assert not outcome.failed
    assert outcome.document == {"batchItemFailures": [{"itemIdentifier": name} for name in again]}
    assert launch(script=script).invoke({"Records": records}).failed
    assert container.invoke({"Records": [{**records[1], "eventSource": "other"}]}).document["statusCode"] == 200
