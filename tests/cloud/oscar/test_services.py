"""OSCAR's interface on the local cloud: services, what runs when they are called, and what it finds."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cloud.oscar.conftest import Oscar
from tests.cloud.runner import images
from tests.world.fake_cloud import FakeCloud, wait_for


def minio_place(path: str) -> dict[str, str]:
    return {"storage_provider": "minio.default", "path": path}


NO_BUCKET = (500, b"NoSuchBucket: The specified bucket does not exist")


def test_services_come_change_and_go_as_on_oscar(oscar: Oscar) -> None:
    assert oscar.ask("GET", "/health", authorization="") == (200, b"Ok")
    assert oscar.read("/system/info")["version"] == "4.1.2"
    keys = oscar.read("/system/config")["minio_provider"]
    assert keys["access_key"] == "oscar.test"
    assert oscar.password not in keys.values()
    assert oscar.ask("GET", "/system/services", authorization="") == (401, b"")
    path = "/system/services/crud"
    assert oscar.ask("GET", path)[0] == oscar.ask("DELETE", path)[0] == 404
    given = oscar.definition(
        "crud",
        "echo one",
        input=[{"storage_provider": "minio.default", "path": "in"}],
        environment={"Variables": {"A": "1"}, "secrets": {"B": "very secret"}},
    )
    assert oscar.ask("PUT", "/system/services", given)[0] == 404
    assert oscar.ask("POST", "/system/services", given) == (201, b"")
    assert oscar.ask("POST", "/system/services", given)[0] == 400
    made = oscar.read(path)
    assert len(made["token"]) == 64
    assert made["input"][0]["path"] == "crud/in"
    assert made["environment"] == {"variables": {"A": "1"}, "secrets": {"B": ""}}
    assert made["storage_providers"]["minio"]["default"] == {**keys, "access_key": "hidden", "secret_key": "hidden"}
    assert oscar.ask("PUT", "/system/services", {**given, "memory": "300Mi"}) == (204, b"")
    # An update by the administrator that does not send the owner loses it, and then a deletion fails halfway.
    assert {**made, "memory": "300Mi", "owner": ""} in oscar.read("/system/services")
    assert oscar.ask("PUT", "/system/services", {**given, "owner": "cluster_admin"}) == (204, b"")
    assert oscar.ask("DELETE", path) == (204, b"")
    assert "crud" not in [service["name"] for service in oscar.read("/system/services")]
    assert (oscar.cloud.state / "oscar-password").stat().st_mode & 0o777 == 0o600


def test_a_service_takes_nothing_with_it_but_buckets_that_were_made_for_it(oscar: Oscar) -> None:
    """Here the local cloud is kinder than the server, which deletes all of a service's buckets."""
    minio = oscar.minio()
    minio.create_bucket(Bucket="there-before")
    own = [minio_place("made-for-it/out"), minio_place("of-both/out")]
    first = oscar.definition("first", "true", output=own)
    assert oscar.ask("POST", "/system/services", first)[0] == 201
    oscar.create("second", "true")
    shared = oscar.definition("second", "true", output=[minio_place("of-both/out")])
    assert oscar.ask("PUT", "/system/services", shared)[0] == 500
    both = oscar.definition("first", "true", output=[*own, minio_place("there-before/out")], owner="cluster_admin")
    assert oscar.ask("PUT", "/system/services", both)[0] == 500
    for bucket in ("there-before", "made-for-it", "of-both"):
        minio.put_object(Bucket=bucket, Key="a & b/c", Body=b"x")
    assert oscar.ask("DELETE", "/system/services/first")[0] == 204
    left = {bucket["Name"] for bucket in minio.list_buckets()["Buckets"]}
    assert {"there-before", "of-both"} <= left
    assert "made-for-it" not in left


def test_buckets_tell_for_which_service_they_were_made_after_it_is_gone(oscar: Oscar) -> None:
    path = "/system/buckets/kept-bucket"
    assert oscar.ask("GET", path) == oscar.ask("DELETE", path) == NO_BUCKET
    oscar.create("keeper", "true", output=[minio_place("kept-bucket/out")])
    assert oscar.read(path)["metadata"] == {"from_service": "keeper"}
    without = oscar.definition("keeper", "true", owner="cluster_admin")
    assert oscar.ask("PUT", "/system/services", without)[0] == 500  # and it is done
    assert oscar.read("/system/services/keeper")["output"] == []
    assert oscar.ask("DELETE", "/system/services/keeper")[0] == 204
    listed = {one["bucket_name"]: one["metadata"] for one in oscar.read("/system/buckets")}
    assert listed["kept-bucket"] == {"from_service": "keeper"}
    assert oscar.ask("DELETE", path)[0] == 204
    assert oscar.ask("GET", path) == NO_BUCKET


def test_ten_services_are_made_and_called_at_once(oscar: Oscar) -> None:
    names = [f"many-{number}" for number in range(10)]

    def make_and_call(name: str) -> bytes:
        token = oscar.create(
            name, f"echo I am {name}", input=[{"storage_provider": "minio.default", "path": f"{name}/in"}]
        )
        return oscar.call("run", name, {}, token)[1]

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(make_and_call, names)) == [f"I am {name}\n".encode() for name in names]
    assert {service["name"] for service in oscar.read("/system/services")} >= set(names)


