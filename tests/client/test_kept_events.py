"""Events that a failure destination keeps are read back, and each runs again once."""

import io
import json
import re
import uuid
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.client.kept_events import Kept, kept_events
from scar_pulumi.client.outputs import DeployedFunction

ROLE = "arn:aws:iam::000000000000:role/r"
Make = Callable[[str], DeployedFunction]


@pytest.fixture
def function(clients: Clients) -> Make:
    """Make a function with a failure destination; none where the ARN is empty."""

    def make(destination: str) -> DeployedFunction:
        code = io.BytesIO()
        with zipfile.ZipFile(code, "w") as archive:
            archive.writestr("a.py", "def b(event, context): pass")
        client, name = clients.client("lambda"), f"kept-{uuid.uuid4().hex[:8]}"
        given: Any = {"ZipFile": code.getvalue()}
        made = client.create_function(FunctionName=name, Runtime="python3.12", Role=ROLE, Handler="a.b", Code=given)
        if destination:
            client.put_function_event_invoke_config(
                FunctionName=name, DestinationConfig={"OnFailure": {"Destination": destination}}
            )
        return DeployedFunction(name, made["FunctionArn"], "us-east-1", "/aws/lambda/x", "", "lambda", (), ())

    return make


def record(function: DeployedFunction, request: str, payload: Any) -> str:
    """Return what Lambda sends: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html."""
    context = {"requestId": request, "functionArn": f"{function.arn}:$LATEST", "condition": "RetriesExhausted"}
    return json.dumps({"version": "1.0", "requestContext": context, "requestPayload": payload})


def events(kept: Kept) -> dict[str, Any]:
    return {request: one.event for request, one in kept.events.items()}


def test_events_in_a_bucket_are_found_until_they_are_run_again(
    clients: Clients, s3: Any, bucket: str, function: Make
) -> None:
    made = function(f"arn:aws:s3:::{bucket}")
    other = function(f"arn:aws:s3:::{bucket}")
    for one, request in ((made, "r-1"), (made, "r-2"), (other, "r-3")):
        key = f"aws/lambda/async/{one.name}/2026/12/01/{request}"
        s3.put_object(Bucket=bucket, Key=key, Body=record(one, request, {"n": request}), Tagging="theirs=1")
    s3.put_object(Bucket=bucket, Key=f"aws/lambda/async/{made.name}/2026/12/01/junk", Body=b"[1")
    kept = kept_events(made, clients, 0)
    assert events(kept) == {"r-1": {"n": "r-1"}, "r-2": {"n": "r-2"}}
    kept.events["r-1"].note("new-request")
    assert events(kept_events(made, clients, 0)) == {"r-2": {"n": "r-2"}}
    tags = s3.get_object_tagging(Bucket=bucket, Key=f"aws/lambda/async/{made.name}/2026/12/01/r-1")["TagSet"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == {"theirs": "1", "scar-pulumi:again": "new-request"}
    assert events(kept_events(made, clients, 2**53)) == {}, "older than asked for"


def test_events_in_a_queue_stay_there_until_they_are_run_again(clients: Clients, function: Make) -> None:
    sqs = clients.client("sqs")
    url = sqs.create_queue(QueueName=f"kept-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = function(arn)
    for request in ("r-1", "r-2"):
        sqs.send_message(QueueUrl=url, MessageBody=record(made, request, [request]))
    sqs.send_message(QueueUrl=url, MessageBody="not a record")
    assert events(kept_events(made, clients, 0)) == {"r-1": ["r-1"], "r-2": ["r-2"]}
    kept = kept_events(made, clients, 0)
    assert events(kept) == {"r-1": ["r-1"], "r-2": ["r-2"]}, "looking takes nothing"
    kept.events["r-2"].note("new-request")
    assert events(kept_events(made, clients, 0)) == {"r-1": ["r-1"]}


def test_a_queue_that_counts_looks_as_tries_is_left_alone(clients: Clients, function: Make) -> None:
    sqs = clients.client("sqs")
    dead = sqs.create_queue(QueueName=f"dead-{uuid.uuid4().hex[:8]}")["QueueUrl"]
    target = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = json.dumps({"deadLetterTargetArn": target, "maxReceiveCount": "1"})
    name = f"strict-{uuid.uuid4().hex[:8]}"
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": policy})["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    made = function(arn)
    sqs.send_message(QueueUrl=url, MessageBody=record(made, "r-1", 1))
    assert events(kept_events(made, clients, 0)) == {}
    assert sqs.receive_message(QueueUrl=url)["Messages"]


@pytest.mark.parametrize(
    ("destination", "said"),
    [
        ("", "has no failure destination"),
        ("arn:aws:sns:us-east-1:000000000000:told", "which keeps none"),
        ("arn:aws:s3:::no-such-bucket-anywhere", r"cannot be read \(NoSuchBucket\)"),
    ],
)
def test_why_an_event_cannot_be_had_is_told(clients: Clients, function: Make, destination: str, said: str) -> None:
    kept = kept_events(function(destination), clients, 0)
    assert kept.events == {}
    assert re.search(said, kept.otherwise)
