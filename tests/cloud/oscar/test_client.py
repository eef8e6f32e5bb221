"""What the verbs do with services and their storage, against the local cloud's clusters."""

from pathlib import Path

import pytest

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.client.call import Call, binary_body, json_body, text_body
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.objects import Location, objects, remove_contents
from scar_pulumi.client.oscar import (
    ClusterClient,
    begin_job,
    call_service,
    failure_of,
    follow_job_lines,
    read_job_lines,
)
from scar_pulumi.client.outputs import read_clusters
from scar_pulumi.client.transfer import download, plan_downloads, plan_uploads, upload
from scar_pulumi.cloud.oscar.address import USER, cluster_endpoint
from tests.cloud.oscar.conftest import CLUSTER, Oscar
from tests.world.fake_cloud import wait_for


def client_of(oscar: Oscar, *services: str, password: str = "") -> ClusterClient:
    endpoint = cluster_endpoint(oscar.endpoint, CLUSTER)
    described = {
        name: {"runUrl": f"{endpoint}/run/{name}", "jobUrl": f"{endpoint}/job/{name}", "synchronous": True}
        for name in services
    }
    entry = {"endpoint": endpoint, "user": USER, "password": password or oscar.password, "services": described}
    return ClusterClient(read_clusters({CLUSTER: entry})[CLUSTER], Clients(oscar.cloud.environment()))


def test_a_service_is_called_and_its_jobs_tell_what_they_did(oscar: Oscar) -> None:
    oscar.create("talks", 'tee "$TMP_OUTPUT_DIR/same" <"$INPUT_FILE_PATH" | tr a-z A-Z')
    client = client_of(oscar, "talks")
    service = client.cluster.services["talks"]
    token = client.token("talks")
    content = bytes(range(256)) * 10
    answered = call_service(client, service, Call(binary_body(content)), token)
    assert (answered.status_code, answered.body) == (200, content)
    assert call_service(client, service, Call(text_body("12345678")), token).body == b"12345678"
    short = Call(text_body("SO!"))
    assert call_service(client, service, short, token).body == b"U08h\n"
    assert call_service(client, service, short, token, is_file=True).body == b"SO!"
    begun = begin_job(client, service, Call(json_body('{"to": "a job"}'), later=True), token)
    oscar.finished("talks")
    assert begun.request_id in oscar.jobs("talks")
    lines = list(read_job_lines(client, "talks"))
    assert '{"TO": "A JOB"}' in [line.message for line in lines]
    assert {line.request_id for line in lines} == {begun.request_id}
    assert list(read_job_lines(client, "talks", lines[-1].timestamp + 60_000)) == []
    assert list(read_job_lines(client, "talks", job="none")) == []


def test_a_followed_log_tells_each_line_once(oscar: Oscar) -> None:
    oscar.create("steps", "echo one; sleep 1; echo two")
    client = client_of(oscar, "steps")
    begin_job(client, client.cluster.services["steps"], Call(later=True), client.token("steps"))
    lines = follow_job_lines(client, "steps", 0, wait=lambda: not oscar.finished("steps"))
    own = [line.message for line in lines if line.message in ("one", "two")]
    followed = follow_job_lines(client, "steps", 0, wait=iter([True, True, False]).__next__)
    assert [line.message for line in followed if line.message in ("one", "two")] == ["one", "two"]
    assert own in (["one"], [], ["one", "two"])


def test_failures_say_what_is_wrong(oscar: Oscar) -> None:
    oscar.create("fails", "echo the reason; exit 4")
    client = client_of(oscar, "fails", "gone")
    failed = call_service(client, client.cluster.services["fails"], Call(), client.token("fails"))
    assert failed.failed
    assert "the reason" in str(failure_of(failed))
    gone = call_service(client, client.cluster.services["gone"], Call(), "0" * 64)
    assert "the cluster rejects its token" in str(failure_of(gone))  # OSCAR says no more of a service that is gone
    with pytest.raises(ScarError, match="gone: is not known on cluster test"):
        client.token("gone")
    with pytest.raises(ScarError, match="rejects its user and password"):
        client_of(oscar, password="wrong").token("fails")
    nowhere = ClusterClient(read_clusters({"x": {"endpoint": "http://127.0.0.1:1"}})["x"], Clients())
    with pytest.raises(ScarError, match="cannot be reached"):
        nowhere.token("any")
    with pytest.raises(InputError, match="--parameters"):
        call_service(client, client.cluster.services["fails"], Call(parameters=(("a", "1"),)), "x")


def test_files_go_to_the_storage_of_a_cluster_and_come_back(oscar: Oscar, tmp_path: Path) -> None:
    client = client_of(oscar)
    s3 = Clients(oscar.cloud.environment()).storage(client.storage())
    s3.create_bucket(Bucket="by-verbs")
    (tmp_path / "large").write_bytes(bytes(9 << 20))
    location = Location.parse("minio.default/by-verbs/in")
    assert (location.provider, location.bucket, location.key) == ("minio.default", "by-verbs", "in")
    list(upload(s3, "by-verbs", plan_uploads(location, [tmp_path / "large"])))
    assert [found.key for found in objects(s3, location)] == ["in/large"]
    downloads, refused = plan_downloads(s3, location, tmp_path / "back")
    assert [item.outcome for item in download(s3, "by-verbs", tmp_path / "back", downloads)] == ["downloaded"]
    assert not refused
    assert (tmp_path / "back" / "large").read_bytes() == bytes(9 << 20)
    assert remove_contents(s3, Location("by-verbs")) == 1
    s3.delete_bucket(Bucket="by-verbs")
    wait_for(lambda: "by-verbs" not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]])


@pytest.mark.parametrize(
    ("text", "provider", "bucket", "key"),
    [
        ("pictures/in/a.png", "", "pictures", "in/a.png"),
        ("minio.default/pictures/in", "minio.default", "pictures", "in"),
        ("minio.my_oscar/pictures", "minio.my_oscar", "pictures", ""),
        ("s3.default/minio.default/in", "", "minio.default", "in"),
        ("s3://minio.default/in", "", "minio.default", "in"),
        ("s3.other/pictures", "s3.other", "pictures", ""),
        ("minio/in", "", "minio", "in"),
        ("my.minio.default/in", "", "my.minio.default", "in"),
    ],
)
def test_a_first_part_that_begins_with_a_kind_of_storage_names_the_provider(
    text: str, provider: str, bucket: str, key: str
) -> None:
    location = Location.parse(text)
    assert (location.provider, location.bucket, location.key) == (provider, bucket, key)


def test_a_provider_without_a_bucket_is_told() -> None:
    with pytest.raises(InputError, match=r"write minio\.default/BUCKET"):
        Location.parse("minio.default/")
