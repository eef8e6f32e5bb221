"""What `jobs` and `failures` find of services: on a cluster, and in its MinIO."""

import json

import pytest

from scar_foundation.errors import InputError
from scar_pulumi.deployments import Deployments
from scar_pulumi.deployments.failures import Failures
from scar_pulumi.deployments.service_jobs import ServiceJobs
from tests.components.oscar_service.server import Server
from tests.world.oscar_services import LATER, SINCE, ran, services_cluster, uploaded

__all__ = ["services_cluster"]


def found(deployments: Deployments) -> list[tuple[str, str, int]]:
    source = Failures(deployments)
    failures = source.listed(source.called("sign"), SINCE)
    assert source.untold == []
    return [(one.input, one.reason, one.tries) for one in failures]


def test_a_file_that_no_job_took_is_a_failure_and_runs_again(services_cluster: Server) -> None:
    uploaded(services_cluster, "in/good", "in/lost", "in/broken", "in/mended", "elsewhere")
    ran(services_cluster, "sign-1", "Succeeded", "in/good")
    ran(services_cluster, "sign-2", "Failed", "in/broken", said="cannot read it")
    ran(services_cluster, "sign-3", "Failed", "in/mended", said="no space")
    ran(services_cluster, "sign-4", "Succeeded", "in/mended", LATER)
    deployments = Deployments.find()
    lost = ("raw/in/lost", "no job took it: MinIO or OSCAR has lost its event", 0)
    assert sorted(found(deployments)) == [("raw/in/broken", "cannot read it", 1), lost]

    source = Failures(deployments)
    (failure,) = [one for one in source.listed(source.called(), SINCE) if one.input == "raw/in/lost"]
    job = source.run_again(failure)
    (record,) = json.loads(services_cluster.cluster.events[job])["Records"]
    assert (record["s3"]["bucket"]["name"], record["s3"]["object"]["key"]) == ("raw", "in%2Flost")
    assert record["requestParameters"]["principalId"] == "minio"
    # It has not started, so nobody knows yet whose it is.
    (again,) = [one for one in source.listed(source.called("sign"), SINCE) if one.input == "raw/in/lost"]
    assert (again.event, again.otherwise) == (None, "jobs that have not started may be theirs")


def test_a_file_that_an_earlier_service_may_have_done_is_not_sent_again(services_cluster: Server) -> None:
    uploaded(services_cluster, "in/done", "in/new")
    ran(services_cluster, "sign-1", "Succeeded", "in/new", "2026-06-01T13:00:00Z")
    source = Failures(Deployments.find())
    (failure,) = source.listed(source.called("sign"), SINCE)
    assert (failure.input, failure.event) == ("raw/in/done", None)
    assert "its job was one of an earlier service of this name" in failure.reason


def test_files_of_a_service_without_jobs_are_uncertain(services_cluster: Server) -> None:
    uploaded(services_cluster, "in/done")
    source = Failures(Deployments.find())
    (failure,) = source.listed(source.called("sign"), SINCE)
    assert failure.event is None


def test_a_minio_that_cannot_be_reached_is_told_beside_the_jobs_that_failed(services_cluster: Server) -> None:
    ran(services_cluster, "sign-2", "Failed", "in/broken", said="cannot read it")
    services_cluster.storage = "http://127.0.0.1:9"
    source = Failures(Deployments.find())
    assert [one.job for one in source.listed(source.called("sign"), SINCE)] == ["sign-2"]
    assert "service sign: files of minio.mine/raw/in/: " in source.untold[0]


def test_jobs_are_found_by_their_names_and_by_their_services(services_cluster: Server) -> None:
    ran(services_cluster, "sign-1", "Succeeded", "in/good")
    ran(services_cluster, "sign-2", "Failed", "in/bad", LATER)
    jobs = ServiceJobs(Deployments.find())
    assert [service.name for service in jobs.services()] == ["sign", "quiet"]
    assert [job.id for job in jobs.listed(jobs.services())] == ["sign-2", "sign-1"]
    for target, expected in (("sign-1", "sign-1"), ("sign", "sign-2"), ("mine/sign", "sign-2")):
        job = jobs.find(target)
        assert job is not None
        assert job.id == expected
    assert jobs.find("sign-3") is None
    assert jobs.find("batch-job") is None
    with pytest.raises(InputError, match="quiet: the service has no jobs yet"):
        jobs.find("quiet")
