"""Events that become jobs of AWS Batch or wait in the function's queue: one of each event, whatever goes wrong."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from supervisor.handover import as_ranges, from_ranges
from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container, encoded, printed, s3_event
from tests.supervisor.fake_aws import Batch, Queue, batch_service, lambda_service
from tests.supervisor.http_calls import answer, received, request
from tests.supervisor.objects import body, bucket, keys, to
from tests.world.waiting import wait_for


@pytest.fixture
def batch() -> Iterator[Batch]:
    with batch_service() as service:
        yield service


def mode(name: str, **more: Any) -> dict[str, Any]:
    batch = {"job_queue": "queue", "job_definition": "definition:3", **more.pop("batch", {})}
    return {"name": "fn", "execution_mode": name, "batch": batch, "timeout_threshold": 1, **more}


def reaching(batch: Batch, credentials: dict[str, str]) -> dict[str, str]:
    return {**credentials, "AWS_ENDPOINT_URL_BATCH": batch.address}


def test_a_batch_function_submits_its_event_and_runs_nothing(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(script="echo ran", configuration=mode("batch"), environment=reaching(batch, credentials))
    request_id = container.start({"a": [1, "é"]})
    output = printed(container.finish(request_id))
    assert output.splitlines()[0] == "Job delegated to batch."
    assert "job-0" in output
    (job,) = batch.jobs
    assert (job["jobQueue"], job["jobDefinition"]) == ("queue", "definition:3")
    assert job["jobName"] == f"fn-{request_id}"
    assert json.loads(batch.variables()["EVENT"]) == {"a": [1, "é"]}
    assert batch.variables()["AWS_LAMBDA_REQUEST_ID"] == request_id
    assert "Credential=test/" in batch.authorizations[0]
    assert "/us-east-1/batch/aws4_request" in batch.authorizations[0]
    assert "ran\n" not in container.log


def test_a_lambda_batch_function_submits_only_what_takes_too_long(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(configuration=mode("lambda-batch"), environment=reaching(batch, credentials))
    assert printed(container.run("echo quick")) == "quick\n"
    assert batch.jobs == []
    event = {"script": encoded("echo begun; sleep 30")}
    assert "Job delegated" in printed(container.invoke(event, seconds=3))
    assert [json.loads(batch.variables(number)["EVENT"]) for number in range(len(batch.jobs))] == [event]


def test_an_event_with_too_little_time_left_is_submitted_before_it_starts(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(script="echo ran", configuration=mode("lambda-batch"), environment=reaching(batch, credentials))
    assert "Job delegated" in container.output({}, seconds=1)
    assert len(batch.jobs) == 1
    assert "ran\n" not in container.log


def test_the_job_does_not_run_finished_inputs_again(
    launch: Launch, batch: Batch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "half-done")
    for key in ("a", "slow", "c"):
        s3.put_object(Bucket=name, Key=f"in/{key}", Body=key.encode())
    script = """case $STORAGE_OBJECT_KEY$AWS_BATCH_JOB_ID in */slow) sleep 30;; esac
        echo $STORAGE_OBJECT_KEY >>$TMP_OUTPUT_DIR/${AWS_BATCH_JOB_ID:-lambda}-${STORAGE_OBJECT_KEY##*/}"""
    configuration = mode("lambda-batch", **to(f"{name}/out"))
    environment = reaching(batch, credentials)
    container = launch(script=script, configuration=configuration, environment=environment)
    assert not container.invoke(s3_event(name, "in/a", "in/slow", "in/c"), seconds=4).failed
    assert batch.variables()["SCAR_DONE"] == "0"
    job = {**environment, "AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job", **batch.variables()}
    assert launch(script=script, configuration=configuration, environment=job).process.wait(30) == 0
    assert keys(s3, name)[-3:] == ["out/job-c", "out/job-slow", "out/lambda-a"]


def test_one_event_is_one_job_even_if_requests_are_lost(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    batch.lose_answers = 3
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    assert not container.invoke({}).failed
    assert len(batch.jobs) == 1
    batch.failing = 0.1
    for _ in range(30):
        assert not container.invoke({}).failed
    assert len(batch.jobs) == 31
    assert len({job["jobName"] for job in batch.jobs}) == 31


def test_an_event_that_lambda_retries_is_one_job(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    batch.jobs.append({"jobName": "", "id": "job-earlier"})
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    request_id = container.start({})
    container.finish(request_id)
    batch.jobs[:] = batch.jobs[-1:]
    from tests.world.runtime_api import Event

    container.api.send(Event(request_id, b"{}", 60, None))
    assert "job-1" in printed(container.finish(request_id))
    assert len(batch.jobs) == 1


def test_a_role_that_may_not_list_jobs_still_submits(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    batch.no_listing = True
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    assert not container.invoke({}).failed
    assert len(batch.jobs) == 1
    assert "let the role call batch:ListJobs" in container.log


@pytest.mark.parametrize("text", ["ä" * 100_000, "x" * 7000, '"' * 3000], ids=["huge", "for-ecs", "many-quotes"])
def test_a_large_event_travels_through_the_bucket(
    launch: Launch, batch: Batch, s3: Any, credentials: dict[str, str], text: str
) -> None:
    name, event = bucket(s3, f"large-events-{len(text)}"), {"long": text}
    configuration = mode("batch", batch={"event_path": f"{name}/events"}, **to(f"{name}/out"))
    environment = reaching(batch, credentials)
    assert not launch(configuration=configuration, environment=environment).invoke(event).failed
    assert "EVENT" not in batch.variables()
    (kept,) = keys(s3, name)
    assert json.loads(body(s3, name, kept)) == event
    job = {**environment, "AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job", **batch.variables()}
    script = "cat $INPUT_FILE_PATH >$TMP_OUTPUT_DIR/event"
    assert launch(script=script, configuration=configuration, environment=job).process.wait(30) == 0
    assert json.loads(body(s3, name, "out/event")) == event


@pytest.mark.parametrize(
    ("numbers", "text"),
    [((), ""), ((0,), "0"), ((0, 1, 2), "0-2"), ((5, 0, 1, 7, 8), "0-1,5,7-8"), (range(10_000), "0-9999")],
)
def test_finished_inputs_are_told_in_few_characters(numbers: Sequence[int], text: str) -> None:
    assert as_ranges(numbers) == text
    assert from_ranges(text) == tuple(sorted(numbers))


@pytest.mark.parametrize(
    ("configuration", "complaint"),
    [
        (mode("batch"), "set the event path"),
        ({"name": "fn", "execution_mode": "batch"}, "job_queue, job_definition missing"),
    ],
)
def test_an_event_that_cannot_be_submitted_fails_with_the_reason(
    launch: Launch, batch: Batch, credentials: dict[str, str], configuration: Any, complaint: str
) -> None:
    container = launch(configuration=configuration, environment=reaching(batch, credentials))
    outcome = container.invoke({"long": "x" * 30_000})
    assert complaint in outcome.message
    assert batch.jobs == []


def test_a_function_of_many_nodes_overrides_them_all(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    configuration = mode("batch", batch={"multi_node": True})
    assert not launch(configuration=configuration, environment=reaching(batch, credentials)).invoke({}).failed
    assert batch.variables()["EVENT"] == "{}"


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
def test_an_asynchronous_call_is_queued_unchanged_and_accepted_at_once(
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


def test_a_queued_call_that_fails_is_a_failed_invocation(launch: Launch, queue: Queue) -> None:
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
def test_a_call_that_cannot_be_queued_fails_with_the_reason(
    launch: Launch, queue: Queue, refusal: tuple[int, str], status: int, said: str
) -> None:
    queue.refusal = refusal
    document = answer(asynchronous(launch, queue), request("hello", headers=EVENT_HEADER))
    assert document["statusCode"] == status
    assert "EventNotQueued" in received(document).decode()
    assert said in received(document).decode()


def test_a_call_that_is_too_large_for_the_queue_is_a_413_with_a_hint(launch: Launch, queue: Queue) -> None:
    document = answer(asynchronous(launch, queue), request("x" * 1_100_000, headers=EVENT_HEADER))
    assert document["statusCode"] == 413
    assert b"takes 1,048,576; put the file into the function's input bucket" in received(document)
    assert queue.requests == []


def test_without_the_setting_a_call_is_run_at_once(launch: Launch, queue: Queue) -> None:
    container = asynchronous(launch, queue, asynchronous_http=False)
    assert not container.invoke(request("hello", routeKey="ANY /launch/async")).failed
    wait_for(lambda: "ran\n" in container.log, 10, "the script's output")
    assert queue.requests == []
