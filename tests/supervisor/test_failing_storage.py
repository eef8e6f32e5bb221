"""While a tenth of all calls to the storage fails, every event has its results, once each and whole."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container, s3_event
from tests.supervisor.objects import body, bucket, keys, to
from tests.supervisor.unreliable import WAYS, unreliable

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
    """What the object of a number holds: most are small, some come in several pieces and go in several parts."""
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
