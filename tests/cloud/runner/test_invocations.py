"""What one event gives: answers, errors, times, and what Lambda says about a function that dies."""

import asyncio
import json
import re
from pathlib import Path

import pytest

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.runner import UnusableImageError
from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local
from tests.world.waiting import wait_for


def test_an_answer_comes_back_as_it_was_given(local: Local, function: Configure) -> None:
    result = local.invoke(function(), 'printf \'{"a": "\\303\\244"}\'')
    assert (result.payload, result.error) == ('{"a": "ä"}'.encode(), None)


def test_a_warm_container_takes_the_next_event_and_reports_no_start(local: Local, function: Configure) -> None:
    first, second = (local.invoke(function(), "cat /proc/uptime >/dev/null; echo x >>/tmp/n; cat /tmp/n") for _ in "ab")
    assert (first.payload, second.payload) == (b"x\n", b"x\nx\n")
    assert first.init_ms is not None
    assert first.billed_ms >= first.init_ms
    assert second.init_ms is None
    assert second.billed_ms < 1000


def test_an_error_of_the_function_is_its_own_payload(local: Local, function: Configure) -> None:
    result = local.invoke(function(), 'echo \'{"errorMessage": "no", "errorType": "Mine"}\'; exit 1')
    assert result.error == "Unhandled"
    assert json.loads(result.payload)["errorType"] == "Mine"
    assert local.answer(function(), "echo still here") == "still here\n"


def test_large_payloads_pass_in_both_directions(local: Local, function: Configure) -> None:
    size = 6 * 1024 * 1024 - 100
    result = local.invoke(function(), f"head -c {size} /dev/zero | tr '\\0' y; exit 0\n#{'x' * (size - 100)}")
    assert (result.error, len(result.payload)) == (None, size)


def test_a_larger_answer_than_lambda_takes_is_an_error(local: Local, function: Configure) -> None:
    result = local.invoke(function(), "head -c 6300000 /dev/zero | tr '\\0' y")
    assert result.error == "Unhandled"
    assert json.loads(result.payload)["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_late_function_is_killed_with_everything_it_started(local: Local, function: Configure, nap: str) -> None:
    script = f"setsid sleep {nap} >/dev/null 2>&1 & echo started >&2; sleep {nap}"
    result = local.invoke(function(timeout=1), script)
    expected = "RequestId: event-[0-9]+ Error: Task timed out after 1.00 seconds"
    answer = json.loads(result.payload)
    assert (result.error, answer["errorType"]) == ("Unhandled", "Sandbox.Timedout")
    assert re.fullmatch(expected, answer["errorMessage"])
    assert result.duration_ms == 1000
    assert not images.sleeping(nap)
    assert re.search(r"Z event-\d+ Task timed out after 1.00 seconds\n", local.sink.text(function().log_group))
    assert local.answer(function(timeout=1), "ls /tmp/.answer") == "/tmp/.answer\n"


def test_a_runtime_that_answers_early_goes_on_and_gets_no_other_event_meanwhile(
    local: Local, function: Configure
) -> None:
    script = """
        id=$(sed -n 's/.*[Aa]ws-[Rr]equest-[Ii]d: *//p' /tmp/.headers | tr -d '\\r')
        wget -q -O /dev/null --post-data early http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/$id/response
        sleep 1
        echo late >&2
    """
    assert local.answer(function(), script) == "early"
    assert local.answer(function(), "echo other") == "other\n"
    # This runtime ends when its second answer is refused, and that is told as well.
    log = wait_for(lambda: _with(local.sink.text(function().log_group), "Runtime exited"), 30, "the early one's end")
    assert log.index("late") < log.index("Runtime exited")
    assert log.count("REPORT RequestId") == 2


def _with(text: str, wanted: str) -> str:
    return text if wanted in text and text.count("REPORT") == 2 else ""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("kill -9 $PPID; sleep 5", "signal: killed"),
        ("kill -11 $PPID; sleep 5", "signal: segmentation fault"),
        (
            "rm -f /tmp/.answer; busybox rm -f /tmp/.event /tmp/.headers; mkdir /tmp/.event; busybox rm /tmp/.answer",
            "8",
        ),
    ],
)
def test_a_runtime_that_ends_is_told_so(local: Local, function: Configure, script: str, reason: str) -> None:
    result = local.invoke(function(), script)
    answer = json.loads(result.payload)
    assert (result.error, answer["errorType"]) == ("Unhandled", "Runtime.ExitError")
    assert re.fullmatch(rf"RequestId: event-\d+ Error: Runtime exited with error: .*{reason}", answer["errorMessage"])
    assert local.answer(function(), "echo again") == "again\n"