def test_an_image_that_cannot_be_had_is_told_at_once(oscar: Oscar) -> None:
    status, body = oscar.ask("POST", "/system/services", oscar.definition("wrong", "true") | {"image_file": "/no.tar"})
    assert (status, b"/no.tar: no such file" in body) == (400, True)
    assert oscar.ask("GET", "/system/services/wrong")[0] == 404


def test_a_job_runs_with_what_oscar_gives_it(oscar: Oscar) -> None:
    script = """
echo "event $(cat "$INPUT_FILE_PATH") of $JOB_UUID for $GREETING $PASSWORD"
ls /oscar/config /oscar/bin; cat /var/run/secrets/providers/minio.default/accessKey; echo; id
"""
    environment = {"Variables": {"GREETING": "hello"}, "secrets": {"PASSWORD": "secret"}}
    token = oscar.create("job", script, environment=environment)
    assert oscar.call("job", "job", {"a": 1}, "0" * 64)[0] == 401
    assert oscar.call("job", "job", {"a": 1}, token) == (201, b"")
    ((name, job),) = oscar.finished("job").items()
    log = oscar.log("job", name)
    assert job["status"] == "Succeeded", log
    assert job["creation_time"] <= job["start_time"] <= job["finish_time"]
    assert f'event {{"a": 1}} of {name} for hello secret\n' in log
    for line in ("function_config.yaml", "script.sh", "supervisor", "oscar.test"):
        assert f"\n{line}\n" in log
    assert "Z event {" in oscar.log("job", name, "?timestamps=true")
    assert oscar.ask("DELETE", f"/system/logs/job/{name}")[0] == 204
    assert oscar.jobs("job") == {}


def test_a_call_is_answered_with_files_in_base64_and_output_as_it_is(oscar: Oscar) -> None:
    files = oscar.create("files", 'tr a-z A-Z <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/out"; echo not this')
    status, body = oscar.call("run", "files", base64.b64encode(b"some text"), files)
    assert (status, base64.b64decode(body)) == (200, b"SOME TEXT"), body
    printed = oscar.create("printed", 'cat "$INPUT_FILE_PATH"; echo aside >&2')
    large = b'{"large": "' + b"x" * 300_000 + b'"}'
    status, body = oscar.call("run", "printed", large, printed)
    assert (status, body == large) == (200, True)
    broken = oscar.create("broken", "echo what is wrong; exit 3")
    status, body = oscar.call("run", "broken", b"{}", broken)
    assert status == 500
    assert b"exit status 3" in body
    assert b"what is wrong" in body
    assert b"what is wrong" in oscar.ask("GET", "/system/services/broken/deployment/logs")[1]


def test_a_job_has_no_more_memory_than_its_service_and_can_be_ended(oscar: Oscar) -> None:
    token = oscar.create("greedy", "dd if=/dev/zero of=/dev/null bs=400M count=1 || exit 9", memory="200Mi")
    oscar.call("job", "greedy", {}, token)
    ((name, job),) = oscar.finished("greedy").items()
    assert job["status"] == "Failed"
    assert "Killed" in oscar.log("greedy", name)
    mark = "endless-0123456789"
    token = oscar.create("endless", f"sh -c 'sleep 600; echo {mark}'")
    oscar.call("job", "endless", {}, token)
    wait_for(lambda: images.processes(mark.encode()), 30)
    assert oscar.ask("DELETE", "/system/services/endless")[0] == 204
    wait_for(lambda: not images.processes(mark.encode()))


@pytest.fixture
def own(tmp_path: Path, small_image: Path) -> Iterator[Oscar]:
    """Return a cluster that may be killed."""
    cloud = FakeCloud(tmp_path / "state")
    try:
        cloud.start()
        yield Oscar(cloud, small_image)
    finally:
        cloud.stop()


def test_what_was_accepted_before_a_kill_runs_afterwards(own: Oscar) -> None:
    """Six events wait or run when it comes; each leaves one result, and those that were done are not run again."""
    script = (
        'echo x >>"$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"; case $INPUT_FILE_PATH in *slow*) sleep 2;; esac'
    )
    places = {
        "input": [{"storage_provider": "minio.default", "path": "kills/in"}],
        "output": [{"storage_provider": "minio.default", "path": "kills/out"}],
    }
    own.create("kills", script, **places)
    minio = own.minio()
    minio.put_object(Bucket="kills", Key="in/done", Body=b"x")
    before = own.finished("kills")
    for number in range(6):
        minio.put_object(Bucket="kills", Key=f"in/slow-{number}", Body=b"x")
    wait_for(lambda: any(job["status"] == "Running" for job in own.jobs("kills").values()), 30)
    own.cloud.kill()
    own.cloud.start()
    after = own.finished("kills", 7)
    assert len(after) == 7
    assert {job["status"] for job in after.values()} == {"Succeeded"}
    (done,) = before.items()
    assert done in after.items()
    keys = [entry["Key"] for entry in minio.list_objects_v2(Bucket="kills", Prefix="out/")["Contents"]]
    assert keys == ["out/", "out/done", *(f"out/slow-{number}" for number in range(6))]
    details = own.cloud.status()
    assert details
    assert details.details["oscar"]["jobs"]["succeeded"] == 7
