"""Which jobs are meant by ids and names, with AWS Batch played by a table."""

from pathlib import Path
from typing import Any

import pytest

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.deployments import Deployments
from scar_pulumi.deployments.jobs import Jobs
from tests.world.deployed import FUNCTION, write_state

EVENTS = [f"0000000{number}-0000-4000-8000-000000000000" for number in range(4)]


class Batch:
    """Jobs by region, as `describe_jobs` and `list_jobs` give them."""

    def __init__(self, jobs: list[dict[str, Any]]) -> None:
        self.jobs = jobs
        self.ended: list[tuple[str, str]] = []

    def describe_jobs(self, jobs: list[str]) -> dict[str, Any]:
        return {"jobs": [job for job in self.jobs if job["jobId"] in jobs]}

    def get_paginator(self, _: str) -> "Batch":
        return self

    def paginate(self, jobQueue: str, filters: Any) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        return [{"jobSummaryList": [job for job in self.jobs if job["jobQueue"] == jobQueue]}]

    def terminate_job(self, jobId: str, reason: str) -> None:  # noqa: N803 - likewise
        self.ended.append((jobId, reason))


class Clients:
    def __init__(self, **regions: Batch) -> None:
        self._regions = {name.replace("_", "-"): batch for name, batch in regions.items()}

    def client(self, _: str, region: str) -> Batch:
        return self._regions[region]


def job(name: str, number: int, status: str = "RUNNING") -> dict[str, Any]:
    return {
        "jobId": f"{name}{number}",
        "jobName": f"{name}-{EVENTS[number]}",
        "jobQueue": f"queue-{name}",
        "jobDefinition": f"{name}:1",
        "status": status,
        "createdAt": number,
    }


def function(name: str, region: str) -> dict[str, Any]:
    batch = {"jobQueue": f"queue-{name}", "jobDefinition": f"{name}:1"}
    arn = f"arn:aws:lambda:{region}:000000000000:function:{name}"
    return {**FUNCTION, "arn": arn, "region": region, "batch": batch, "executionMode": "batch"}


@pytest.fixture
def west() -> Batch:
    return Batch([job("a", 1, "SUCCEEDED"), job("a", 3), job("a", 2)])


@pytest.fixture
def jobs(directories: Path, monkeypatch: pytest.MonkeyPatch, west: Batch) -> Jobs:
    functions = {"a": function("a", "eu-west-1"), "b": function("b", "eu-north-1"), "plain": FUNCTION}
    write_state(directories / "state", "video", {"functions": functions})
    monkeypatch.setattr(Deployments, "clients", Clients(eu_west_1=west, eu_north_1=Batch([job("b", 0)])))
    return Jobs(Deployments.find())


def test_jobs_are_listed_newest_first_across_regions(jobs: Jobs) -> None:
    assert [one.id for one in jobs.listed(jobs.functions())] == ["a3", "a2", "a1", "b0"]
    assert [one.id for one in jobs.listed(jobs.functions("b"))] == ["b0"]


def test_a_name_means_the_newest_job_and_an_id_is_found_in_any_region(jobs: Jobs) -> None:
    assert (jobs.find("a").job.id, jobs.find("a").region) == ("a3", "eu-west-1")
    found = jobs.find("b0")
    assert (found.function, found.region, found.job.request_id) == ("b", "eu-north-1", EVENTS[0])
    with pytest.raises(InputError, match="b0: no such job of a; `scar-pulumi jobs ls`"):
        jobs.find("b0", "a")


def test_what_has_no_jobs_says_so(jobs: Jobs) -> None:
    with pytest.raises(InputError, match="plain: has no jobs: its execution mode is lambda"):
        jobs.functions("plain")
    with pytest.raises(ScarError, match="stack local-2: nothing is deployed; `scar-pulumi up FILE --stack local-2`"):
        Jobs(Deployments.find("local-2")).functions()


def test_only_active_jobs_are_ended_and_a_name_means_all_of_them(jobs: Jobs, west: Batch) -> None:
    meant = jobs.meant(["a", "a1", "a3"])
    assert [(one.id, region) for one, region in meant] == [(f"a{n}", "eu-west-1") for n in (3, 2, 1)]
    assert [one.id for one, _ in jobs.meant(["a"])] == ["a3", "a2"]
    jobs.cancel(*meant[0], reason="enough")
    assert west.ended == [("a3", "enough")]
