"""The verbs on files and logs as a user types them; only which cloud they talk to is given."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cli.main import main
from scar_pulumi.client.clients import Clients
from scar_pulumi.deployments import Deployments

from .conftest import Ended, Scar, write_state


@pytest.fixture
def scar(clients: Clients, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Scar:
    monkeypatch.setattr(Deployments, "clients", clients)

    def run(*arguments: object) -> Ended:
        status = main([str(argument) for argument in arguments])
        stdout, stderr = capsysbinary.readouterr()
        return Ended(status, stdout.decode(), stderr.decode())

    return run


def test_files_go_up_are_listed_come_back_and_are_removed(scar: Scar, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "deep" / "a +%.txt").write_text("odd")
    (source / "b.txt").write_text("")
    put = scar("put", f"{bucket}/in", source, "--json")
    assert [(entry["key"], entry["size"]) for entry in put.json["objects"]] == [
        ("in/b.txt", 0),
        ("in/deep/a +%.txt", 3),
    ]
    listed = scar("ls", f"{bucket}/in", "--json").json
    assert [entry["key"] for entry in listed["objects"]] == ["in/b.txt", "in/deep/a +%.txt"]
    assert scar("ls", bucket).stderr == "2 objects, 3 B\n"
    got = scar("get", f"{bucket}/in", tmp_path / "back", "--json").json
    assert [entry["outcome"] for entry in got["files"]] == ["downloaded", "downloaded"]
    assert (tmp_path / "back" / "deep" / "a +%.txt").read_text() == "odd"
    assert scar("rm", f"{bucket}/in/b.txt", "--yes", "--json").json["objects"] == 1
    assert scar("rm", bucket, "--recursive", "--yes").stdout == f"removed bucket {bucket} with 1 object\n"
    assert scar("ls", bucket).status == 1


def test_a_differing_file_is_an_error_that_says_how_to_replace_it(
    scar: Scar, bucket: str, s3: Any, tmp_path: Path
) -> None:
    s3.put_object(Bucket=bucket, Key="a.txt", Body=b"theirs")
    s3.put_object(Bucket=bucket, Key="../b.txt", Body=b"bad")
    (tmp_path / "a.txt").write_text("mine")
    answer = scar("get", bucket, tmp_path)
    assert answer.status == 1
    assert "a.txt: differs from the object" in answer.stderr
    assert "--overwrite" in answer.stderr
    assert "../b.txt: not downloaded; its key leads out of the folder" in answer.stderr
    s3.delete_object(Bucket=bucket, Key="../b.txt")
    assert scar("get", bucket, tmp_path, "--overwrite").status == 0
    assert (tmp_path / "a.txt").read_text() == "theirs"


@pytest.mark.parametrize(
    "arguments",
    [
        ("ls", "{0}"),
        ("ls", "{0}/in"),
        ("get", "{0}/in", "there"),
        ("put", "{0}/in", __file__),
        ("rm", "{0}", "-r", "-y"),
        ("rm", "{0}/x", "-y"),
    ],
)
def test_a_missing_bucket_is_told_in_a_sentence(scar: Scar, arguments: tuple[str, ...]) -> None:
    bucket = f"no-such-{uuid.uuid4()}"
    answer = scar(*(argument.format(bucket) for argument in arguments))
    assert answer.status == 1
    assert bucket in answer.stderr
    assert "does not exist" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "ClientError" not in answer.stderr


def test_a_bucket_with_objects_is_not_removed_without_recursive(scar: Scar, bucket: str, s3: Any) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    answer = scar("rm", bucket, "--yes")
    assert answer.status == 1
    assert "--recursive also removes what is in it" in answer.stderr
    assert scar("ls", bucket, "--json").json["objects"][0]["key"] == "a"


def test_a_folder_is_not_removed_without_recursive(scar: Scar, bucket: str, s3: Any) -> None:
    s3.put_object(Bucket=bucket, Key="in/a", Body=b"")
    assert "bucket" in scar("rm", f"{bucket}/i", "--yes").stderr
    refused = scar("rm", f"{bucket}/in")
    assert (refused.status, "is a folder; --recursive" in refused.stderr) == (2, True)
    assert scar("rm", f"{bucket}/in", "-r", "-y").status == 0
    assert scar("rm", f"{bucket}/in", "-r", "-y").status == 1


def test_a_bucket_of_a_deployed_stack_is_emptied_and_stays(scar: Scar, bucket: str, s3: Any, tmp_path: Path) -> None:
    s3.put_object(Bucket=bucket, Key="a", Body=b"")
    deploy(tmp_path, "video", "upper", bucket)
    refused = scar("rm", bucket)
    assert (refused.status, "project video uses it" in refused.stderr) == (2, True)
    assert scar("rm", bucket, "--recursive", "--yes", "--json").json == {
        "bucket": bucket,
        "prefix": "",
        "objects": 1,
        "bucketRemoved": False,
    }
    assert scar("ls", bucket, "--json").json["objects"] == []


@pytest.mark.parametrize("stack", ["local", "local-2", "prod"])
@pytest.mark.parametrize("arguments", [("{0}", "--recursive"), ("{0}/in", "-r"), ("{0}/in/a",)])
def test_without_a_terminal_nothing_is_removed_unasked(
    arguments: tuple[str, ...], stack: str, scar: Scar, bucket: str, s3: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="in/a", Body=b"")
    given = ["rm", *(argument.format(bucket) for argument in arguments), "--stack", stack]
    answer = scar(*given)
    assert (answer.status, "confirm with --yes" in answer.stderr) == (2, True)
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 1
    assert scar(*given, "--yes").status == 0


def test_the_overview_shows_what_is_deployed_and_what_destroyed_stacks_have_left(
    scar: Scar, bucket: str, s3: Any, tmp_path: Path
) -> None:
    kept = f"kept-{uuid.uuid4()}"
    s3.create_bucket(Bucket=kept)
    deploy(tmp_path, "video", "upper", bucket)
    overview = scar("ls", "--json").json
    assert [(entry["name"], entry["project"]) for entry in overview["functions"]] == [("upper", "video")]
    buckets = {entry["name"]: entry["project"] for entry in overview["buckets"]}
    assert (buckets[bucket], buckets[kept]) == ("video", None)
    text = scar("ls").stdout
    assert "FUNCTION" in text
    assert kept in text


def test_names_in_the_overview_are_text(scar: Scar, bucket: str, tmp_path: Path) -> None:
    deploy(tmp_path, "video", "[red]x\x1b[2J", bucket)
    text = scar("ls").stdout
    assert r"[red]x\x1b[2J" in text
    assert "\x1b" not in text


def test_logs_show_the_lines_of_a_function(scar: Scar, bucket: str, logs: Any, tmp_path: Path) -> None:
    name = f"f-{uuid.uuid4()}"
    deploy(tmp_path, "video", name, bucket)
    group, request = f"/aws/lambda/{name}", str(uuid.uuid4())
    assert "no lines since 1d" in scar("logs", name).stderr
    logs.create_log_group(logGroupName=group)
    logs.create_log_stream(logGroupName=group, logStreamName="s")
    now = int(time.time() * 1000)
    lines = [
        (now - 3_600_000, "older"),
        (now - 3, f"START RequestId: {request}"),
        (now - 2, "two\nlines\n"),
        (now - 1, f"REPORT RequestId: {request}"),
    ]
    events = [{"timestamp": moment, "message": message} for moment, message in lines]
    logs.put_log_events(logGroupName=group, logStreamName="s", logEvents=events)
    assert scar("logs", name).stdout.splitlines()[0] == "older"
    assert scar("logs", name, "--since", "10m").stdout.splitlines()[1:3] == ["two", "lines"]
    document = scar("logs", name, "--request-id", request, "--json").json
    assert [event["message"] for event in document["events"]] == [message.rstrip("\n") for _, message in lines[1:]]
    assert {event["requestId"] for event in document["events"]} == {request}


def deploy(directory: Path, project: str, function: str, bucket: str) -> None:
    """Write the state of a local stack with a function and a bucket."""
    entry = {"arn": f"arn:aws:lambda:us-east-1:000000000000:function:{function}", "logGroup": f"/aws/lambda/{function}"}
    outputs = {"functions": {function: entry}, "buckets": [{"name": bucket, "managed": True}]}
    write_state(directory / "state", project, outputs)


def test_an_upload_that_starts_nothing_is_told_and_sent(scar: Scar, bucket: str, s3: Any, tmp_path: Path) -> None:
    rules = [{"Name": "prefix", "Value": "in/"}]
    entry = {
        "LambdaFunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:grey",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": rules}},
    }
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"LambdaFunctionConfigurations": [entry]}
    )
    (tmp_path / "a.png").write_text("a")
    put = scar("put", f"{bucket}/inn", tmp_path / "a.png", "--json")
    assert put.status == 0
    assert f"warning: {bucket}/inn/a.png starts nothing: in {bucket}, 'grey' watches in/" in put.stderr
    assert [entry["key"] for entry in put.json["objects"]] == ["inn/a.png"]
    assert "warning" not in scar("put", f"{bucket}/in", tmp_path / "a.png").stderr
