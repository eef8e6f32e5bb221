"""Lambda's API for functions made from images."""

import base64
import io
import json
import threading
import zipfile
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.world.fake_cloud import ROLE, FakeCloud, wait_for


def test_an_invocation_answers_with_the_functions_result(cloud: FakeCloud) -> None:
    digest = cloud.function("answers", {"ANSWER": '["ü"]'})
    answer = _invoke(cloud, "answers", b'{"a": 1}')
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "$LATEST")
    assert json.loads(answer["Payload"].read()) == ["ü"]
    assert "FunctionError" not in answer
    call = cloud.calls("answers")[0]
    assert (call["payload"], call["image"], call["background"]) == ({"a": 1}, digest, False)
    assert call["request"] == answer["ResponseMetadata"]["RequestId"]


def test_no_payload_is_an_empty_object(cloud: FakeCloud) -> None:
    cloud.function("empty")
    cloud.client("lambda").invoke(FunctionName="empty")
    assert cloud.calls("empty")[0]["payload"] == {}


def test_a_failed_invocation_is_told_by_its_header(cloud: FakeCloud) -> None:
    cloud.function("fails", {"FAILURES": "1"})
    answer = _invoke(cloud, "fails", b"{}", LogType="Tail")
    assert (answer["StatusCode"], answer["FunctionError"]) == (200, "Unhandled")
    assert json.loads(answer["Payload"].read())["errorMessage"] == "told to fail"
    assert base64.b64decode(answer["LogResult"]) == b"the tail of the log"


def test_a_dry_run_runs_nothing(cloud: FakeCloud) -> None:
    cloud.function("dry")
    assert _invoke(cloud, "dry", b"{}", InvocationType="DryRun")["StatusCode"] == 204
    assert cloud.calls("dry") == []


def test_an_event_is_accepted_and_run_later(cloud: FakeCloud) -> None:
    cloud.function("later")
    answer = _invoke(cloud, "later", b"[1]", InvocationType="Event")
    assert answer["StatusCode"] == 202
    call = wait_for(lambda: cloud.calls("later"))[0]
    assert (call["payload"], call["background"]) == ([1], True)
    assert call["request"] == answer["ResponseMetadata"]["RequestId"]


def test_the_client_context_reaches_the_function(cloud: FakeCloud) -> None:
    cloud.function("context")
    context = base64.b64encode(b'{"custom": {"a": "b"}}').decode()
    cloud.client("lambda").invoke(FunctionName="context", ClientContext=context)
    assert cloud.calls("context")[0]["context"] == context


@pytest.mark.parametrize(
    ("kind", "size", "code"),
    [
        ("RequestResponse", 6 * 1024 * 1024 + 1, "RequestTooLargeException"),
        ("Event", 1024 * 1024 + 1, "RequestTooLargeException"),
    ],
)
def test_payloads_beyond_the_quotas_are_refused(cloud: FakeCloud, kind: str, size: int, code: str) -> None:
    name = f"large{kind}"
    cloud.function(name.lower())
    with pytest.raises(ClientError) as caught:
        _invoke(cloud, name.lower(), b'"' + b"x" * (size - 2) + b'"', InvocationType=kind)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 413
    assert _invoke(cloud, name.lower(), b'"' + b"x" * (size - 3) + b'"', InvocationType=kind)["StatusCode"] < 300


def test_an_answer_beyond_the_quota_is_the_functions_failure(cloud: FakeCloud) -> None:
    cloud.function("verbose", {"ANSWER_BYTES": str(6 * 1024 * 1024 + 1)})
    answer = _invoke(cloud, "verbose", b"{}")
    assert json.loads(answer["Payload"].read())["errorType"] == "Function.ResponseSizeTooLarge"


def test_a_payload_that_is_not_json_is_refused(cloud: FakeCloud) -> None:
    cloud.function("strict")
    with pytest.raises(ClientError) as caught:
        _invoke(cloud, "strict", b"not json")
    assert caught.value.response["Error"]["Code"] == "InvalidRequestContentException"


