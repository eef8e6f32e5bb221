"""Single jobs, from submission to their end."""

from pathlib import Path
from typing import Any

import pytest

from tests.cloud.batch.conftest import ENDED, Batch
from tests.cloud.runner import images
from tests.world.fake_cloud import wait_for

_EXITED = "Essential container in task exited"


def test_a_job_runs_as_docker_runs_it_and_its_log_is_in_cloudwatch(batch: Batch, queue: str) -> None:
    script = "echo hello; id -u; touch /written /tmp/w /dev/shm/w && echo wrote; pwd; env | sort"
    variables = [{"name": "OWN", "value": "mine"}, {"name": "AWS_BATCH_JOB_ID", "value": "not mine"}]
    job = batch.run(queue, script, environment=variables)
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("SUCCEEDED", _EXITED, 0)
    lines = batch.log(job)
    assert lines[:4] == ["hello", "0", "wrote", "/"]
    expected = {
        "OWN": "mine",
        "AWS_BATCH_JOB_ID": job["jobId"],
        "AWS_BATCH_JOB_ATTEMPT": "1",
        "AWS_BATCH_JQ_NAME": queue,
        "AWS_BATCH_CE_NAME": batch.client.describe_job_queues(jobQueues=[queue])["jobQueues"][0][
            "computeEnvironmentOrder"
        ][0]["computeEnvironment"].rpartition("/")[2],
        "AWS_ENDPOINT_URL": batch.cloud.environment()["AWS_ENDPOINT_URL"],
        "AWS_REGION": "us-east-1",
    }
    assert expected.items() <= dict(line.split("=", 1) for line in lines[4:]).items()
    name = job["jobDefinition"].rpartition("/")[2].partition(":")[0]
    assert job["container"]["logStreamName"].startswith(f"{name}/default/")
    assert job["createdAt"] <= job["startedAt"] <= job["stoppedAt"]
    (attempt,) = job["attempts"]
    assert attempt["container"]["logStreamName"] == job["container"]["logStreamName"]


def test_what_a_job_prints_can_be_read_while_it_runs(batch: Batch, queue: str) -> None:
    options = {"awslogs-group": "/my/jobs", "awslogs-stream-prefix": "mine"}
    log = {"logDriver": "awslogs", "options": options}
    identifier = batch.submit(queue, batch.definition("echo begun; sleep 600", logConfiguration=log))
    job = batch.wait(identifier, "RUNNING")
    assert batch.log(job, "/my/jobs") == ["begun"]
    assert job["container"]["logStreamName"].startswith("mine/default/")
    batch.client.terminate_job(jobId=identifier, reason="seen enough")
    batch.end(identifier)


def test_overrides_parameters_and_the_image_s_own_command_are_heeded(batch: Batch, queue: str) -> None:
    definition = batch.definition(
        "echo Ref::greeting $A $B $C",
        parameters={"greeting": "hi"},
        environment=[{"name": "A", "value": "1"}, {"name": "B", "value": "1"}],
    )
    overrides = {"environment": [{"name": "B", "value": "2"}, {"name": "C", "value": "2"}], "memory": 96}
    plain = batch.end(batch.submit(queue, definition, containerOverrides=overrides, parameters={"greeting": "ho"}))
    assert batch.log(plain) == ["ho 1 2 2"]
    assert {"type": "MEMORY", "value": "96"} in plain["container"]["resourceRequirements"]
    overrides = {"command": ["echo", "quite different"]}
    assert batch.log(batch.end(batch.submit(queue, definition, containerOverrides=overrides))) == ["quite different"]
    assert batch.end(batch.submit(queue, batch.definition()))["status"] == "FAILED", "the image has no command"


_FILL = "dd if=/dev/zero of=/file bs=1M count=100 2>/dev/null; test $(stat -c %s /file) -lt 50000000 && exit 28"
_HUNGRY = "yes hungry | tail -c 200m"


@pytest.mark.parametrize(
    ("script", "code", "reason"),
    [
        ("exit 3", 3, None),
        ("kill -9 $$", 137, None),
        (_HUNGRY, 137, "OutOfMemoryError: Container killed due to memory usage"),
        (_FILL, 28, None),
    ],
    ids=["status", "signal", "memory", "disk"],
)
def test_a_failing_job_says_how_it_failed(batch: Batch, queue: str, script: str, code: int, reason: str | None) -> None:
    job = batch.run(queue, script)
    assert (job["status"], job["statusReason"]) == ("FAILED", _EXITED)
    assert (job["container"]["exitCode"], job["container"].get("reason")) == (code, reason)


