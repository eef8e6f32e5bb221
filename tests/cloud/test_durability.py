"""What a kill leaves."""

import contextlib
import json
import threading
import time
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from tests.world.fake_cloud import FakeCloud, wait_for

_LIFECYCLE = json.dumps(
    {
        "rules": [
            {
                "rulePriority": 1,
                "selection": {"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1},
                "action": {"type": "expire"},
            }
        ]
    }
)
_STATEMENT = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::*"}
_POLICY = json.dumps({"Version": "2012-10-17", "Statement": [_STATEMENT]})


def test_everything_is_there_again_after_a_kill(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    digest = _populate(own_cloud)
    before = _everything(own_cloud)
    # Nothing of this was saved by a snapshot: it happens at once.
    own_cloud.kill()
    own_cloud.start()
    assert _everything(own_cloud) == before
    assert own_cloud.client("lambda").get_function(FunctionName="kept")["Code"]["ResolvedImageUri"].endswith(digest)
    own_cloud.client("s3").put_object(Bucket="kept-in", Key="in/again", Body=b"x")
    wait_for(lambda: own_cloud.calls("kept"))


def test_generated_ids_and_dates_survive_a_kill_once_a_snapshot_was_made(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}")
    own_cloud.client("s3").create_bucket(Bucket="kept")
    wait_for(lambda: list((own_cloud.state / "snapshots").glob("[0-9]*")))
    role = own_cloud.client("iam").get_role(RoleName="kept")["Role"]
    bucket = own_cloud.client("s3").list_buckets()["Buckets"][0]
    own_cloud.kill()
    own_cloud.start()
    assert own_cloud.client("iam").get_role(RoleName="kept")["Role"] == role
    assert own_cloud.client("s3").list_buckets()["Buckets"][0]["CreationDate"] == bucket["CreationDate"]


def test_what_was_acknowledged_in_a_burst_survives_repeated_kills(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    acknowledged: set[str] = set()
    for rounds in range(4):
        _burst(own_cloud, acknowledged, f"round{rounds}")
        own_cloud.start()
        s3, sqs = own_cloud.client("s3"), own_cloud.client("sqs")
        found = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
        found |= {url.rpartition("/")[2] for url in sqs.list_queues(MaxResults=1000).get("QueueUrls", [])}
        assert acknowledged <= found
        for name in acknowledged & {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
            if name.endswith("-tagged"):
                assert s3.get_bucket_tagging(Bucket=name)["TagSet"] == [{"Key": "name", "Value": name}]
    assert len(acknowledged) > 20


def test_deletions_survive_a_kill_too(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    s3 = own_cloud.client("s3")
    for name in ("deleted", "kept"):
        s3.create_bucket(Bucket=name)
        s3.put_object(Bucket=name, Key="key", Body=b"x")
    own_cloud.function("gone")
    own_cloud.stop()
    own_cloud.start()
    s3 = own_cloud.client("s3")
    s3.delete_object(Bucket="deleted", Key="key")
    s3.delete_bucket(Bucket="deleted")
    own_cloud.client("lambda").delete_function(FunctionName="gone")
    own_cloud.client("ecr").delete_repository(repositoryName="gone", force=True)
    own_cloud.kill()
    own_cloud.start()
    assert [bucket["Name"] for bucket in own_cloud.client("s3").list_buckets()["Buckets"]] == ["kept"]
    assert own_cloud.client("lambda").list_functions()["Functions"] == []
    assert own_cloud.client("ecr").describe_repositories()["repositories"] == []


def test_log_events_survive_a_kill(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("talks")
    own_cloud.client("lambda").invoke(FunctionName="talks")
    messages = wait_for(lambda: _messages(own_cloud, "/aws/lambda/talks"))
    own_cloud.kill()
    own_cloud.start()
    assert _messages(own_cloud, "/aws/lambda/talks") == messages


def test_half_written_objects_and_images_are_swept(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    s3 = own_cloud.client("s3")
    s3.create_bucket(Bucket="some")
    s3.put_object(Bucket="some", Key="whole", Body=b"old", ContentType="text/plain")
    own_cloud.kill()
    data = next(path for path in (own_cloud.state / "objects").rglob("whole"))
    # As if it died between the bytes and their description, and within the bytes of another object.
    time.sleep(0.01)
    data.write_bytes(b"new and longer")
    data.with_name("part.tmp").write_bytes(b"half")
    (own_cloud.state / "images" / "uploads" / "half").write_bytes(b"half")
    blob = own_cloud.state / "images" / "blobs" / "sha256" / ("0" * 64)
    blob.write_bytes(b"of no image")
    own_cloud.start()
    answer = own_cloud.client("s3").get_object(Bucket="some", Key="whole")
    assert answer["ContentLength"] == len(answer["Body"].read()) == len(b"new and longer")
    assert not list((own_cloud.state / "objects").rglob("*.tmp"))
    assert not list((own_cloud.state / "images" / "uploads").iterdir())
    assert not blob.exists()


def test_a_clean_stop_leaves_no_journal(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.client("s3").create_bucket(Bucket="some")
    own_cloud.stop()
    assert own_cloud.stored("SELECT count(*) FROM journal WHERE method NOTNULL") == [(0,)]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_functions_of_any_region_get_their_events_after_a_kill(own_cloud: FakeCloud, region: str) -> None:
    own_cloud.start()
    own_cloud.function("there", region=region)
    own_cloud.kill()
    own_cloud.start()
    own_cloud.client("lambda", region).invoke(FunctionName="there", InvocationType="Event", Payload=b"1")
    call = wait_for(lambda: own_cloud.calls("there"))[0]
    assert call["payload"] == 1


def _populate(cloud: FakeCloud) -> str:
    cloud.client("iam").create_role(RoleName="kept", AssumeRolePolicyDocument="{}", Tags=[{"Key": "a", "Value": "b"}])
    cloud.client("iam").put_role_policy(RoleName="kept", PolicyName="inline", PolicyDocument=_POLICY)
    cloud.client("logs").create_log_group(logGroupName="/aws/lambda/kept")
    cloud.client("logs").put_retention_policy(logGroupName="/aws/lambda/kept", retentionInDays=7)
    digest = cloud.function("kept", {"A": "ü"}, MemorySize=256, Timeout=9, Tags={"x": "y"})
    cloud.client("lambda").put_function_event_invoke_config(FunctionName="kept", MaximumRetryAttempts=1)
    cloud.client("lambda").put_function_concurrency(FunctionName="kept", ReservedConcurrentExecutions=3)
    cloud.trigger("kept-in", "kept", "in/")
    s3 = cloud.client("s3")
    s3.put_bucket_tagging(Bucket="kept-in", Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    s3.create_bucket(Bucket="kept-empty")
    s3.put_bucket_versioning(Bucket="kept-empty", VersioningConfiguration={"Status": "Enabled"})
    s3.put_object(Bucket="kept-in", Key="out/object", Body=b"bytes", Metadata={"m": "n"})
    cloud.client("ecr").put_lifecycle_policy(repositoryName="kept", lifecyclePolicyText=_LIFECYCLE)
    return digest


def _everything(cloud: FakeCloud) -> dict[str, Any]:
    s3, functions, iam = cloud.client("s3"), cloud.client("lambda"), cloud.client("iam")
    configuration = functions.get_function(FunctionName="kept")["Configuration"]
    shown = ("Environment", "MemorySize", "Timeout", "Role", "PackageType", "CodeSha256", "LoggingConfig")
    event_config = functions.get_function_event_invoke_config(FunctionName="kept")
    return {
        "buckets": [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]],
        "tags": s3.get_bucket_tagging(Bucket="kept-in")["TagSet"],
        "versioning": s3.get_bucket_versioning(Bucket="kept-empty")["Status"],
        "notification": _without_id(s3.get_bucket_notification_configuration(Bucket="kept-in")),
        "object": s3.get_object(Bucket="kept-in", Key="out/object")["Body"].read(),
        "metadata": s3.head_object(Bucket="kept-in", Key="out/object")["Metadata"],
        "location": s3.get_bucket_location(Bucket="kept-in")["LocationConstraint"],
        "function": {key: configuration[key] for key in shown},
        "function tags": functions.list_tags(Resource=configuration["FunctionArn"])["Tags"],
        "policy": functions.get_policy(FunctionName="kept")["Policy"],
        "retries": event_config["MaximumRetryAttempts"],
        "concurrency": functions.get_function_concurrency(FunctionName="kept")["ReservedConcurrentExecutions"],
        "role": iam.get_role_policy(RoleName="kept", PolicyName="inline")["PolicyDocument"],
        "role tags": iam.list_role_tags(RoleName="kept")["Tags"],
        "retention": cloud.client("logs").describe_log_groups()["logGroups"][0]["retentionInDays"],
        "images": cloud.client("ecr").list_images(repositoryName="kept")["imageIds"],
        "lifecycle": cloud.client("ecr").get_lifecycle_policy(repositoryName="kept")["lifecyclePolicyText"],
    }


def _without_id(notification: dict[str, Any]) -> Any:
    return [{**entry, "Id": ""} for entry in notification["LambdaFunctionConfigurations"]]


def _burst(cloud: FakeCloud, acknowledged: set[str], prefix: str) -> None:
    s3, sqs = cloud.client("s3"), cloud.client("sqs")
    stop = threading.Event()

    def mutate(worker: int) -> None:
        with contextlib.suppress(ClientError, BotoCoreError):
            for number in range(1000):
                name = f"{prefix}-{worker}-{number}"
                s3.create_bucket(Bucket=name)
                acknowledged.add(name)
                sqs.create_queue(QueueName=f"{name}-queue")
                acknowledged.add(f"{name}-queue")
                s3.create_bucket(Bucket=f"{name}-tagged")
                s3.put_bucket_tagging(
                    Bucket=f"{name}-tagged", Tagging={"TagSet": [{"Key": "name", "Value": f"{name}-tagged"}]}
                )
                acknowledged.add(f"{name}-tagged")
                if stop.is_set():
                    return

    already = len(acknowledged)
    threads = [threading.Thread(target=mutate, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(acknowledged) > already + 10)
    cloud.kill()
    stop.set()
    for thread in threads:
        thread.join()


def _messages(cloud: FakeCloud, group: str) -> list[str]:
    try:
        events = cloud.client("logs").filter_log_events(logGroupName=group)["events"]
    except ClientError:
        return []
    return [event["message"] for event in events]
