"""A container's output in CloudWatch's form."""

import re

import pytest

from scar_pulumi.cloud.runner import log
from tests.cloud.runner.conftest import Configure, Local


def test_output_stands_between_lambdas_own_lines(local: Local, function: Configure) -> None:
    result = local.invoke(function(), "echo one >&2; echo two >&2; printf unfinished >&2")
    ((group, stream), events) = next(item for item in local.sink.events.items() if item[0][0] == function().log_group)
    assert group == function().log_group
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}", stream)
    messages = [message for _, message in events]
    start, one, two, unfinished, end, report = messages
    assert re.fullmatch(r"START RequestId: event-\d+ Version: \$LATEST\n", start)
    assert (one, two, unfinished) == ("one\n", "two\n", "unfinished\n")
    assert re.fullmatch(r"END RequestId: event-\d+\n", end)
    pattern = r"REPORT RequestId: event-\d+\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms\tMemory Size: 256 MB"
    assert re.fullmatch(pattern + r"\tMax Memory Used: \d+ MB\tInit Duration: \d+\.\d\d ms\t\n", report)
    assert result.log_tail.decode() == "".join(messages)
    assert [time for time, _ in events] == sorted(time for time, _ in events)


def test_output_is_there_before_the_answer(local: Local, function: Configure) -> None:
    for number in range(20):
        local.invoke(function(), f"echo line-{number} >&2")
        assert f"line-{number}\n" in local.sink.text(function().log_group)


def test_the_log_tail_is_the_last_four_kilobytes_of_this_event(local: Local, function: Configure) -> None:
    local.invoke(function(), "echo before >&2")
    tail = local.invoke(function(), "seq 1 3000 >&2").log_tail
    assert len(tail) == 4096
    assert b"before" not in tail
    assert b"\n2999\n3000\nEND" in tail


def test_bytes_that_are_no_text_and_lines_without_end_are_logged(local: Local, function: Configure) -> None:
    """A line longer than an event of CloudWatch Logs may be is cut."""
    local.invoke(
        function(), r"printf 'a\377b\n' >&2; head -c 600000 /dev/zero | tr '\0' '#' >&2; printf '\nlast\n' >&2"
    )
    text = local.sink.text(function().log_group)
    assert "a\N{REPLACEMENT CHARACTER}b\n" in text
    assert text.count("#") == 600_000
    assert "\nlast\n" in text
    events = [
        message
        for (group, _), batch in local.sink.events.items()
        if group == function().log_group
        for _, message in batch
    ]
    assert max(len(message.encode()) for message in events) <= 262_118
    assert max(local.sink.batches) <= 1_048_576


def test_endless_output_neither_fills_memory_nor_stops_the_timeout(local: Local, function: Configure) -> None:
    result = local.invoke(function(timeout=1), "yes runaway >&2")
    assert b"Task timed out after 1.00 seconds" in result.payload
    text = local.sink.text(function().log_group)
    assert text.startswith("START")
    assert re.search(r"END RequestId: event-\d+\nREPORT [^\n]*Status: timeout\t\n$", text)


def test_all_output_of_a_large_event_is_kept_in_order(local: Local, function: Configure) -> None:
    assert local.invoke(function(timeout=60), "seq 1 400000 >&2").error is None
    lines = [line for line in local.sink.text(function().log_group).splitlines() if line.isdecimal()]
    assert lines == [str(number) for number in range(1, 400_001)]


def test_output_beyond_a_bound_is_left_out_and_that_is_told(
    local: Local, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_KEPT", 1024 * 1024)
    line = "0123456789" * 40
    for _ in range(2):
        local.invoke(function(), f"yes {line} | head -n 9000 >&2; echo end >&2")
    text = local.sink.text(function().log_group)
    assert text.count("[output beyond 1 MB or 4096 log events is not kept]\n") == 2
    assert text.count(line) > 2 * 2000
    assert "end" not in text.splitlines()
    assert len(text) < 2.1 * 1024 * 1024
    assert text.count("REPORT") == 2


def test_of_short_lines_no_more_are_kept_than_memory_can_hold(
    local: Local, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "_KEPT", 1024 * 1024)
    local.invoke(function(), "yes | head -n 100000 >&2")
    lines = local.sink.text(function().log_group).splitlines()
    assert lines.count("y") == 4095
    assert "[output beyond 1 MB or 4096 log events is not kept]" in lines


def test_of_many_lines_a_log_event_holds_many(
    local: Local, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever keeps the log keeps each log event in memory."""
    monkeypatch.setattr(log, "_SINGLE_LINES", 100)
    local.invoke(function(), "yes | head -n 500000 >&2")
    group = function().log_group
    assert local.sink.text(group).splitlines().count("y") == 500_000
    assert sum(len(events) for (found, _), events in local.sink.events.items() if found == group) < 100_000
