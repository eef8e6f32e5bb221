"""Which requests are journaled, and what the journal keeps of them."""

import json
from pathlib import Path

import pytest

from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.upstream import is_data_plane, is_journaled, json_request, query_request, rest_request


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("iam", query_request("iam", {"Action": "CreateRole", "RoleName": "r"})),
        ("logs", json_request("logs", "Logs_20140328.PutLogEvents", {})),
        ("ecr", json_request("ecr", "AmazonEC2ContainerRegistry_V20150921.BatchDeleteImage", {})),
        ("lambda", rest_request("lambda", "POST", "/2015-03-31/functions", body=b"{}")),
        ("lambda", rest_request("lambda", "DELETE", "/2015-03-31/functions/f")),
        ("s3", Request("PUT", "/bucket")),
        ("s3", Request("PUT", "/bucket/", "notification")),
        ("s3", Request("DELETE", "/bucket", "tagging")),
        ("dynamodb", json_request("dynamodb", "DynamoDB_20120810.TransactWriteItems", {})),
    ],
)
def test_configuration_is_journaled(service: str, request_: Request) -> None:
    assert is_journaled(service, request_)
    assert not is_data_plane(service, request_.method, request_.path, request_.headers)


@pytest.mark.parametrize(
    ("service", "request_"),
    [
        ("iam", query_request("iam", {"Action": "GetRole", "RoleName": "r"})),
        ("sqs", json_request("sqs", "AmazonSQS.SendMessage", {})),
        ("sqs", json_request("sqs", "AmazonSQS.DeleteMessageBatch", {})),
        ("sns", query_request("sns", {"Action": "Publish"})),
        ("events", json_request("events", "AWSEvents.PutEvents", {})),
        ("states", json_request("states", "AWSStepFunctions.StartExecution", {})),
        ("lambda", rest_request("lambda", "POST", "/2015-03-31/functions/f/invocations")),
        ("lambda", rest_request("lambda", "GET", "/2015-03-31/functions/f")),
        ("batch", rest_request("batch", "POST", "/v1/submitjob")),
        ("s3", Request("PUT", "/bucket/key")),
        ("s3", Request("PUT", "/bucket/key", "tagging")),
        ("s3", Request("POST", "/bucket", "delete")),
    ],
)
def test_data_and_actions_are_not_journaled(service: str, request_: Request) -> None:
    assert not is_journaled(service, request_)


def test_objects_are_passed_through_unread() -> None:
    assert is_data_plane("s3", "PUT", "/bucket/key", [])
    assert is_data_plane("s3", "POST", "/bucket/key", [])
    assert is_data_plane("", "PUT", "/bucket", [])
    assert not is_data_plane("s3", "PUT", "/bucket", [])


def test_the_journal_gives_back_what_it_was_given(database: Database) -> None:
    journal = Journal(database)
    first = Request("PUT", "/a%20b", "x=1", ((b"x-amz-acl", b"private"), (b"user-agent", b"me")), b"\xff\x00")
    revision = Request("PUT", "/2015-03-31/functions/f/code", "", (), b'{"RevisionId": "1", "ImageUri": "i"}')
    journal.append(first)
    journal.append(revision)
    again = Journal(database)
    again.append(Request("PUT", "/third"))
    requests = list(again.requests())
    assert [(request.method, request.path, request.query) for request in requests] == [
        ("PUT", "/a%20b", "x=1"),
        ("PUT", "/2015-03-31/functions/f/code", ""),
        ("PUT", "/third", ""),
    ]
    assert requests[0].body == b"\xff\x00"
    assert requests[0].header("x-amz-acl") == "private"
    assert requests[0].header("content-length") == "2"
    assert requests[0].header("user-agent") == ""
    assert json.loads(requests[1].body) == {"ImageUri": "i"}


def test_the_journal_keeps_no_signature(database: Database, tmp_path: Path) -> None:
    header = (
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=12ab34"
    )
    Journal(database).append(Request("POST", "/", "", ((b"authorization", header), (b"x-amz-security-token", b"t"))))
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"AKID" in content
    assert b"12ab34" not in content


def test_entries_below_a_snapshot_are_discarded(database: Database) -> None:
    journal = Journal(database)
    journal.append(Request("PUT", "/old"))
    number = journal.rotate()
    journal.append(Request("PUT", "/new"))
    assert [request.path for request in journal.requests()] == ["/old", "/new"]
    assert [request.path for request in journal.requests(number)] == ["/new"]
    journal.discard(number)
    assert [request.path for request in journal.requests()] == ["/new"]


def test_snapshots_without_anything_between_them_have_numbers_that_rise_for_ever(database: Database) -> None:
    first, second = Journal(database).rotate(), Journal(database).rotate()
    Journal(database).discard(second + 1)
    assert 0 < first < second < Journal(database).rotate()
    assert Journal(database).size == 0