def test_a_job_that_cannot_start_says_why(batch: Batch, queue: str) -> None:
    job = batch.end(batch.submit(queue, batch.definition(), containerOverrides={"command": ["no-such-program"]}))
    assert (job["status"], job["statusReason"], job["container"]["exitCode"]) == ("FAILED", "Task failed to start", 127)
    assert "CannotStartContainerError: fork/exec no-such-program" in job["container"]["reason"]
    job = batch.run(queue, "true", image="000000000000.dkr.ecr.us-east-1.amazonaws.com/none:latest")
    assert job["container"]["reason"].startswith("CannotPullContainerError: 000000000000.dkr")
    job = batch.run(queue, "true", secrets=[{"name": "S", "valueFrom": "/no/such/parameter"}])
    assert job["container"]["reason"].startswith("ResourceInitializationError: unable to pull secrets")


def test_secrets_are_in_the_environment_and_nowhere_else(batch: Batch, queue: str) -> None:
    batch.cloud.client("ssm").put_parameter(Name="/jobs/s", Type="SecureString", Value="hush")
    arn = batch.cloud.client("secretsmanager").create_secret(Name="jobs", SecretString='{"key": "quiet"}')["ARN"]
    names = {"A": "/jobs/s", "B": "arn:aws:ssm:us-east-1:000000000000:parameter/jobs/s", "C": f"{arn}:key::"}
    secrets = [{"name": name, "valueFrom": place} for name, place in names.items()]
    job = batch.run(queue, "echo ${#A}${#B}${#C} $A", secrets=secrets)
    assert batch.log(job) == ["445 hush"]
    assert "hush" not in str(job)


def test_a_failed_job_is_tried_again_as_often_as_it_says(batch: Batch, queue: str) -> None:
    job = batch.run(queue, "echo $AWS_BATCH_JOB_ATTEMPT; exit 7", retryStrategy={"attempts": 3})
    assert (job["status"], [attempt["container"]["exitCode"] for attempt in job["attempts"]]) == ("FAILED", [7, 7, 7])
    assert batch.log(job) == ["3"]
    assert len({attempt["container"]["logStreamName"] for attempt in job["attempts"]}) == 3
    rules = [{"onExitCode": "7", "action": "EXIT"}, {"onReason": "*", "action": "RETRY"}]
    again = batch.definition("exit $AWS_BATCH_JOB_ATTEMPT")
    job = batch.end(batch.submit(queue, again, retryStrategy={"attempts": 5, "evaluateOnExit": rules[:1]}))
    assert len(job["attempts"]) == 5
    script = "exit $((AWS_BATCH_JOB_ATTEMPT + 5))"
    job = batch.run(queue, script, retryStrategy={"attempts": 5, "evaluateOnExit": rules})
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [6, 7]


