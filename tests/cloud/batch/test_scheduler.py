"""Which jobs run when: room, priorities, dependencies, arrays."""

import itertools
import time
from pathlib import Path
from typing import Any

from tests.cloud.batch.conftest import Batch
from tests.world.fake_cloud import wait_for

# Jobs count themselves: each leaves a folder while it runs, and a file with how many it has seen.
_COUNT = """
me=${AWS_BATCH_JOB_ID%%#*}
mkdir /shared/running-$me && ls -d /shared/running-* | wc -l >/shared/seen-$me-$AWS_BATCH_JOB_ATTEMPT
sleep ${SECONDS_EACH:-0.2}; rmdir /shared/running-$me
"""


def shared(name: str) -> dict[str, Any]:
    """Container properties that mount a folder of that name as /shared."""
    return {
        "volumes": [{"name": "shared", "efsVolumeConfiguration": {"fileSystemId": name}}],
        "mountPoints": [{"sourceVolume": "shared", "containerPath": "/shared"}],
    }


def folder(batch: Batch, name: str) -> Path:
    (found,) = (batch.cloud.state / "batch" / "volumes" / "efs").glob(f"{name}-*")
    return found


def seen(batch: Batch, name: str) -> dict[str, int]:
    """How many jobs each job has seen, itself among them."""
    return {file.name: int(file.read_text()) for file in folder(batch, name).glob("seen-*")}


def test_never_more_vcpus_than_there_are_and_each_job_once(batch: Batch, queue: str) -> None:
    definition = batch.definition(_COUNT, vcpus=1, **shared("count"))
    identifiers = [batch.submit(queue, definition, jobName=f"job-{number}") for number in range(40)]
    for identifier in identifiers:
        assert batch.end(identifier, 60)["status"] == "SUCCEEDED"
    counts = seen(batch, "count")
    assert sorted(counts) == sorted(f"seen-{identifier}-1" for identifier in identifiers)
    assert max(counts.values()) == 4


def test_large_jobs_and_small_ones_share_the_room(batch: Batch) -> None:
    queue = batch.queue(batch.environment(3))
    large, small = batch.definition("sleep 0.3", vcpus=3), batch.definition(_COUNT, vcpus=1, **shared("mixed"))
    jobs = [batch.submit(queue, definition) for definition in (small, small, large, small, small, small)]
    ended = [batch.end(identifier) for identifier in jobs]
    assert [job["status"] for job in ended] == ["SUCCEEDED"] * 6
    assert max(seen(batch, "mixed").values()) <= 3
    assert ended[2]["startedAt"] <= min(job["startedAt"] for job in ended[3:]), "small ones do not overtake it for ever"


def test_the_queue_of_higher_priority_goes_first(batch: Batch) -> None:
    environment = batch.environment(1)
    low, high = batch.queue(environment, priority=1), batch.queue(environment, priority=10)
    definition = batch.definition("sleep 0.2")
    first = batch.submit(low, definition)
    batch.wait(first, "RUNNING", "SUCCEEDED")
    later = [batch.submit(queue, definition) for queue in (low, low, high, high)]
    started = [batch.end(identifier)["startedAt"] for identifier in later]
    assert max(started[2:]) <= min(started[:2])


def test_environments_are_filled_in_their_order(batch: Batch) -> None:
    one, other = batch.environment(1), batch.environment(4)
    queue = batch.queue(one, other)
    definition = batch.definition("echo $AWS_BATCH_CE_NAME; sleep 1", vcpus=1)
    jobs = [batch.submit(queue, definition) for _ in range(3)]
    assert [batch.log(batch.end(identifier))[0] for identifier in jobs] == [one, other, other]


def test_gpus_are_counted_and_a_job_that_fits_nowhere_says_so(batch: Batch) -> None:
    queue = batch.queue(batch.environment(16, instanceTypes=["g4dn.xlarge", "p3.2xlarge"]))
    definition = batch.definition(_COUNT, vcpus=1, gpus=1, **shared("gpus"))
    jobs = [batch.submit(queue, definition) for _ in range(8)]
    assert [batch.end(identifier)["status"] for identifier in jobs] == ["SUCCEEDED"] * 8
    assert max(seen(batch, "gpus").values()) <= 4
    blocked = [
        batch.submit(queue, batch.definition("true", gpus=2)),
        batch.submit(queue, batch.definition("true", vcpus=17)),
        batch.submit(batch.queue(), batch.definition("true", gpus=1, memory=2048)),
    ]
    assert batch.end(batch.submit(queue, definition))["status"] == "SUCCEEDED", "others are not held up"
    wait_for(lambda: all("statusReason" in batch.job(identifier) for identifier in blocked[:2]))
    for job in map(batch.job, blocked[:2]):
        assert job["status"] == "RUNNABLE"
        assert job["statusReason"].startswith("MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT")
    answer = batch.client.cancel_jobs(jobs=["none", *blocked], reason="never")
    assert (answer["successful"], [error["job"] for error in answer["errors"]]) == (blocked, ["none"])
    for identifier in blocked:
        job = batch.end(identifier)
        assert (job["statusReason"], job["isCancelled"], job["attempts"]) == ("never", True, [])


