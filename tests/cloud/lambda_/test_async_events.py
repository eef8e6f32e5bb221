"""Events: from buckets and elsewhere, through the queue, to functions and destinations."""

import json
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from tests.world.fake_cloud import FakeCloud, wait_for

KEYS = ["a b.txt", "a+b.txt", "100%.txt", "ünï/✓ 漢字.txt", "%20+ %2B", "a/b//c", "quote'\"&<>.txt"]


def test_200_objects_at_once_none_lost_none_doubled(cloud: FakeCloud) -> None:
    cloud.function("many")
    cloud.trigger("many-in", "many")
    s3 = cloud.client("s3")
    keys = {f"object {number}" for number in range(200)}
    with ThreadPoolExecutor(50) as pool:
        list(pool.map(lambda key: s3.put_object(Bucket="many-in", Key=key, Body=b"x"), keys))
    wait_for(lambda: len(cloud.calls("many")) >= 200, 60)
    wait_for(lambda: _events(cloud)["waiting"] == _events(cloud)["running"] == 0)
    counts = Counter(_key(call) for call in cloud.calls("many"))
    assert set(counts) == {key.replace(" ", "+") for key in keys}
    assert set(counts.values()) == {1}
    assert cloud.spooled() == []


def test_all_sorts_of_keys_arrive_as_s3_writes_them(cloud: FakeCloud) -> None:
    cloud.function("keys")
    cloud.trigger("keys-in", "keys")
    for key in KEYS:
        cloud.client("s3").put_object(Bucket="keys-in", Key=key, Body=key.encode())
    wait_for(lambda: len(cloud.calls("keys")) == len(KEYS))
    from urllib.parse import unquote_plus

    assert sorted(unquote_plus(_key(call)) for call in cloud.calls("keys")) == sorted(KEYS)
    for key in KEYS:
        assert cloud.client("s3").get_object(Bucket="keys-in", Key=key)["Body"].read() == key.encode()


def test_a_failing_event_is_retried_under_the_same_id_and_then_given_up(cloud: FakeCloud) -> None:
    cloud.function("gives-up", {"FAILURES": "9"})
    queue = _queue(cloud, "gave-up")
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName="gives-up",
        MaximumRetryAttempts=1,
        DestinationConfig={"OnFailure": {"Destination": queue["arn"]}},
    )
    cloud.client("lambda").invoke(FunctionName="gives-up", InvocationType="Event", Payload=b'{"n": 1}')
    record = _receive(cloud, queue["url"])
    calls = cloud.calls("gives-up")
    assert len(calls) == 2
    assert len({call["request"] for call in calls}) == 1
    assert record["version"] == "1.0"
    assert record["requestContext"]["requestId"] == calls[0]["request"]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 2
    assert record["requestContext"]["functionArn"].endswith(":function:gives-up:$LATEST")
    assert record["requestPayload"] == {"n": 1}
    assert record["responseContext"]["functionError"] == "Unhandled"
    assert record["responsePayload"]["errorMessage"] == "told to fail"


def test_an_event_that_succeeds_in_the_end_is_delivered(cloud: FakeCloud) -> None:
    cloud.function("recovers", {"FAILURES": "1", "ANSWER": "[2]"})
    queue = _queue(cloud, "recovered")
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName="recovers", DestinationConfig={"OnSuccess": {"Destination": queue["arn"]}}
    )
    cloud.client("lambda").invoke(FunctionName="recovers", InvocationType="Event")
    record = _receive(cloud, queue["url"])
    assert record["requestContext"]["condition"] == "Success"
    assert record["responsePayload"] == [2]
    assert len(cloud.calls("recovers")) == 2