def test_an_unknown_function_is_not_found(cloud: FakeCloud) -> None:
    with pytest.raises(ClientError) as caught:
        _invoke(cloud, "unknown", b"{}")
    assert caught.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_versions_and_aliases_run_what_they_name(cloud: FakeCloud) -> None:
    functions = cloud.client("lambda")
    cloud.function("versioned", {"ANSWER": '"one"'})
    version = functions.publish_version(FunctionName="versioned")["Version"]
    functions.create_alias(FunctionName="versioned", Name="live", FunctionVersion=version)
    functions.update_function_configuration(FunctionName="versioned", Environment={"Variables": {"ANSWER": '"two"'}})
    arn = functions.get_function(FunctionName="versioned")["Configuration"]["FunctionArn"]
    wanted = {
        ("versioned", None): ("$LATEST", "two"),
        (arn, None): ("$LATEST", "two"),
        ("versioned", version): (version, "one"),
        ("versioned:live", None): (version, "one"),
        (f"{arn}:live", None): (version, "one"),
        ("000000000000:function:versioned", None): ("$LATEST", "two"),
    }
    for (name, qualifier), answer in wanted.items():
        more = {"Qualifier": qualifier} if qualifier else {}
        got = _invoke(cloud, name, b"{}", **more)
        assert (got["ExecutedVersion"], json.loads(got["Payload"].read())) == answer
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        _invoke(cloud, "versioned", b"{}", Qualifier="none")


def test_image_overrides_and_sizes_are_kept(cloud: FakeCloud) -> None:
    overrides = {"EntryPoint": ["/bin/a"], "Command": ["b"], "WorkingDirectory": "/w"}
    cloud.function("overrides", ImageConfig=overrides, EphemeralStorage={"Size": 1024}, Architectures=["x86_64"])
    configuration = cloud.client("lambda").get_function_configuration(FunctionName="overrides")
    assert configuration["ImageConfigResponse"]["ImageConfig"] == overrides
    assert configuration["EphemeralStorage"] == {"Size": 1024}


def test_reserved_concurrency_throttles(cloud: FakeCloud) -> None:
    cloud.function("narrow", {"SECONDS": "1"})
    functions = cloud.client("lambda")
    functions.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=1)
    assert functions.get_function_concurrency(FunctionName="narrow")["ReservedConcurrentExecutions"] == 1
    assert functions.get_function(FunctionName="narrow")["Concurrency"] == {"ReservedConcurrentExecutions": 1}
    thread = threading.Thread(target=_invoke, args=(cloud, "narrow", b"{}"))
    thread.start()
    wait_for(lambda: cloud.calls("narrow"))
    with pytest.raises(ClientError) as caught:
        _invoke(cloud, "narrow", b"{}")
    thread.join()
    assert caught.value.response["Error"]["Code"] == "TooManyRequestsException"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    functions.put_function_concurrency(FunctionName="narrow", ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        _invoke(cloud, "narrow", b"{}")
    functions.delete_function_concurrency(FunctionName="narrow")
    assert _invoke(cloud, "narrow", b"{}")["StatusCode"] == 200


def test_an_invocation_goes_on_when_its_client_goes_away(cloud: FakeCloud) -> None:
    cloud.function("patient", {"SECONDS": "0.5"})
    with pytest.raises(TimeoutError):
        _impatient(cloud, "/2015-03-31/functions/patient/invocations")
    request = wait_for(lambda: cloud.calls("patient"))[0]["request"]
    wait_for(lambda: {"done": request} in cloud.notes())


def test_a_zip_function_is_run_by_the_emulator(cloud: FakeCloud) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context):\n    return {'zip': event}\n")
    cloud.client("lambda").create_function(
        FunctionName="zipped",
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Timeout=30,
        Code={"ZipFile": archive.getvalue()},
    )
    assert json.loads(_invoke(cloud, "zipped", b"[7]")["Payload"].read()) == {"zip": [7]}


def _invoke(cloud: FakeCloud, name: str, payload: bytes, **more: Any) -> Any:
    return cloud.client("lambda").invoke(FunctionName=name, Payload=payload, **more)


def _impatient(cloud: FakeCloud, path: str) -> None:
    import http.client

    status = cloud.status()
    assert status
    connection = http.client.HTTPConnection("127.0.0.1", status.port, timeout=0.2)
    try:
        connection.request("POST", path, b"{}")
        connection.getresponse()
    finally:
        connection.close()
