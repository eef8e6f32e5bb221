"""Functions over HTTP, from an FDL file to plain requests: one stack for all of it."""

import base64
import itertools
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.end_to_end.conftest import Terminal
from tests.world.http_endpoints import Reply, ask
from tests.world.waiting import wait_for

pytestmark = pytest.mark.xdist_group("main_job")

ECHO = """\
if [ "${CONT_VAR_fail:-}" ]; then echo told to fail >&2; exit 3; fi
sleep "${CONT_VAR_seconds:-0}"
cat "$INPUT_FILE_PATH" | tee "$TMP_OUTPUT_DIR/$AWS_LAMBDA_REQUEST_ID"
echo "did ${CONT_VAR_name:-nothing}" >&2
"""
FUNCTIONS: dict[str, dict[str, Any]] = {
    "http-echo": {"path_part": "echo"},
    "http-signed": {"path_part": "signed", "method": {"authorizationType": "AWS_IAM"}},
}


@dataclass(frozen=True)
class Stack:
    """What was deployed."""

    fdl: Path
    terminal: Terminal
    functions: dict[str, Any]

    @property
    def echo(self) -> str:
        """The address of the function that answers with what it gets."""
        return str(self.functions["http-echo"]["url"])

    def client(self, service: str) -> Any:
        """Return a client of the local cloud."""
        end = self.echo.index("/_aws")
        return boto3.client(
            service,
            region_name="us-east-1",
            endpoint_url=self.echo[:end],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@pytest.fixture(scope="module")
def stack(terminal: Terminal, busybox_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("http-stack")
    (folder / "echo.sh").write_text(f"#!/bin/sh\nset -eu\n{ECHO}")
    functions = [
        {
            "lambda": {
                "name": name,
                "memory": 256,
                "timeout": 60,
                "init_script": "echo.sh",
                "container": {"image_file": str(busybox_image)},
                "output": [{"storage_provider": "s3", "path": f"http-results/{name}"}],
            },
            "api_gateway": {"name": "http-api", **endpoint},
        }
        for name, endpoint in FUNCTIONS.items()
    ]
    fdl = folder / "http.yaml"
    fdl.write_text(yaml.safe_dump({"functions": {"aws": functions}}))
    yield Stack(fdl, terminal, terminal.up(fdl)["outputs"]["functions"])
    terminal.scar("destroy", fdl, "--yes", check=False)


def test_outputs_say_where_and_how_functions_are_called_and_a_second_up_changes_nothing(stack: Stack) -> None:
    echo, signed = stack.functions["http-echo"], stack.functions["http-signed"]
    assert echo["url"].endswith("/scar/echo")
    assert echo["asyncUrl"] == f"{echo['url']}/async"
    assert (echo["auth"], signed["auth"]) == ("NONE", "AWS_IAM")
    assert echo["url"].removesuffix("echo") == signed["url"].removesuffix("signed")
    changes = stack.terminal.up(stack.fdl)["changes"]
    assert {kind for kind, count in changes.items() if count} == {"same"}


MULTIPART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n\0\xff\r\n--x--\r\n'


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"a": [1, "\xc3\xa9"]}'),
        ("text/plain; charset=utf-8", "héllo\n".encode()),
        ("application/x-www-form-urlencoded", b"a=1&b=%20"),
        ("multipart/form-data; boundary=x", MULTIPART),
        ("image/png", b"\x89PNG\r\n\x1a\n" + bytes(range(256))),
        ("application/octet-stream", bytes(range(256))),
        ("", b"no type"),
        ("text/plain", b""),
    ],
)
def test_bodies_of_every_kind_arrive_and_come_back_as_they_are(stack: Stack, content_type: str, body: bytes) -> None:
    headers = {"content_type": content_type} if content_type else {}
    reply = ask(stack.echo, "POST", body, **headers)
    assert (reply.status, reply.body) == (200, body)


def test_query_parameters_are_variables_of_the_script(stack: Stack) -> None:
    reply = ask(f"{stack.echo}?name=A%20b&other=1", "POST", b"x")
    request_id = reply.headers["amz-lambda-request-id"]
    logged = wait_for(lambda: log_of(stack, request_id, "did "), 30, "the log")
    assert "did A b" in logged


def log_of(stack: Stack, request_id: str, text: str) -> str | None:
    """Return the log of a request as soon as it holds a text."""
    answer = stack.terminal.scar("logs", "http-echo", "--request-id", request_id, check=False)
    return answer.stdout if text in answer.stdout else None