def test_a_dead_letter_queue_gets_the_event_itself(cloud: FakeCloud) -> None:
    queue = _queue(cloud, "dead")
    cloud.function("dies", {"FAILURES": "9"}, DeadLetterConfig={"TargetArn": queue["arn"]})
    cloud.client("lambda").put_function_event_invoke_config(FunctionName="dies", MaximumRetryAttempts=0)
    cloud.client("lambda").invoke(FunctionName="dies", InvocationType="Event", Payload=b'{"dead": 1}')
    assert _receive(cloud, queue["url"]) == {"dead": 1}


def test_the_outcome_can_go_to_another_function(cloud: FakeCloud) -> None:
    cloud.function("first")
    cloud.function("second")
    arn = cloud.client("lambda").get_function(FunctionName="second")["Configuration"]["FunctionArn"]
    cloud.client("lambda").put_function_event_invoke_config(
        FunctionName="first", DestinationConfig={"OnSuccess": {"Destination": arn}}
    )
    cloud.client("lambda").invoke(FunctionName="first", InvocationType="Event", Payload=b'"x"')
    assert wait_for(lambda: cloud.calls("second"))[0]["payload"]["requestPayload"] == "x"


def test_events_wait_while_the_concurrency_is_reserved_by_others(cloud: FakeCloud) -> None:
    cloud.function("waits", {"SECONDS": "0.05"})
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="waits", ReservedConcurrentExecutions=0)
    cloud.trigger("waits-in", "waits")
    for number in range(5):
        cloud.client("s3").put_object(Bucket="waits-in", Key=str(number), Body=b"")
    wait_for(lambda: _events(cloud)["waiting"] == 5)
    assert cloud.calls("waits") == []
    functions.put_function_concurrency(FunctionName="waits", ReservedConcurrentExecutions=1)
    wait_for(lambda: len(cloud.calls("waits")) == 5)
    times = sorted(call["time"] for call in cloud.calls("waits"))
    assert min(later - earlier for earlier, later in pairwise(times)) >= 0.05


def test_an_event_that_is_too_old_is_given_up(cloud: FakeCloud) -> None:
    cloud.function("ages")
    queue = _queue(cloud, "aged")
    functions = cloud.client("lambda")
    functions.put_function_event_invoke_config(
        FunctionName="ages",
        MaximumEventAgeInSeconds=60,
        DestinationConfig={"OnFailure": {"Destination": queue["arn"]}},
    )
    functions.put_function_concurrency(FunctionName="ages", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="ages", InvocationType="Event", Payload=b"1")
    wait_for(cloud.spooled)
    cloud.kill()
    cloud.stored("UPDATE events SET created = created - 61")
    cloud.start()
    record = _receive(cloud, queue["url"])
    assert record["requestContext"]["condition"] == "EventAgeExceeded"
    assert cloud.calls("ages") == []


def test_events_that_were_queued_or_running_survive_a_kill(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("slow", {"SECONDS": "0.4"})
    functions = own_cloud.client("lambda")
    for number in range(12):
        functions.invoke(FunctionName="slow", InvocationType="Event", Payload=str(number).encode())
    wait_for(lambda: own_cloud.calls("slow"))
    own_cloud.kill()
    done = {note["done"] for note in own_cloud.notes() if "done" in note}
    own_cloud.start()
    wait_for(lambda: _events(own_cloud)["delivered"] >= 12 - len(done), 30)
    wait_for(lambda: not own_cloud.spooled())
    finished = Counter(note["done"] for note in own_cloud.notes() if "done" in note)
    assert {call["payload"] for call in own_cloud.calls("slow")} == set(range(12))
    assert len(finished) == 12


def test_an_event_for_a_function_that_is_gone_is_dropped(cloud: FakeCloud) -> None:
    cloud.function("leaves")
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="leaves", ReservedConcurrentExecutions=0)
    functions.invoke(FunctionName="leaves", InvocationType="Event")
    functions.delete_function(FunctionName="leaves")
    wait_for(lambda: not cloud.spooled())


