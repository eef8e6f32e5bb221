"""Answers as Lambda gives them: recorded from the local cloud and from AWS's documentation."""

import base64
import json
from typing import Any

import pytest

from scar_pulumi.client.invocation import failure_of, read_lambda_response
from scar_pulumi.client.outputs import DeployedFunction

REQUEST = "6f1b7a3e-2f0a-4c5e-9b0a-3d1f0c9d2a11"
FUNCTION = DeployedFunction(
    "f", "arn:aws:lambda:us-east-1:000000000000:function:f", "us-east-1", "/aws/lambda/f", "i", "lambda", (), ()
)


def answer(**keys: Any) -> dict[str, Any]:
    return {"StatusCode": 200, "ResponseMetadata": {"RequestId": REQUEST}, **keys}


def envelope(body: str, status: int = 200, encoded: bool = True) -> bytes:
    headers = {
        "amz-lambda-request-id": REQUEST,
        "amz-log-group-name": "/aws/lambda/f",
        "amz-log-stream-name": "2026/05/01/[$LATEST]abc",
    }
    return json.dumps({"statusCode": status, "headers": headers, "body": body, "isBase64Encoded": encoded}).encode()


def test_the_supervisors_envelope_is_opened() -> None:
    body = base64.b64encode("did it, naïve\n".encode()).decode()
    invocation = read_lambda_response(FUNCTION, answer(), envelope(body))
    assert not invocation.failed
    assert invocation.document() == {
        "statusCode": 200,
        "requestId": REQUEST,
        "logGroup": "/aws/lambda/f",
        "logStream": "2026/05/01/[$LATEST]abc",
        "functionError": None,
        "log": "",
        "body": "did it, naïve\n",
    }


def test_a_body_that_is_not_text_stays_base64_in_the_document() -> None:
    content = b"\x89PNG\x00\xff"
    invocation = read_lambda_response(FUNCTION, answer(), envelope(base64.b64encode(content).decode()))
    assert invocation.body == content
    document = invocation.document()
    assert base64.b64decode(document["bodyBase64"]) == content
    assert "body" not in document


@pytest.mark.parametrize(
    ("body", "encoded", "expected"),
    [("", True, b""), ("plain", False, b"plain"), ("not base64!", True, b"not base64!"), ("aGk=", False, b"aGk=")],
)
def test_bodies_are_taken_as_they_are_meant(body: str, encoded: bool, expected: bytes) -> None:
    assert read_lambda_response(FUNCTION, answer(), envelope(body, encoded=encoded)).body == expected


def test_an_error_status_in_the_envelope_is_a_failure() -> None:
    body = base64.b64encode(b'{"exception": "x"}').decode()
    invocation = read_lambda_response(FUNCTION, answer(), envelope(body, status=500))
    assert invocation.failed
    assert str(failure_of(FUNCTION, invocation)) == "f: answered with status 500"


@pytest.mark.parametrize("payload", [b'{"a": 1}', b"[1, 2]", b'"text"', b"null", b"", b'{"statusCode": "x"}'])
def test_other_answers_are_left_as_they_are(payload: bytes) -> None:
    invocation = read_lambda_response(FUNCTION, answer(), payload)
    assert (invocation.body, invocation.status_code, invocation.failed) == (payload, 200, False)


def test_a_function_error_shows_what_it_says_and_what_was_printed() -> None:
    log = base64.b64encode(b"START RequestId: x\nthis is why\n").decode()
    payload = json.dumps({"errorType": "Script.Failed", "errorMessage": "the script ended with status 7"}).encode()
    invocation = read_lambda_response(FUNCTION, answer(FunctionError="Unhandled", LogResult=log), payload)
    failure = failure_of(FUNCTION, invocation)
    assert str(failure) == "f: Script.Failed: the script ended with status 7"
    assert failure.document()["functionError"] == "Unhandled"
    assert "this is why" in failure.document()["log"]


def test_a_timeout_without_a_type_is_told_too() -> None:
    payload = b'{"errorMessage": "2026-05-01T00:00:00Z 6f1b Task timed out after 3.00 seconds"}'
    invocation = read_lambda_response(FUNCTION, answer(FunctionError="Unhandled"), payload)
    assert "Task timed out after 3.00 seconds" in str(failure_of(FUNCTION, invocation))


def test_a_function_error_that_explains_nothing_has_a_name_at_least() -> None:
    invocation = read_lambda_response(FUNCTION, answer(FunctionError="Unhandled"), b"")
    assert str(failure_of(FUNCTION, invocation)) == "f: Unhandled"


def test_an_accepted_event_has_a_request_id() -> None:
    invocation = read_lambda_response(FUNCTION, answer(StatusCode=202), b"")
    assert (invocation.status_code, invocation.request_id, invocation.failed) == (202, REQUEST, False)


def test_a_failed_call_names_its_log_as_the_supervisor_tells_it() -> None:
    error = {
        "errorMessage": "no",
        "errorType": "ScriptFailed",
        "stackTrace": [],
        "logStream": "2026/05/01/[$LATEST]abc",
    }
    invocation = read_lambda_response(FUNCTION, answer(FunctionError="Unhandled"), json.dumps(error).encode())
    assert invocation.document()["logStream"] == "2026/05/01/[$LATEST]abc"
