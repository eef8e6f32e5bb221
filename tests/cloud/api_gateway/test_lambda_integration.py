"""Functions behind HTTP APIs: their answers, failures and limits."""

import io
import zipfile

from tests.world.fake_cloud import ROLE, FakeCloud
from tests.world.http_endpoints import ANSWER, make_endpoint, put_in_front

JSON, ERROR = {"content-type": "application/json"}, b'{"message": "Internal Server Error"}'
ANSWERS: tuple[tuple[str, tuple[int, dict[str, str], bytes]], ...] = (
    ('{"statusCode": 201, "headers": {"X-A": 1}, "body": "made"}', (201, {"x-a": "1"}, b"made")),
    ('{"statusCode": 200, "body": "AAH/", "isBase64Encoded": true}', (200, {}, b"\0\1\xff")),
    ('{"statusCode": "204"}', (204, {}, b"")),
    ('{"statusCode": 200, "cookies": ["a=1"]}', (200, {"set-cookie": "a=1"}, b"")),
    ('{"statusCode": 200, "body": {"a": 1}}', (200, {}, b'{"a": 1}')),
    ('{"fine": true}', (200, JSON, b'{"fine": true}')),
    ('"text"', (200, JSON, b'"text"')),
    ('{"statusCode": "many"}', (500, JSON, ERROR)),
    ('{"statusCode": 200, "body": "%%", "isBase64Encoded": true}', (500, JSON, ERROR)),
)


def test_answers_are_what_functions_say(cloud: FakeCloud) -> None:
    for number, (answer, (status, headers, body)) in enumerate(ANSWERS):
        reply = make_endpoint(cloud, f"answers-{number}", variables={"ANSWER": answer}).call()
        assert (reply.status, reply.body) == (status, body), answer
        assert headers.items() <= reply.headers.items(), answer


def test_a_function_that_fails_or_may_not_be_called_is_an_error_of_the_server(cloud: FakeCloud) -> None:
    failing = make_endpoint(cloud, "failing", variables={"FAILURES": "9"})
    assert (failing.call().status, failing.call().json) == (500, {"message": "Internal Server Error"})
    refused = make_endpoint(cloud, "refused", variables=ANSWER)
    assert refused.call().status == 200
    cloud.client("lambda").remove_permission(FunctionName="refused", StatementId="endpoint")
    assert refused.call().status == 500
    assert len(refused.events()) == 1


def test_a_function_from_a_zip_archive_is_called_as_well(cloud: FakeCloud) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("index.py", "def handler(event, context):\n    return {'path': event['rawPath']}\n")
    cloud.client("lambda").create_function(
        FunctionName="archive",
        Role=ROLE,
        Runtime="python3.12",
        Handler="index.handler",
        Code={"ZipFile": archive.getvalue()},
    )
    reply = put_in_front(cloud, "archive").call()
    assert (reply.status, reply.json) == (200, {"path": "/scar/launch"})


def test_a_function_that_takes_too_long_is_a_504_with_its_request_id(cloud: FakeCloud) -> None:
    variables = {**ANSWER, "SECONDS": "1"}
    endpoint = make_endpoint(cloud, "slow", variables=variables, integration={"TimeoutInMillis": 200})
    reply = endpoint.call()
    assert reply.status == 504
    (call,) = cloud.calls("slow")
    assert reply.json["requestId"] == call["request"]