def test_too_much_memory_ends_the_function_not_the_machine(
    local: Local, function: Configure, store: images.Store, base: bytes
) -> None:
    if "cgroup" not in str(local.runner.describe()["memory_limit"]):
        pytest.skip("control groups cannot be written here")
    # The runtime itself takes the memory, after it got an event.
    greedy = b"#!/bin/sh\nwget -q -O /dev/null http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/invocation/next\n"
    greedy += b"exec dd if=/dev/zero of=/dev/null bs=400M\n"
    digest = store.add([base, images.layer([images.Entry("bin/greedy", greedy, 0o755)])], Entrypoint=["/bin/greedy"])
    result = local.invoke(function(image=digest, environment={"PATH": "/bin"}), "")
    assert json.loads(result.payload)["errorType"] == "Runtime.ExitError"
    assert b"signal: killed" in result.payload
    assert b"Error Type: Runtime.OutOfMemory" in result.log_tail
    assert result.max_memory_mb == 256


def test_a_runtime_that_ends_before_it_asks_for_events_is_an_error_of_its_start(
    local: Local, function: Configure
) -> None:
    result = local.invoke(function(entry_point=("/bin/sh", "-c", "echo broken >&2; exit 3")), "")
    assert json.loads(result.payload)["errorMessage"].endswith("Runtime exited with error: exit status 3")
    assert b"broken\n" in result.log_tail


def test_an_error_that_the_runtime_reports_of_its_start_is_the_answer(local: Local, function: Configure) -> None:
    report = (
        'echo \'{"errorType": "Init.Mine"}\' >/tmp/e; url=http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/init/error;'
    )
    report += " wget -q -O /dev/null --post-file /tmp/e $url; sleep 60"
    result = local.invoke(function(entry_point=("/bin/sh", "-c", report)), "")
    assert (result.error, json.loads(result.payload)) == ("Unhandled", {"errorType": "Init.Mine"})


def test_the_time_a_start_takes_does_not_count_for_the_timeout(local: Local, function: Configure) -> None:
    slow = function(timeout=1, entry_point=("/bin/sh", "-c", "sleep 2; exec runtime"))
    result = local.invoke(slow, "sleep 0.5; echo done")
    assert (result.error, result.payload) == (None, b"done\n")
    assert result.init_ms is not None
    assert result.init_ms > 2000
    assert result.duration_ms < 1000


def test_a_start_that_takes_longer_than_lambda_allows_eats_the_timeout(
    local: Local, function: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar_pulumi.cloud.runner.container.INIT_SECONDS", 0.5)
    result = local.invoke(function(timeout=1, entry_point=("/bin/sleep", "60")), "")
    assert json.loads(result.payload)["errorType"] == "Sandbox.Timedout"


def test_the_deadline_is_the_timeout_from_when_the_container_has_the_event(local: Local, function: Configure) -> None:
    script = "sed -n 's/.*Deadline-Ms: *//p' /tmp/.headers; date +%s; grep Function-Arn /tmp/.headers"
    deadline, now, arn = local.answer(function(timeout=7), script).splitlines()
    assert 5 < int(deadline) / 1000 - int(now) <= 8
    assert arn.strip().endswith(function().arn)


def test_client_context_reaches_the_runtime(local: Local, function: Configure) -> None:
    work = local.runner.invoke(function(), b"cat /tmp/.headers", "one", client_context='{"custom":\n {"a": 1}}')
    assert b'Lambda-Runtime-Client-Context: {"custom":  {"a": 1}}' in local.run(work).payload


def test_an_image_that_is_not_in_the_store_is_an_error_of_the_caller(local: Local, function: Configure) -> None:
    with pytest.raises(UnusableImageError, match="deploy the stack again"):
        local.invoke(function(image="sha256:" + "0" * 64), "")


def test_a_damaged_layer_is_never_run(local: Local, function: Configure, store: images.Store, base: bytes) -> None:
    odd = images.layer([images.Entry("odd", b"odd")])
    digest = store.add([base, odd], Entrypoint=["/bin/runtime"])
    store.blob_path(store.put(odd)).write_bytes(odd[:-20])
    with pytest.raises(UnusableImageError, match="damaged"):
        local.invoke(function(image=digest), "")


def test_a_cancelled_invocation_leaves_no_container(local: Local, function: Configure, nap: str) -> None:
    running = local.begin(function(), f"sleep {nap}")
    wait_for(lambda: images.sleeping(nap), 10, "the function runs")
    running.cancel()
    wait_for(lambda: not images.sleeping(nap), 10, "the function is gone")


def test_a_closed_runner_says_so(store: images.Store, function: Configure, tmp_path: Path) -> None:
    started = Local(store, tmp_path)
    runner = started.runner
    started.close()
    with pytest.raises(LocalCloudError, match="not running"):
        asyncio.run(runner.invoke(function(), b"", "x"))
