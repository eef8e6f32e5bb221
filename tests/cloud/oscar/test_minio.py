"""The storage of local clusters: S3's interface, buckets and credentials of its own, and events that start services."""

import io
from typing import Any

import pytest
from botocore.exceptions import ClientError
from obstore.store import S3Store

from scar_pulumi.cloud.oscar.address import MINIO_PATH, access_key, minio_endpoint, secret_key
from tests.cloud.oscar.conftest import Oscar
from tests.world.fake_cloud import wait_for

UPPER = (
    'tr a-z A-Z <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"; echo "did $STORAGE_OBJECT_KEY"'
)


def place(path: str, provider: str = "minio.default", **filters: list[str]) -> list[dict[str, Any]]:
    return [{"storage_provider": provider, "path": path, **filters}]


def keys(client: Any, bucket: str) -> list[str]:
    return [entry["Key"] for entry in client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_buckets_are_not_those_of_s3(oscar: Oscar) -> None:
    minio, s3 = oscar.minio(), oscar.cloud.client("s3")
    minio.create_bucket(Bucket="same-name")
    s3.create_bucket(Bucket="same-name")
    minio.put_object(Bucket="same-name", Key="a", Body=b"minio")
    s3.put_object(Bucket="same-name", Key="a", Body=b"aws")
    assert minio.get_object(Bucket="same-name", Key="a")["Body"].read() == b"minio"
    assert s3.get_object(Bucket="same-name", Key="a")["Body"].read() == b"aws"
    assert "same-name" in [bucket["Name"] for bucket in minio.list_buckets()["Buckets"]]
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"] if bucket["Name"].startswith("oscar")] == []
    minio.delete_object(Bucket="same-name", Key="a")
    minio.delete_bucket(Bucket="same-name")
    assert s3.get_object(Bucket="same-name", Key="a")["Body"].read() == b"aws"


def test_clients_find_all_they_use(oscar: Oscar) -> None:
    minio = oscar.minio()
    minio.create_bucket(Bucket="everything")
    content = bytes(range(256)) * 40_000
    minio.upload_fileobj(io.BytesIO(content), "everything", "folder/large ä+&.bin")
    key = "folder/large ä+&.bin"
    assert minio.head_object(Bucket="everything", Key=key)["ContentLength"] == len(content)
    part = minio.get_object(Bucket="everything", Key=key, Range="bytes=100-199")
    assert part["Body"].read() == content[100:200]
    minio.copy_object(Bucket="everything", Key="copy", CopySource={"Bucket": "everything", "Key": key})
    listed = minio.list_objects_v2(Bucket="everything", Delimiter="/")
    assert (listed["Name"], [entry["Prefix"] for entry in listed["CommonPrefixes"]]) == ("everything", ["folder/"])
    store = S3Store(
        "everything",
        config={
            "endpoint": f"{minio_endpoint(oscar.endpoint, oscar.cluster)}/everything",
            "virtual_hosted_style_request": True,
            "access_key_id": access_key(oscar.cluster),
            "secret_access_key": secret_key(oscar.password, oscar.cluster),
            "region": "us-east-1",
        },
        client_options={"allow_http": True},
    )
    assert store.get("copy").bytes() == content
    store.put("by-obstore", content, chunk_size=5 << 20)
    minio.delete_objects(Bucket="everything", Delete={"Objects": [{"Key": "copy"}, {"Key": key}]})
    assert keys(minio, "everything") == ["by-obstore"]
    url = minio.generate_presigned_url("get_object", Params={"Bucket": "everything", "Key": "by-obstore"})
    status, _, body = oscar.cloud.http("GET", url.partition(oscar.endpoint)[2])
    assert (status, body == content) == (200, True)
    url = minio.generate_presigned_url("get_object", {"Bucket": "everything", "Key": "by-obstore"}, ExpiresIn=0)
    assert oscar.cloud.http("GET", url.partition(oscar.endpoint)[2])[0] == 403


@pytest.mark.parametrize("wrong", [{"aws_access_key_id": "test"}, {"aws_secret_access_key": "wrong"}])
def test_only_its_own_credentials_open_it(oscar: Oscar, wrong: dict[str, str]) -> None:
    with pytest.raises(ClientError, match=r"AccessDenied|SignatureDoesNotMatch"):
        oscar.minio(**wrong).list_buckets()
    status, _, _ = oscar.cloud.http("GET", f"{MINIO_PATH}/")
    assert status == 403


def test_tools_that_know_no_paths_in_addresses_come_by_their_access_key(oscar: Oscar) -> None:
    minio = oscar.minio()
    minio.create_bucket(Bucket="at-the-root")
    oscar.minio(endpoint_url=oscar.endpoint).put_object(Bucket="at-the-root", Key="k", Body=b"v")
    assert keys(minio, "at-the-root") == ["k"]


def test_a_new_object_starts_the_services_whose_input_it_is(oscar: Oscar) -> None:
    minio = oscar.minio()
    oscar.create("upper", UPPER, input=place("texts/in", suffix=[".txt"]), output=place("texts/out"))
    for key in ("other/a.txt", "inner/a.txt", "in/a b+ü.txt"):
        minio.put_object(Bucket="texts", Key=key, Body=b"text")
    ((name, job),) = oscar.finished("upper").items()
    assert job["status"] == "Succeeded", oscar.log("upper", name)
    assert "did in/a b+ü.txt" in oscar.log("upper", name)
    assert minio.get_object(Bucket="texts", Key="out/a b+ü.txt")["Body"].read() == b"TEXT"
    minio.upload_fileobj(io.BytesIO(bytes(9 << 20)), "texts", "in/large.txt")
    assert len(oscar.finished("upper", 2)) == 2
    minio.put_object(Bucket="texts", Key="in/not.jpg", Body=b"OSCAR does not look at the suffixes of an input")
    assert len(oscar.finished("upper", 3)) == 3


def test_results_go_to_s3_and_a_failed_job_stores_none(oscar: Oscar) -> None:
    aws = {"s3": {"aws": {"access_key": "test", "secret_key": "test", "region": "us-east-1"}}}
    output = place("results-of-oscar/out", "s3.aws")
    script = f"{UPPER}; read word <$INPUT_FILE_PATH; case $word in good) ;; *) exit 3;; esac"
    definition = oscar.definition("to-s3", script, input=place("files-in/in"), output=output, storage_providers=aws)
    status, said = oscar.ask("POST", "/system/services", definition)
    assert (status, b"Error tagging bucket" in said) == (400, True)  # and yet it is made, as on a cluster
    minio, s3 = oscar.minio(), oscar.cloud.client("s3")
    minio.put_object(Bucket="files-in", Key="in/a", Body=b"good\n")
    oscar.finished("to-s3")
    minio.put_object(Bucket="files-in", Key="in/b", Body=b"bad\n")
    jobs = oscar.finished("to-s3", 2)
    assert sorted(job["status"] for job in jobs.values()) == ["Failed", "Succeeded"]
    wait_for(lambda: keys(s3, "results-of-oscar") == ["out/a"])
    assert s3.get_object(Bucket="results-of-oscar", Key="out/a")["Body"].read() == b"GOOD\n"


def test_a_bucket_with_odd_keys_and_versions_is_deleted(oscar: Oscar) -> None:
    minio, name = oscar.minio(), "odd-keys"
    minio.create_bucket(Bucket=name)
    minio.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    for key in ("a<b>&c", "<Key>x</Key>", "ä ö+%", "twice"):
        minio.put_object(Bucket=name, Key=key, Body=b"1")
    minio.put_object(Bucket=name, Key="twice", Body=b"2")
    minio.delete_object(Bucket=name, Key="twice")
    assert {one["Key"] for one in minio.list_objects_v2(Bucket=name)["Contents"]} == {"a<b>&c", "<Key>x</Key>", "ä ö+%"}
    assert oscar.ask("DELETE", f"/system/buckets/{name}")[0] == 204
    assert oscar.ask("GET", f"/system/buckets/{name}")[0] == 500


def test_a_deletion_that_is_refused_ends_with_the_reason(oscar: Oscar) -> None:
    minio, name = oscar.minio(), "held-files"
    minio.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    for key in ("free", "held"):
        minio.put_object(Bucket=name, Key=key, Body=b"x")
    minio.put_object_legal_hold(Bucket=name, Key="held", LegalHold={"Status": "ON"})
    status, body = oscar.ask("DELETE", f"/system/buckets/{name}")
    assert status >= 400
    assert b"1 of its files, such as 'held' could not be deleted" in body
    assert [one["Key"] for one in minio.list_objects_v2(Bucket=name)["Contents"]] == ["held"]
    minio.put_object_legal_hold(Bucket=name, Key="held", LegalHold={"Status": "OFF"})
    assert oscar.ask("DELETE", f"/system/buckets/{name}")[0] == 204
