"""Jobs of services on a cluster: named by who begins them, explained by their logs, compared with the input files."""

import json
import re
from collections.abc import Iterator

import pytest

from scar_foundation.errors import ScarError
from scar_foundation.minio_event import EventObject, minio_event
from scar_pulumi.client.call import Call, json_body
from scar_pulumi.client.clients import Clients
from scar_pulumi.client.oscar import ClusterClient, begin_job, read_job_lines
from scar_pulumi.client.outputs import read_clusters
from scar_pulumi.client.service_jobs import ServiceJob, explained, list_service_jobs, unprocessed
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, USER, Server, running

NOON = "2026-06-01T12:00:00Z"
ONE_PAST = "2026-06-01T12:01:00Z"
MINUTE = 60_000


@pytest.fixture(params=["4.1.2", "4.0.0"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(Cluster(request.param)) as server:
        yield server


@pytest.fixture
def client(server: Server) -> ClusterClient:
    return client_of(server, "sign")


def client_of(server: Server, *names: str) -> ClusterClient:
    for name in names:
        server.cluster.create({"name": name, "image": "debian:12", "script": "cat"})
    services = {name: {"jobUrl": f"{server.endpoint}/job/{name}"} for name in names}
    entry = {"endpoint": server.endpoint, "user": USER, "password": PASSWORD, "services": services}
    return ClusterClient(read_clusters({"mine": entry})["mine"], Clients())


def begin(client: ClusterClient, name: str) -> str:
    call = Call(json_body('{"to": "a job"}'), later=True)
    return begin_job(client, client.cluster.services[name], call, client.token(name)).request_id


def test_a_job_is_known_by_its_name_and_from_4_1_on_no_jobs_are_listed_for_it(server: Server) -> None:
    long = "a-service-with-a-rather-long-name"
    client = client_of(server, "sign", long)
    for name, start in (("sign", "sign"), (long, "a-service-with-a")):
        server.requests.clear()
        job = begin(client, name)
        assert job in server.cluster.jobs[name]
        assert server.cluster.events[job] == b'{"to": "a job"}'
        lists = [path for _, path in server.requests if path.startswith("/system/logs/")]
        assert (lists == []) == (server.cluster.version == "4.1.2")
        if not lists:
            assert re.fullmatch(rf"{start}-[0-9a-f]{{8}}(-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}}", job)
            assert len(job) <= 63


def test_what_one_job_has_printed_is_read_without_a_list(server: Server, client: ClusterClient) -> None:
    server.cluster.jobs["sign"] = {"sign-1": {"status": "Succeeded"}, "sign-2": {"status": "Succeeded"}}
    server.cluster.logs = {"sign-1": f"{NOON} one\n", "sign-2": f"{NOON} two\n"}
    server.requests.clear()
    assert [line.message for line in read_job_lines(client, "sign", job="sign-2")] == ["two"]
    assert [path for _, path in server.requests] == ["/system/logs/sign/sign-2?timestamps=true"]


def test_jobs_tell_their_states_their_files_and_why_they_failed_or_wait(server: Server, client: ClusterClient) -> None:
    times = {"creation_time": NOON, "start_time": NOON, "finish_time": ONE_PAST}
    server.cluster.jobs["sign"] = {
        "ended": {"status": "Succeeded", **times},
        "broken": {"status": "Failed", **times, "creation_time": ONE_PAST},
        "queued": {"status": "Suspended", "creation_time": NOON},
        "waiting": {"status": "Pending", "creation_time": NOON},
        "running": {"status": "Running", "creation_time": NOON, "start_time": NOON},
    }
    taken = "2026-06-01 12:00:00,000 - supervisor - INFO - Downloading item from bucket 'raw' with key 'in/a b.jpg'"
    server.cluster.logs = {
        "ended": f"{NOON} {taken}\n{NOON} done\n",
        "broken": f"{NOON} {taken}\n{NOON} cannot read it\n{NOON} \n",
    }
    jobs = list_service_jobs(client, "sign")
    assert [job.id for job in jobs] == ["broken", "waiting", "running", "queued", "ended"]
    told = {job.id: explained(client, job) for job in jobs}
    assert {name: job.status for name, job in told.items()} == {
        "ended": "SUCCEEDED",
        "broken": "FAILED",
        "queued": "PENDING",
        "waiting": "PENDING",
        "running": "RUNNING",
    }
    assert (told["ended"].inputs, told["ended"].reason) == (("raw/in/a b.jpg",), "")
    assert (told["broken"].inputs, told["broken"].reason) == (("raw/in/a b.jpg",), "cannot read it")
    assert "OSCAR does not say why" in told["waiting"].reason
    assert told["ended"].stopped - told["ended"].started == MINUTE


def test_what_this_projects_supervisor_says_of_a_failure_comes_first(server: Server, client: ClusterClient) -> None:
    said = ("INFO j downloaded raw/in/a b (3 bytes)", "ERROR j ScriptFailed: raw/in/a b: it broke", "bye")
    server.cluster.jobs["sign"] = {"j": {"status": "Failed", "creation_time": NOON}, "silent": {"status": "Failed"}}
    server.cluster.logs = {"j": "".join(f"{NOON} {NOON} {line}\n" for line in said)}
    silent, told = sorted(
        (explained(client, job) for job in list_service_jobs(client, "sign")), key=lambda job: job.created
    )
    assert (told.inputs, told.reason) == (("raw/in/a b",), "it broke")
    assert (silent.inputs, silent.reason) == ((), "it has printed nothing; its pod may never have started")


def job(number: int, *inputs: str, status: str = "SUCCEEDED") -> ServiceJob:
    return ServiceJob(f"sign-{number}", "mine", "sign", status, number * MINUTE, 0, 0, inputs=inputs)


def test_files_that_no_log_names_were_lost_unless_something_makes_that_uncertain() -> None:
    files = [EventObject("raw", f"in/{name}", MINUTE) for name in ("a", "b", "ab")]
    jobs = [job(1, "raw/in/a"), job(2, "raw/in/ab")]
    found = unprocessed(files, jobs, 10 * MINUTE)
    assert ([file.key for file in found.files], found.doubt) == (["in/b"], "")
    assert "two a second" in unprocessed(files, jobs, 2 * MINUTE + 1).doubt
    assert "2 jobs do not say" in unprocessed(files, [*jobs, job(3), job(3)], 10 * MINUTE).doubt
    assert "not started" in unprocessed(files, [*jobs, job(3, status="PENDING")], 10 * MINUTE).doubt


def test_an_event_is_what_minio_would_have_sent() -> None:
    found = minio_event(EventObject("raw", "in/a b.jpg", 1_780_315_200_123, 3, "etag"), "ada", region="eu-west-1")
    (record,) = found["Records"]
    assert json.loads(json.dumps(found))["Key"] == "raw/in/a b.jpg"
    assert (record["s3"]["object"]["key"], record["s3"]["bucket"]["name"]) == ("in%2Fa+b.jpg", "raw")
    assert (record["requestParameters"]["principalId"], record["eventTime"]) == ("ada", "2026-06-01T12:00:00.123Z")


def test_a_cluster_that_is_gone_is_told(server: Server) -> None:
    entry = {"endpoint": "http://127.0.0.1:9", "services": {"sign": {}}}
    gone = ClusterClient(read_clusters({"mine": entry})["mine"], Clients())
    with pytest.raises(ScarError, match=r"cluster mine: .*cannot be reached"):
        list_service_jobs(gone, "sign")