@pytest.mark.parametrize("how", ["header", "path"])
def test_a_call_that_is_not_waited_for_is_answered_at_once_and_its_result_goes_to_the_output(
    stack: Stack, how: str
) -> None:
    url = stack.echo if how == "header" else stack.functions["http-echo"]["asyncUrl"]
    headers = {"X_Amz_Invocation_Type": "Event"} if how == "header" else {}
    reply = ask(f"{url}?seconds=1&name=later", "POST", b"\0later", **headers)
    assert reply.status == 202
    request_id = reply.json["requestId"]
    assert reply.headers["amz-lambda-request-id"] == request_id
    place = f"http-results/http-echo/{request_id}"
    assert stack.terminal.wait_for_keys(place, 1) == [f"http-echo/{request_id}"]
    found = stack.client("s3").get_object(Bucket="http-results", Key=f"http-echo/{request_id}")
    assert found["Body"].read() == b"\0later"
    assert "did later" in wait_for(lambda: log_of(stack, request_id, "did "), 30, "the log")


def test_a_call_that_is_not_waited_for_and_fails_goes_to_the_failure_destination(stack: Stack) -> None:
    sqs = stack.client("sqs")
    queue = sqs.create_queue(QueueName="http-failures")["QueueUrl"]
    arn = "arn:aws:sqs:us-east-1:000000000000:http-failures"
    stack.client("lambda").put_function_event_invoke_config(
        FunctionName="http-echo", MaximumRetryAttempts=0, DestinationConfig={"OnFailure": {"Destination": arn}}
    )
    reply = ask(f"{stack.functions['http-echo']['asyncUrl']}?fail=1", "POST", b"wrong")
    assert reply.status == 202
    (message,) = wait_for(
        lambda: sqs.receive_message(QueueUrl=queue, WaitTimeSeconds=1).get("Messages"), 30, "the failure"
    )
    record = json.loads(message["Body"])
    assert record["requestContext"]["requestId"] == reply.json["requestId"]
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert base64.b64decode(record["requestPayload"]["body"]) == b"wrong"


def test_a_call_is_answered_before_the_gateway_gives_up_and_the_log_has_the_rest(stack: Stack) -> None:
    event = {
        "version": "2.0",
        "routeKey": "ANY /echo",
        "requestContext": {"http": {"method": "POST"}, "timeEpoch": (time.time() - 28.5) * 1000, "requestId": "G="},
        "queryStringParameters": {"seconds": "2", "name": "slowly"},
        "body": "slow",
    }
    answer = stack.client("lambda").invoke(FunctionName="http-echo", Payload=json.dumps(event))
    document = json.loads(answer["Payload"].read())
    assert document["statusCode"] == 504
    told = json.loads(document["body"])
    assert told["errorType"] == "StillRunning"
    # The next call does not wait for this one, and this one comes to its end: output, log and all.
    assert ask(stack.echo, "POST", b"next").body == b"next"
    stack.terminal.wait_for_keys(f"http-results/http-echo/{told['requestId']}", 1)
    logged = wait_for(lambda: log_of(stack, told["requestId"], "REPORT"), 30, "the log")
    assert logged.index("did slowly") < logged.index("REPORT RequestId")


def signed(url: str, body: bytes, key: str = "test") -> Reply:
    """Return a request signed as AWS's clients sign it."""
    request = AWSRequest("POST", url, data=body, headers={"Content-Type": "text/plain"})
    SigV4Auth(Credentials("test", key), "execute-api", "us-east-1").add_auth(request)
    return ask(url, "POST", body, **dict(request.headers.items()))


def test_only_signed_requests_reach_a_function_with_iam(stack: Stack) -> None:
    url = str(stack.functions["http-signed"]["url"])
    for path in ("", "/a%20b/c", "?x=1&a=%2F%20b&x=0"):
        assert signed(url + path, b"mine").body == b"mine", path
    for reply in (ask(url, "POST", b"x"), signed(url, b"x", "another's"), ask(f"{url}/async", "POST", b"x")):
        assert (reply.status, reply.json) == (403, {"message": "Forbidden"})


def test_of_many_calls_at_once_each_gets_its_own_answer(stack: Stack) -> None:
    bodies = [b"call %d" % number * (number % 50 + 1) for number in range(300)]
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(ask, itertools.repeat(stack.echo), itertools.repeat("POST"), bodies))
    assert [reply.body for reply in replies] == bodies
    assert {reply.status for reply in replies} == {200}
