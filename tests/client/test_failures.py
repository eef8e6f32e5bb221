import json
from collections.abc import Sequence
from typing import Any

import pytest

from scar_pulumi.client import failures
from scar_pulumi.client.failures import event_for, failures_in_log, failures_of_jobs, inputs, with_event
from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.outputs import DeployedFunction, StoragePath
from supervisor import configuration
from supervisor.events import request as read_event
from supervisor.log import Log

INPUTS = (StoragePath("s3.default", "photos/in"), StoragePath("minio.mine", "films"))
CUT = DeployedFunction("cut", "arn:aws:lambda:eu-west-1:1:function:cut", "eu-west-1", "/cut", "", "lambda", INPUTS, ())


def supervisor_lines(level: str, text: str, request: str, form: str = "text") -> list[str]:
    return Log(request_id=request, form=form)._line("2026-01-01T00:00:00.000Z", level, text).splitlines()


def tried(request: str, name: str, error: str = "", form: str = "text", *also: str) -> list[str]:
    """Return the log of one try of an event, as a real supervisor writes it."""
    told = supervisor_lines("ERROR", f"{name}: {error}" if name else error, request, form) if error else []
    return [
        f"START RequestId: {request} Version: $LATEST",
        *supervisor_lines("INFO", f"running /bin/sh on {name or 'event-file-1'}", request, form),
        "what the script prints: ERROR: no",
        *also,
        *told,
        f"REPORT RequestId: {request}\tDuration: 1 ms",
    ]


def log(*tries: Sequence[str]) -> list[LogLine]:
    messages = [message for one in tries for message in one]
    return [LogLine(str(number), number, "stream", message) for number, message in enumerate(messages)]


def told(*tries: Sequence[str]) -> list[tuple[str, str, int]]:
    return [(one.input, one.reason, one.tries) for one in failures_in_log(CUT, log(*tries))]


@pytest.mark.parametrize("form", ["text", "json"])
def test_three_tries_are_one_failure_with_its_input_and_reason(form: str) -> None:
    one = tried("r-1", "photos/in/a: b.png", "the script ended with exit code 3\nlast words", form)
    assert told(one, one, one) == [("photos/in/a: b.png", "the script ended with exit code 3", 3)]


def test_what_succeeded_at_last_or_in_a_later_event_is_no_failure() -> None:
    bad, good = tried("r-1", "photos/in/a", "no"), tried("r-1", "photos/in/a")
    assert told(bad, good) == []
    assert told(bad, tried("r-2", "photos/in/a")) == []
    assert told(tried("r-2", "photos/in/a"), bad) == [("photos/in/a", "no", 1)]
    assert told(bad, tried("r-2", "photos/in/b")) == [("photos/in/a", "no", 1)]


def test_each_failed_input_of_an_event_is_one_failure() -> None:
    first = supervisor_lines("ERROR", "photos/in/a: no", "r")
    second = supervisor_lines("ERROR", "photos/in/c: cannot be found", "r")
    last = supervisor_lines("ERROR", "2 of 3 inputs failed: photos/in/a: no; photos/in/c: cannot be found", "r")
    events = ["START RequestId: r Version: 1", *first, *second, *last]
    assert sorted(told(events)) == [("photos/in/a", "no", 1), ("photos/in/c", "cannot be found", 1)]


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-01T00:00:00.000Z r Task timed out after 3.00 seconds",
        "RequestId: r Error: Runtime exited with error: signal: killed",
    ],
)
def test_what_lambda_itself_ends_is_a_failure_of_the_input_that_was_running(line: str) -> None:
    ((name, reason, tries),) = told(tried("r", "photos/in/a", "", "text", line))
    assert (name, tries) == ("photos/in/a", 1)
    assert reason in line


def test_an_event_without_an_object_is_a_failure_that_cannot_be_run_again() -> None:
    (one,) = failures_in_log(CUT, log(tried("r", "", "it broke")))
    assert (one.reason, one.event) == ("it broke", None)
    assert failures_in_log(CUT, log(tried("r", "photos/in/a", "no")))[0].event is not None


@pytest.mark.parametrize(
    ("name", "provider", "container", "key"),
    [
        ("photos/in/a +é%/b.png", "s3", "photos", "in/a +é%/b.png"),
        ("films/deep/x y.mkv", "minio", "films", "deep/x y.mkv"),
    ],
)
def test_the_supervisor_reads_the_event_of_an_input_that_is_run_again(
    name: str, provider: str, container: str, key: str
) -> None:
    paths = tuple(configuration.StoragePath(path.provider, path.path) for path in INPUTS)
    (item,) = read_event(event_for(CUT, name), paths).items
    assert item.name == name
    assert item.source[0].partition(".")[0] == provider
    assert item.source[1:] == (container, key)


def job(identity: str, status: str, name: str, stopped: int, **container: Any) -> dict[str, Any]:
    event = {"Records": [{"eventSource": "aws:s3", "s3": {"bucket": {"name": "photos"}, "object": {"key": name}}}]}
    variables = [{"name": "EVENT", "value": json.dumps(event)}]
    return {
        "jobId": identity,
        "jobName": f"cut-{identity}",
        "jobQueue": "q",
        "status": status,
        "stoppedAt": stopped,
        "attempts": [{}, {}, {}] if status == "FAILED" else [{}],
        "container": {"reason": "it broke", "environment": variables, **container},
    }


def test_failed_jobs_name_their_input_and_are_one_failure_each() -> None:
    details = [job("1", "FAILED", "in/a+b", 10), job("2", "FAILED", "in/c", 20), job("3", "SUCCEEDED", "in/c", 30)]
    (one,) = failures_of_jobs(CUT, details, 5)
    assert (one.input, one.reason, one.tries, one.job) == ("photos/in/a b", "it broke", 3, "1")
    assert list(one.event) == ["Records"]
    assert failures_of_jobs(CUT, details, 15) == []


def test_the_input_of_a_job_is_found_however_the_event_came() -> None:
    record = {"s3": {"bucket": {"name": "b"}, "object": {"key": "k%C3%A9"}}}
    queued = {"Records": [{"eventSource": "aws:sqs", "body": json.dumps({"Records": [record]})}]}
    entry = {"name": "EVENT", "value": json.dumps(queued)}
    nodes = {"nodeRangeProperties": [{"container": {"environment": [entry]}}]}
    assert inputs({"nodeProperties": nodes}) == ["b/ké"]
    assert inputs({"container": {"environment": [{"name": "EVENT", "value": "not JSON"}]}}) == []


def test_an_event_too_large_for_a_variable_is_read_from_its_bucket(s3: Any, bucket: str) -> None:
    event = json.loads(job("1", "FAILED", "in/a", 1)["container"]["environment"][0]["value"])
    s3.put_object(Bucket=bucket, Key="events/1.json", Body=json.dumps(event).encode())
    for key, found in (("events/1.json", ["photos/in/a"]), ("events/expired.json", [])):
        place = {"name": "SCAR_EVENT", "value": f"{bucket}/{key}"}
        assert inputs(with_event({"container": {"environment": [place]}}, s3)) == found
    whole = job("1", "FAILED", "in/a", 1)
    assert with_event(whole, s3) == whole


def test_the_names_of_the_supervisors_variables_are_its_own() -> None:
    assert (failures.EVENT, failures.EVENT_PLACE) == (configuration.EVENT, configuration.EVENT_PLACE)