def test_a_job_waits_for_those_that_it_depends_on(batch: Batch, queue: str) -> None:
    quick = batch.definition("sleep 0.2")
    first, second = batch.submit(queue, quick), batch.submit(queue, quick)
    waiting = batch.submit(queue, quick, dependsOn=[{"jobId": first}, {"jobId": second}])
    assert batch.wait(waiting, "PENDING", "RUNNABLE", "SUCCEEDED")["dependsOn"] == [
        {"jobId": first},
        {"jobId": second},
    ]
    ends = [batch.end(identifier) for identifier in (first, second, waiting)]
    assert ends[2]["startedAt"] >= max(job["stoppedAt"] for job in ends[:2])
    failing = batch.submit(queue, batch.definition("sleep 0.3; exit 1"))
    chain = [failing]
    for _ in range(3):
        chain.append(batch.submit(queue, quick, dependsOn=[{"jobId": chain[-1]}]))
    for identifier in chain[1:]:
        job = batch.end(identifier)
        assert (job["status"], job["statusReason"], job["attempts"]) == ("FAILED", "Dependent Job failed", [])


def test_an_array_has_a_child_for_each_index(batch: Batch, queue: str) -> None:
    definition = batch.definition("echo $AWS_BATCH_JOB_ARRAY_INDEX of $AWS_BATCH_JOB_ARRAY_SIZE; "
                                  "test $AWS_BATCH_JOB_ARRAY_INDEX != 2", retryStrategy={"attempts": 2})  # fmt: skip
    array = batch.submit(queue, definition, arrayProperties={"size": 5})
    job = batch.end(array)
    assert (job["status"], job["statusReason"]) == ("FAILED", "Array Child Job failed")
    assert job["arrayProperties"]["size"] == 5
    counts = job["arrayProperties"]["statusSummary"]
    assert (counts["SUCCEEDED"], counts["FAILED"]) == (4, 1)
    assert batch.log(batch.job(f"{array}:3")) == ["3 of 5"]
    assert len(batch.job(f"{array}:2")["attempts"]) == 2
    listed = batch.client.list_jobs(arrayJobId=array, jobStatus="SUCCEEDED")["jobSummaryList"]
    assert [child["arrayProperties"]["index"] for child in listed] == [0, 1, 3, 4]


def test_arrays_depend_index_by_index_and_in_sequence(batch: Batch, queue: str) -> None:
    first = batch.submit(queue, batch.definition("sleep 0.1; test $AWS_BATCH_JOB_ARRAY_INDEX != 1"),
                         arrayProperties={"size": 3})  # fmt: skip
    second = batch.submit(queue, batch.definition("true"), arrayProperties={"size": 3},
                          dependsOn=[{"jobId": first, "type": "N_TO_N"}])  # fmt: skip
    batch.end(second)
    found = [batch.job(f"{second}:{number}")["status"] for number in range(3)]
    assert found == ["SUCCEEDED", "FAILED", "SUCCEEDED"]
    chain = batch.submit(queue, batch.definition("sleep 0.1"), arrayProperties={"size": 4},
                         dependsOn=[{"type": "SEQUENTIAL"}])  # fmt: skip
    assert batch.end(chain)["status"] == "SUCCEEDED"
    children = [batch.job(f"{chain}:{number}") for number in range(4)]
    for before, after in itertools.pairwise(children):
        assert before["stoppedAt"] <= after["startedAt"]


def test_an_array_is_cancelled_and_terminated_as_a_whole(batch: Batch, queue: str) -> None:
    array = batch.submit(queue, batch.definition("sleep 600"), arrayProperties={"size": 12})
    wait_for(lambda: len(batch.client.list_jobs(arrayJobId=array)["jobSummaryList"]) == 4)
    batch.client.cancel_job(jobId=array, reason="changed my mind")
    counts = batch.job(array)["arrayProperties"]["statusSummary"]
    assert (counts["RUNNING"], counts["FAILED"]) == (4, 8)
    batch.client.terminate_job(jobId=array, reason="all of it")
    assert batch.end(array)["status"] == "FAILED"
    assert batch.job(f"{array}:0")["statusReason"] == "all of it"
    assert batch.job(f"{array}:11")["statusReason"] == "changed my mind"


def test_jobs_of_a_policy_go_by_their_priority(batch: Batch) -> None:
    policy = batch.client.create_scheduling_policy(name=f"policy-{time.time_ns()}", fairsharePolicy={})["arn"]
    queue = batch.queue(batch.environment(1), schedulingPolicyArn=policy)
    definition = batch.definition("sleep 0.2")
    first = batch.submit(queue, definition, shareIdentifier="a")
    batch.wait(first, "RUNNING", "SUCCEEDED")
    later = [batch.submit(queue, definition, shareIdentifier="a", schedulingPriorityOverride=n) for n in (1, 5)]
    low, high = (batch.end(identifier) for identifier in later)
    assert high["startedAt"] <= low["startedAt"]
