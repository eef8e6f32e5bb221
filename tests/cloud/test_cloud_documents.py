"""What is decided from a request or a document alone."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cloud import is_local_stack
from scar_pulumi.cloud.asgi import Request
from scar_pulumi.cloud.credentials import Caller, authorization, caller_of
from scar_pulumi.cloud.ecr.registry import is_registry_path
from scar_pulumi.cloud.gateway import is_local_origin
from scar_pulumi.cloud.lambda_.documents import hide_concurrency, parse_image_uri, pin_image, restore, sink_log_group
from scar_pulumi.cloud.ministack.event_hook import is_asynchronous, is_http
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.mutations import is_data_plane, is_journaled
from scar_pulumi.cloud.ministack.upstream import json_request, query_request, rest_request

DIGEST = "sha256:" + "a" * 64
REPOSITORY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/tool"


@pytest.mark.parametrize("name", ["local", "local-2", "org/project/local", "org/project/local-x"])
def test_a_stack_named_local_is_local(name: str) -> None:
    assert is_local_stack(name)


@pytest.mark.parametrize("name", ["prod", "locality", "my-local", "local/project/prod", ""])
def test_any_other_stack_is_not(name: str) -> None:
    assert not is_local_stack(name)


def test_importing_the_package_brings_neither_boto3_nor_the_emulator() -> None:
    program = "import sys, scar_pulumi.cloud; print([m for m in ('boto3', 'ministack', 'asyncio') if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert result.stdout.strip() == "[]"


def test_the_caller_is_read_from_the_header_and_from_a_presigned_query() -> None:
    assert caller_of([authorization("123456789012", "eu-west-1", "ecr")]) == Caller("123456789012", "eu-west-1", "ecr")
    query = "X-Amz-Credential=test%2F20260101%2Fus-west-2%2Fs3%2Faws4_request&X-Amz-Expires=60"
    assert caller_of([], query) == Caller("000000000000", "us-west-2", "s3")
    assert caller_of([(b"authorization", b"Basic abc")]) is None


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


def test_the_journal_gives_back_what_it_was_given_and_drops_what_a_kill_cut_short(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first = Request("PUT", "/a%20b", "x=1", ((b"x-amz-acl", b"private"), (b"user-agent", b"me")), b"\xff\x00")
    revision = Request("PUT", "/2015-03-31/functions/f/code", "", (), b'{"RevisionId": "1", "ImageUri": "i"}')
    journal.append(first)
    journal.append(revision)
    journal.close()
    with (tmp_path / "0.log").open("ab") as file:
        file.write(b'{"method": "PUT", "pa')
    again = Journal(tmp_path)
    again.append(Request("PUT", "/third"))
    requests = list(again.requests())
    assert [(request.method, request.path) for request in requests] == [
        ("PUT", "/a%20b"),
        ("PUT", "/2015-03-31/functions/f/code"),
        ("PUT", "/third"),
    ]
    assert requests[0].body == b"\xff\x00"
    assert requests[0].header("x-amz-acl") == "private"
    assert requests[0].header("user-agent") == ""
    assert json.loads(requests[1].body) == {"ImageUri": "i"}
    assert (tmp_path / "0.log").stat().st_mode & 0o077 == 0
    again.close()


def test_the_journal_keeps_no_signature(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    header = (
        b"AWS4-HMAC-SHA256 Credential=AKID/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=12ab34"
    )
    journal.append(Request("POST", "/", "", ((b"authorization", header), (b"x-amz-security-token", b"t"))))
    journal.close()
    assert b"12ab34" not in (tmp_path / "0.log").read_bytes()


def test_segments_below_a_snapshot_are_discarded(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(Request("PUT", "/old"))
    number = journal.rotate()
    journal.append(Request("PUT", "/new"))
    assert [request.path for request in journal.requests()] == ["/old", "/new"]
    journal.discard(number)
    assert [request.path for request in journal.requests()] == ["/new"]
    journal.close()


@pytest.mark.parametrize(
    ("uri", "shown", "resolved"),
    [
        (f"{REPOSITORY}:v1", f"{REPOSITORY}:v1", f"{REPOSITORY}@{DIGEST}"),
        (f"{REPOSITORY}@{DIGEST}", f"{REPOSITORY}@{DIGEST}", f"{REPOSITORY}@{DIGEST}"),
    ],
)
def test_a_pinned_image_is_shown_as_it_was_given(uri: str, shown: str, resolved: str) -> None:
    pinned = pin_image(uri, DIGEST)
    document = {
        "Configuration": {"ImageUri": pinned, "CodeSha256": ""},
        "Code": {"ImageUri": pinned, "ResolvedImageUri": pinned},
    }
    restored = restore(document)
    assert restored["Code"] == {"ImageUri": shown, "ResolvedImageUri": resolved}
    assert restored["Configuration"]["CodeSha256"] == "a" * 64


@pytest.mark.parametrize("uri", ["docker.io/library/debian:12", "debian", "127.0.0.1:5000/x:1", ""])
def test_only_images_of_ecr_are_taken(uri: str) -> None:
    assert parse_image_uri(uri) is None


@pytest.mark.parametrize("given", [{}, {"LoggingConfig": {"LogGroup": "/mine", "LogFormat": "JSON"}}])
def test_the_log_group_is_hidden_from_the_emulator_and_shown_to_clients(given: dict[str, Any]) -> None:
    sent = sink_log_group(given, "f")
    wanted = given.get("LoggingConfig", {"LogGroup": "/aws/lambda/f", "LogFormat": "Text"})
    assert sent["LoggingConfig"]["LogGroup"] != wanted["LogGroup"]
    assert restore(sent)["LoggingConfig"] == wanted


@pytest.mark.parametrize("reserved", [0, 1, 900])
def test_reserved_concurrency_is_hidden_and_shown(reserved: int) -> None:
    sent = hide_concurrency({"ReservedConcurrentExecutions": reserved})
    assert sent["ReservedConcurrentExecutions"] > 100_000
    assert restore({"Concurrency": sent}) == {"Concurrency": {"ReservedConcurrentExecutions": reserved}}


def test_a_users_variables_are_never_rewritten() -> None:
    variables = {"ImageUri": f"{REPOSITORY}:v1@{DIGEST}", "LogGroup": "/_scar/x"}
    assert restore({"Environment": {"Variables": variables}})["Environment"]["Variables"] == variables


@pytest.mark.parametrize(
    ("event", "asynchronous", "http"),
    [
        ({"Records": [{"eventSource": "aws:s3"}]}, True, False),
        ({"Records": [{"EventSource": "aws:sns"}]}, True, False),
        ({"Records": [{"eventSource": "aws:sqs"}]}, False, False),
        ({"detail-type": "Scheduled Event", "source": "aws.events"}, True, False),
        ({"awslogs": {"data": ""}}, True, False),
        ({"version": "2.0", "requestContext": {"http": {"method": "GET"}}}, False, True),
        ({"httpMethod": "GET", "requestContext": {}}, False, True),
        ({"Records": []}, False, False),
        ([1], False, False),
        (None, False, False),
    ],
)
def test_events_are_told_apart_by_their_shape(event: Any, asynchronous: bool, http: bool) -> None:
    assert (is_asynchronous(event), is_http(event)) == (asynchronous, http)


@pytest.mark.parametrize(
    "path", ["/v2/", "/v2", "/v2/a/b/manifests/v1", f"/v2/a/blobs/{DIGEST}", "/v2/a/blobs/uploads/", "/v2/a/tags/list"]
)
def test_registry_paths_are_known(path: str) -> None:
    assert is_registry_path(path)


@pytest.mark.parametrize("path", ["/v2/apis", "/v2/apis/x/routes", "/v2/email/identities", "/v2/tags/arn", "/v20/x"])
def test_paths_of_other_services_are_not_the_registrys(path: str) -> None:
    assert not is_registry_path(path)


@pytest.mark.parametrize(
    ("origin", "local"),
    [
        ("", True),
        ("http://localhost:3000", True),
        ("http://x.localhost", True),
        ("https://example.org", False),
        ("null", False),
    ],
)
def test_pages_from_elsewhere_are_not_served(origin: str, local: bool) -> None:
    assert is_local_origin(origin) is local
