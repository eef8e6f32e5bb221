"""The local cloud killed and started again while jobs wait and run."""

import time
from typing import Any

from tests.local.batch.conftest import Batch
from tests.local.batch.test_batch_scheduling import folder, shared
from tests.local.cloud_support import wait_for
from tests.local.runner import images


def test_no_job_is_lost_or_runs_twice_at_once_when_the_cloud_is_killed(own: Batch) -> None:
    queue = own.queue()
    nap = f"0.9{time.time_ns() % 10**9}"
    script = (
        f"echo $AWS_BATCH_JOB_ATTEMPT >>/shared/$AWS_BATCH_JOB_ID; sleep {nap}; echo end >>/shared/$AWS_BATCH_JOB_ID"
    )
    again = own.definition(script, retryStrategy={"attempts": 3}, **shared("again"))
    once = own.definition(f"sleep {nap}; sleep 60")
    single = own.submit(queue, once)
    jobs = [own.submit(queue, again) for _ in range(12)]
    array = own.submit(queue, again, arrayProperties={"size": 3})
    last = own.submit(queue, again, dependsOn=[{"jobId": array}])
    wait_for(lambda: len(images.sleeping(nap)) == 4)
    own.cloud.kill()
    wait_for(lambda: not images.sleeping(nap))
    own.cloud.start()
    for identifier in (*jobs, array, last):
        assert own.end(identifier, 60)["status"] == "SUCCEEDED"
    job = own.job(single)
    assert job["status"] == "FAILED"
    assert job["statusReason"].startswith("Host EC2 (instance i-")
    for identifier in jobs:
        lines = (folder(own, "again") / identifier).read_text().split()
        attempts = own.job(identifier)["attempts"]
        assert lines == [*map(str, range(1, len(attempts) + 1)), "end"]
        assert all("Host EC2" in attempt["statusReason"] for attempt in attempts[:-1])


def test_stopping_ends_what_runs_and_keeps_what_waits(own: Batch) -> None:
    environment = own.environment()
    queue = own.queue(environment)
    nap = f"611.{time.time_ns() % 10**9}"
    running = [own.submit(queue, own.definition(f"sleep {nap}", retryStrategy={"attempts": n})) for n in (1, 2)]
    for identifier in running:
        own.wait(identifier, "RUNNING")
    status: Any = own.cloud.status()
    assert status.details["jobs"]["running"] == 2
    own.cloud.stop()
    assert not images.sleeping(nap)
    own.cloud.start()
    ended = own.end(running[0])
    assert ended["statusReason"].startswith("Host EC2")
    again = own.wait(running[1], "RUNNING")
    assert len(again["attempts"]) == 1
    own.client.terminate_job(jobId=running[1], reason="enough")
    assert own.end(running[1])["statusReason"] == "enough"
