"""Each local cluster has a MinIO of its own: buckets, keys, events; what one MinIO held before is shared out."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from scar_pulumi.cloud.oscar.address import MINIO_PATH, USER, minio_endpoint
from tests.cloud.oscar.conftest import Oscar
from tests.world.fake_cloud import FakeCloud, wait_for


def place(path: str, provider: str = "minio.default") -> dict[str, str]:
    return {"storage_provider": provider, "path": path}


def names(minio: Any) -> list[str]:
    return [bucket["Name"] for bucket in minio.list_buckets()["Buckets"]]


def keys(minio: Any, bucket: str, prefix: str = "") -> list[str]:
    return [entry["Key"] for entry in minio.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]


def former_client(endpoint: str) -> Any:
    """Return a client that finds the buckets of the one MinIO that all clusters once shared, where they were."""
    account = {"aws_access_key_id": "000000000900", "aws_secret_access_key": "test", "endpoint_url": endpoint}
    return boto3.client("s3", region_name="us-east-1", config=Config(s3={"addressing_style": "path"}), **account)


def test_buckets_of_one_name_are_others_on_another_cluster_and_start_their_own_services(oscar: Oscar) -> None:
    one, other = oscar.of("one"), oscar.of("other")
    for cluster in (one, other):
        cluster.create("copies", "echo seen", input=[place("same-bucket/in")])
        assert [entry["bucket_name"] for entry in cluster.read("/system/buckets")] == ["same-bucket"]
    one.minio().put_object(Bucket="same-bucket", Key="in/a", Body=b"x")
    assert len(one.finished("copies")) == 1
    assert other.jobs("copies") == {}
    assert keys(other.minio(), "same-bucket") == ["in/"]
    assert names(one.minio()) == ["same-bucket"]
    assert one.ask("DELETE", "/system/services/copies")[0] == 204
    assert (names(one.minio()), names(other.minio())) == ([], ["same-bucket"])


def test_the_keys_of_a_cluster_open_its_own_storage_alone(oscar: Oscar) -> None:
    one, other = oscar.of("key-one"), oscar.of("key-other")
    with pytest.raises(ClientError, match="AccessDenied"):
        one.minio(endpoint_url=minio_endpoint(oscar.endpoint, other.cluster)).list_buckets()
    assert one.minio(endpoint_url=oscar.endpoint).list_buckets()["Buckets"] == []
    former = {"aws_access_key_id": USER, "aws_secret_access_key": oscar.password}
    for endpoint in (oscar.endpoint, f"{oscar.endpoint}{MINIO_PATH}"):
        with pytest.raises(ClientError, match="scar-pulumi up gives its keys to the stack"):
            one.minio(endpoint_url=endpoint, **former).list_buckets()


def test_services_write_to_the_storage_of_another_cluster(oscar: Oscar) -> None:
    near, far = oscar.of("write-near"), oscar.of("write-far")
    far.create("reads", "echo got it", input=[place("inbox/in")])
    settings = far.read("/system/config")["minio_provider"]
    sent = {
        "input": [place("outbox/in")],
        "output": [place("inbox/in", "minio.far")],
        "storage_providers": {"minio": {"far": settings}},
    }
    script = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"'
    exists = near.definition("writes", script, **sent)
    status, said = near.ask("POST", "/system/services", exists)
    assert (status, b'the bucket "inbox" already exists' in said) == (500, True)
    near.minio().delete_object(Bucket="outbox", Key="in/")
    near.minio().delete_bucket(Bucket="outbox")
    near.create("writes", script, input=sent["input"])
    assert near.ask("PUT", "/system/services", {**exists, "owner": "cluster_admin"})[0] == 500  # and it is done
    near.minio().put_object(Bucket="outbox", Key="in/letter", Body=b"x")
    far.finished("reads")
    assert keys(far.minio(), "inbox", "in/l") == ["in/letter"]
    assert "inbox" not in names(near.minio())


def test_notifications_are_read_and_set_as_on_minio(oscar: Oscar) -> None:
    cluster = oscar.of("notified")
    cluster.create("first", "echo first", input=[place("watched/in")])
    cluster.create("second", "echo second")
    minio = cluster.minio()
    found = minio.get_bucket_notification_configuration(Bucket="watched")["QueueConfigurations"]
    assert [rule["QueueArn"] for rule in found] == ["arn:minio:sqs::first:webhook"]
    assert found[0]["Filter"]["Key"]["FilterRules"] == [{"Name": "prefix", "Value": "in/"}]
    rules = [{"QueueArn": f"arn:minio:sqs::{name}:webhook", "Events": ["s3:ObjectCreated:*"]} for name in ("second",)]
    configuration = {"QueueConfigurations": rules}
    minio.put_bucket_notification_configuration(Bucket="watched", NotificationConfiguration=configuration)
    minio.put_object(Bucket="watched", Key="in/a", Body=b"x")
    assert len(cluster.finished("second")) == 1
    assert cluster.jobs("first") == {}
    rules[0]["QueueArn"] = "arn:minio:sqs::nobody:webhook"
    with pytest.raises(ClientError, match="A specified destination ARN does not exist"):
        minio.put_bucket_notification_configuration(Bucket="watched", NotificationConfiguration=configuration)
    assert cluster.ask("DELETE", "/system/services/second")[0] == 204
    assert "QueueConfigurations" not in minio.get_bucket_notification_configuration(Bucket="watched")
    with pytest.raises(ClientError, match="NoSuchBucket"):
        minio.get_bucket_notification_configuration(Bucket="absent")


def test_buckets_have_the_names_that_minio_takes(oscar: Oscar) -> None:
    minio = oscar.of("names").minio()
    longest = "b" * 63
    minio.create_bucket(Bucket=longest)
    minio.create_bucket(Bucket="source")
    minio.put_object(Bucket="source", Key="ä +/b", Body=b"x")
    minio.copy_object(Bucket=longest, Key="copy", CopySource={"Bucket": "source", "Key": "ä +/b"})
    assert minio.get_object(Bucket=longest, Key="copy")["Body"].read() == b"x"
    with pytest.raises(ClientError, match="InvalidBucketName"):
        minio.create_bucket(Bucket="Capitals")
    assert sorted(names(minio)) == [longest, "source"]


@pytest.fixture
def own(tmp_path: Path, small_image: Path) -> Iterator[Oscar]:
    """Return a cluster whose state may be changed."""
    cloud = FakeCloud(tmp_path / "state")
    try:
        cloud.start()
        yield Oscar(cloud, small_image)
    finally:
        cloud.stop()


def test_the_buckets_of_the_one_former_storage_are_shared_out_and_no_file_is_lost(own: Oscar) -> None:
    """Make a state as it was: buckets with a prefix, definitions with secrets and settings in them."""
    one, other = own.of("one"), own.of("other")
    for cluster in (one, other):
        cluster.create("reads", 'echo "$KEY"', environment={"secrets": {"KEY": f"of {cluster.cluster}"}})
    former = former_client(own.endpoint)
    for bucket in ("made-for-other", "of-both", "by-hand"):
        former.create_bucket(Bucket=f"minio--{bucket}")
        former.put_object(Bucket=f"minio--{bucket}", Key="in/kept", Body=b"x")
    tags = [{"Key": "from_service", "Value": "reads"}, {"Key": "cluster", "Value": "other"}]
    former.put_bucket_tagging(Bucket="minio--made-for-other", Tagging={"TagSet": tags})
    own.cloud.stop()
    inputs = {"one": [place("of-both/in")], "other": [place("made-for-other/in"), place("of-both/in")]}
    for name, listed in inputs.items():
        (document,) = own.cloud.stored("SELECT definition FROM oscar_services WHERE cluster = ?", name)[0]
        secrets = {"secrets": {"KEY": f"former of {name}"}, "variables": {}}
        stored = {**json.loads(document), "environment": secrets, "input": listed}
        for key in ("federation", "volume_status", "annotations"):
            stored.pop(key, None)
        statement = "UPDATE oscar_services SET definition = ? WHERE cluster = ?"
        own.cloud.stored(statement, json.dumps(stored), name)
    own.cloud.stored("DELETE FROM oscar_secrets")
    own.cloud.stored("DROP TABLE oscar_buckets")
    own.cloud.start()

    assert sorted(names(other.minio())) == ["by-hand", "made-for-other", "of-both"]
    assert keys(other.minio(), "made-for-other") == ["in/kept"]
    assert keys(one.minio(), "of-both") == ["in/kept"]
    assert keys(other.minio(), "of-both") == []
    assert keys(one.minio(), "by-hand") == ["in/kept"]  # who asks first has it
    assert "by-hand" not in names(other.minio())
    other.minio().put_object(Bucket="of-both", Key="in/new", Body=b"x")
    other.minio().put_object(Bucket="made-for-other", Key="in/new", Body=b"x")
    for job in other.finished("reads", 2):
        assert "former of other" in other.log("reads", job)
    assert one.jobs("reads") == {}
    assert other.read("/system/services/reads")["environment"]["secrets"] == {"KEY": ""}
    own.cloud.stop()
    own.cloud.start()
    assert keys(one.minio(), "by-hand") == ["in/kept"]


def test_restarts_lose_what_waits_where_they_are_wanted(own: Oscar, monkeypatch: pytest.MonkeyPatch) -> None:
    own.cloud.stop()
    monkeypatch.setenv("SCAR_LOCAL_OSCAR_RESTARTS", "true")
    own.cloud.start()
    own.create("slow", "true", input=[place("many/in")])
    minio = own.minio()
    for number in range(30):
        minio.put_object(Bucket="many", Key=f"in/{number}", Body=b"x")
    own.create("another", "true")
    jobs = own.jobs("slow")
    assert 0 < len(jobs) < 30
    minio.put_object(Bucket="many", Key="in/after", Body=b"x")
    wait_for(lambda: len(own.jobs("slow")) == len(jobs) + 1, 30)
    assert len([key for key in keys(minio, "many", "in/") if key != "in/"]) == 31