def test_topics_and_rules_call_functions_through_the_queue(cloud: FakeCloud) -> None:
    cloud.function("told")
    arn = cloud.client("lambda").get_function(FunctionName="told")["Configuration"]["FunctionArn"]
    topic = cloud.client("sns").create_topic(Name="news")["TopicArn"]
    cloud.client("sns").subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    cloud.client("sns").publish(TopicArn=topic, Message="hello")
    events = cloud.client("events")
    events.put_rule(Name="rule", EventPattern='{"source": ["mine"]}')
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": arn}])
    for principal in ("sns", "events"):
        cloud.client("lambda").add_permission(
            FunctionName="told",
            StatementId=principal,
            Action="lambda:InvokeFunction",
            Principal=f"{principal}.amazonaws.com",
        )
    cloud.client("sns").publish(TopicArn=topic, Message="again")
    events.put_events(Entries=[{"Source": "mine", "DetailType": "kind", "Detail": '{"a": 1}'}])
    wait_for(lambda: any("detail-type" in call["payload"] for call in cloud.calls("told")))
    wait_for(lambda: any("Records" in call["payload"] for call in cloud.calls("told")))
    assert all(call["background"] for call in cloud.calls("told"))


@pytest.mark.parametrize("seconds", ["0", "1.7"])
def test_a_function_url_waits_for_the_answer_longer_than_a_cold_start(cloud: FakeCloud, seconds: str) -> None:
    # MiniStack alone would take the path of a function of such a name for that of a function's URL.
    name = f"url-{seconds[0]}"
    answer = json.dumps({"statusCode": 201, "body": "made"})
    cloud.function(name, {"ANSWER": answer, "SECONDS": seconds}, Timeout=1)
    url = cloud.client("lambda").create_function_url_config(FunctionName=name, AuthType="NONE")["FunctionUrl"]
    host = url.removeprefix("https://").rstrip("/")
    request = urllib.request.Request(f"{cloud.environment()['AWS_ENDPOINT_URL']}/path", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=10) as response:
        assert (response.status, response.read()) == (201, b"made")
    assert len(cloud.calls(name)) == 1


def test_a_queue_calls_its_function_and_keeps_what_failed(cloud: FakeCloud) -> None:
    cloud.function("consumes", {"FAILURES": "0"})
    queue = _queue(cloud, "work")
    cloud.client("lambda").create_event_source_mapping(EventSourceArn=queue["arn"], FunctionName="consumes")
    cloud.client("sqs").send_message(QueueUrl=queue["url"], MessageBody="job")
    call = wait_for(lambda: cloud.calls("consumes"))[0]
    assert (call["payload"]["Records"][0]["body"], call["background"]) == ("job", False)


def test_an_event_is_accepted_within_milliseconds(cloud: FakeCloud) -> None:
    cloud.function("quick")
    cloud.trigger("quick-in", "quick")
    delays = []
    for number in range(10):
        started = time.time()
        cloud.client("s3").put_object(Bucket="quick-in", Key=str(number), Body=b"x")
        wait_for(partial(_called, cloud, "quick", number + 1))
        delays.append(cloud.calls("quick")[-1]["time"] - started)
    assert sorted(delays)[5] < 0.1, delays


def _events(cloud: FakeCloud) -> dict[str, Any]:
    status = cloud.status()
    assert status
    return dict(status.details["events"])


def _called(cloud: FakeCloud, name: str, times: int) -> bool:
    return len(cloud.calls(name)) == times


def _key(call: dict[str, Any]) -> str:
    return str(call["payload"]["Records"][0]["s3"]["object"]["key"])


def _queue(cloud: FakeCloud, name: str) -> dict[str, str]:
    sqs = cloud.client("sqs")
    url = sqs.create_queue(QueueName=name)["QueueUrl"]
    return {
        "url": url,
        "arn": sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"],
    }


def _receive(cloud: FakeCloud, url: str) -> Any:
    def message() -> Any:
        return cloud.client("sqs").receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages")

    return json.loads(wait_for(message)[0]["Body"])