def test_a_hanging_job_ends_with_its_time_and_none_of_its_processes_lives_on(
    batch: Batch, queue: str, nap: str
) -> None:
    script = f"(setsid sleep {nap} &); (sleep {nap} &) ; sleep {nap}"
    timeout: dict[str, Any] = {"attemptDurationSeconds": 1}
    job = batch.run(queue, script, timeout=timeout, retryStrategy={"attempts": 2})
    assert (job["status"], job["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert len(job["attempts"]) == 1, "such a job is not tried again"
    assert not images.sleeping(nap)


def test_a_job_that_leaves_processes_behind_ends_with_its_first_one(batch: Batch, queue: str, nap: str) -> None:
    job = batch.run(queue, f"for i in 1 2 3; do (setsid sleep {nap} &); done; echo done")
    assert (job["status"], batch.log(job)) == ("SUCCEEDED", ["done"])
    assert not images.sleeping(nap)


def test_terminating_ends_the_whole_tree_of_processes(batch: Batch, queue: str, nap: str) -> None:
    definition = batch.definition(f"(setsid sleep {nap} &); sleep {nap}", retryStrategy={"attempts": 3})
    identifier = batch.submit(queue, definition)
    batch.wait(identifier, "RUNNING")
    wait_for(lambda: len(images.sleeping(nap)) == 2)
    batch.client.cancel_job(jobId=identifier, reason="too late for that")
    assert batch.job(identifier)["status"] == "RUNNING"
    batch.client.terminate_job(jobId=identifier, reason="enough")
    job = batch.end(identifier)
    assert (job["status"], job["statusReason"], job["isTerminated"]) == ("FAILED", "enough", True)
    assert [attempt["container"]["exitCode"] for attempt in job["attempts"]] == [137]
    assert not images.sleeping(nap)
    batch.client.terminate_job(jobId=identifier, reason="again")
    assert batch.job(identifier)["statusReason"] == "enough"


def test_volumes_are_folders_that_jobs_share_and_the_machine_s_files_stay_out_of_reach(
    batch: Batch, queue: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    efs = {"fileSystemId": "fs-1234", "rootDirectory": "/data"}
    volumes = [
        {"name": "efs", "efsVolumeConfiguration": efs},
        {"name": "host", "host": {"sourcePath": str(tmp_path)}},
    ]
    mounts = [
        {"sourceVolume": "efs", "containerPath": "/efs"},
        {"sourceVolume": "host", "containerPath": "/host", "readOnly": True},
    ]
    first = batch.run(queue, "echo here >/efs/file; ls /host; touch /host/x || echo read-only", volumes=volumes,
                      mountPoints=mounts)  # fmt: skip
    assert batch.log(first)[-1] == "read-only"
    assert "mine" not in batch.log(first)
    second = batch.run(queue, "cat /efs/file", volumes=volumes[:1], mountPoints=mounts[:1])
    assert batch.log(second) == ["here"]


def test_another_user_and_a_root_file_system_that_is_read_only(batch: Batch, queue: str) -> None:
    job = batch.run(queue, "id -u; id -g; touch /x 2>/dev/null || echo no; touch /tmp/x && echo yes", user="1000:1001")
    assert batch.log(job) == ["1000", "1001", "no", "yes"]
    job = batch.run(queue, "touch /x 2>/dev/null || echo no", readonlyRootFilesystem=True)
    assert batch.log(job) == ["no"]


def test_a_bomb_of_forks_is_contained(batch: Batch, queue: str) -> None:
    script = "bomb() { bomb | bomb & }; bomb; sleep 30"
    job = batch.run(queue, script, timeout={"attemptDurationSeconds": 2})
    assert job["status"] in ENDED
    assert batch.log(batch.run(queue, "echo fine")) == ["fine"]


@pytest.mark.parametrize(
    ("characters", "status"), [(7000, "SUCCEEDED"), (7900, "FAILED"), (12_000, "FAILED")], ids=["fits", "own", "long"]
)
def test_overrides_that_ecs_refuses_fail_the_job_after_it_was_accepted(
    batch: Batch, queue: str, characters: int, status: str
) -> None:
    overrides = {"environment": [{"name": "EVENT", "value": "x" * characters}]}
    job = batch.end(batch.submit(queue, batch.definition("true"), containerOverrides=overrides))
    assert job["status"] == status
    refused = job["statusReason"] == "Container Overrides length must be at most 8192"
    assert refused == (status == "FAILED")
    assert bool(job["attempts"]) != refused


def test_quotes_in_overrides_and_substituted_parameters_count(batch: Batch, queue: str) -> None:
    overrides = {"environment": [{"name": "EVENT", "value": '"' * 4500}]}
    quotes = batch.end(batch.submit(queue, batch.definition("true"), containerOverrides=overrides))
    definition = batch.definition("true Ref::long", parameters={"long": "x"})
    parameters = batch.end(batch.submit(queue, definition, parameters={"long": "x" * 9000}))
    for job in (quotes, parameters):
        assert job["statusReason"] == "Container Overrides length must be at most 8192"


def test_every_child_of_an_array_fails_for_its_overrides(batch: Batch, queue: str) -> None:
    overrides = {"environment": [{"name": "EVENT", "value": "x" * 9000}]}
    identifier = batch.submit(
        queue, batch.definition("true"), containerOverrides=overrides, arrayProperties={"size": 3}
    )
    array = batch.end(identifier)
    assert array["arrayProperties"]["statusSummary"]["FAILED"] == 3


def test_a_job_definition_has_a_largest_size(batch: Batch) -> None:
    with pytest.raises(batch.client.exceptions.ClientException, match="24 KiB"):
        batch.definition("true", environment=[{"name": "A", "value": "x" * 25_000}])
