import time
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from scar_pulumi.client.logs import attributed, follow, of_request, read

Write = Callable[..., None]


@pytest.fixture
def group(logs: Any) -> str:
    """Return a log group of the test's own with the streams `a` and `b`."""
    name = f"/aws/lambda/{uuid.uuid4()}"
    logs.create_log_group(logGroupName=name)
    for stream in ("a", "b"):
        logs.create_log_stream(logGroupName=name, logStreamName=stream)
    return name


@pytest.fixture
def write(logs: Any, group: str) -> Write:
    def put(stream: str, *messages: str, at: int | None = None) -> None:
        moment = int(time.time() * 1000) if at is None else at
        events = [{"timestamp": moment, "message": message} for message in messages]
        logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)

    return put


def test_lines_come_oldest_first_whatever_their_stream(logs: Any, group: str, write: Write) -> None:
    now = int(time.time() * 1000)
    write("a", "third", at=now)
    write("b", "first\n", at=now - 20)
    write("a", "second", at=now - 10)
    assert [line.message for line in read(logs, group)] == ["first", "second", "third"]
    assert [line.message for line in read(logs, group, now - 10)] == ["second", "third"]


def test_a_group_that_does_not_exist_yet_has_no_lines(logs: Any) -> None:
    assert list(read(logs, "/aws/lambda/nothing-here")) == []


def test_more_lines_than_one_answer_holds_are_all_read_once(logs: Any, group: str, write: Write) -> None:
    now = int(time.time() * 1000)
    for batch in range(3):
        write("ab"[batch % 2], *(f"{batch}/{number}" for number in range(5000)), at=now + batch)
    messages = [line.message for line in read(logs, group)]
    assert len(messages) == len(set(messages)) == 15000


def test_following_neither_loses_nor_doubles_lines(logs: Any, group: str, write: Write) -> None:
    """Lines with the time of others, and lines that become visible after younger ones, are in it too."""
    now = int(time.time() * 1000)
    rounds = [
        lambda: write("a", "one", "two", at=now),
        lambda: write("b", "same time", at=now),
        lambda: None,
        lambda: write("a", "late", at=now - 30_000),
        lambda: write("b", "last", at=now + 5),
    ]

    def wait() -> bool:
        if not rounds:
            return False
        rounds.pop(0)()
        return True

    write("a", "before", at=now - 40_000)
    followed = [line.message for line in follow(logs, group, now - 50_000, wait=wait)]
    assert followed == ["before", "one", "two", "same time", "late", "last"]


def test_following_waits_for_a_group_that_is_not_there_yet(logs: Any) -> None:
    name = f"/aws/lambda/{uuid.uuid4()}"
    left = 3

    def wait() -> bool:
        nonlocal left
        left -= 1
        if left == 2:
            logs.create_log_group(logGroupName=name)
            logs.create_log_stream(logGroupName=name, logStreamName="s")
            event = {"timestamp": int(time.time() * 1000), "message": "first"}
            logs.put_log_events(logGroupName=name, logStreamName="s", logEvents=[event])
        return left > 0

    assert [line.message for line in follow(logs, name, 0, wait=wait)] == ["first"]


def test_the_lines_of_one_request_are_all_of_them_and_no_others(logs: Any, group: str, write: Write) -> None:
    one, other = str(uuid.uuid4()), str(uuid.uuid4())
    now = int(time.time() * 1000)
    write("a", "starting", at=now)
    write("a", f"START RequestId: {one} Version: $LATEST", "mine", at=now + 1)
    write("b", f"START RequestId: {other} Version: $LATEST", "not mine", at=now + 2)
    write("a", "mine, too", f"END RequestId: {one}", f"REPORT RequestId: {one}\tDuration: 1 ms", at=now + 3)
    write("a", f"START RequestId: {other} Version: $LATEST", "not mine either", at=now + 4)
    assert [line.message for line in of_request(logs, group, one)] == [
        f"START RequestId: {one} Version: $LATEST",
        "mine",
        "mine, too",
        f"END RequestId: {one}",
        f"REPORT RequestId: {one}\tDuration: 1 ms",
    ]
    assert list(of_request(logs, group, str(uuid.uuid4()))) == []


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-21T10:00:00.000Z INFO {} the gateway's request id is JKJaXmPLvHcESHA=",
        """{{"level": "INFO", "requestId": "{}", "message": "the gateway's request id is JKJaXmPLvHcESHA="}}""",
    ],
)
def test_a_request_is_found_by_what_its_gateway_calls_it(logs: Any, group: str, write: Write, line: str) -> None:
    request = str(uuid.uuid4())
    now = int(time.time() * 1000)
    write("a", f"START RequestId: {request} Version: $LATEST", line.format(request), "mine", at=now)
    write("a", f"END RequestId: {request}", at=now + 1)
    found = [found.message for found in of_request(logs, group, "JKJaXmPLvHcESHA=")]
    assert found[0].startswith("START")
    assert found[2:] == ["mine", f"END RequestId: {request}"]


def test_a_running_request_shows_what_it_has_said_so_far(logs: Any, group: str, write: Write) -> None:
    request = str(uuid.uuid4())
    now = int(time.time() * 1000)
    write("a", f"START RequestId: {request} Version: $LATEST", at=now)
    write("a", "working", at=now + 100)
    assert [line.message for line in of_request(logs, group, request)][-1] == "working"


def test_lines_know_whose_they_are(logs: Any, group: str, write: Write) -> None:
    write("a", "starting", "START RequestId: r1 Version: $LATEST", "x", "REPORT RequestId: r1")
    assert [line.request_id for line in attributed(read(logs, group))] == ["", "r1", "r1", "r1"]
