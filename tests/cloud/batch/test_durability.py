"""The local cloud killed and started again while jobs wait and run."""

import time
from typing import Any

from tests.cloud.batch.conftest import Batch
from tests.cloud.batch.test_scheduler import folder, shared
from tests.cloud.runner import images
from tests.world.fake_cloud import wait_for


def test_no_job_is_lost_or_runs_twice_at_once_when_the_cloud_is_killed(own: Batch) -> None:
    queue, mark = own.queue(), f"mark-{time.time_ns()}"
    script = f"""
    : {mark}; me=/shared/$AWS_BATCH_JOB_ID
    echo $AWS_BATCH_JOB_ATTEMPT >>$me; until test -e /shared/go; do sleep 0.1; done; echo end >>$me"""
    again = own.definition(script, retryStrategy={"attempts": 3}, **shared("again"))
    single = own.submit(queue, own.definition(script, **shared("again")))
    jobs = [own.submit(queue, again) for _ in range(8)]
    array = own.submit(queue, again, arrayProperties={"size": 3})
    last = own.submit(queue, again, dependsOn=[{"jobId": array}])
    for identifier in (single, *jobs[:3]):
        own.wait(identifier, "RUNNING")
    wait_for(lambda: len(list(folder(own, "again").iterdir())) == 4)
    own.cloud.kill()
    wait_for(lambda: not images.processes(mark.encode()))
    (folder(own, "again") / "go").touch()
    own.cloud.start()
    for identifier in (*jobs, array, last):
        assert own.end(identifier, 60)["status"] == "SUCCEEDED"
    lost = own.job(single)
    assert lost["status"] == "FAILED"
    assert lost["statusReason"].startswith("Host EC2 (instance i-")
    for number, identifier in enumerate(jobs):
        attempts = ["1", "2"] if number < 3 else ["1"]
        assert (folder(own, "again") / identifier).read_text().split() == [*attempts, "end"]
        assert len(own.job(identifier)["attempts"]) == len(attempts)


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
