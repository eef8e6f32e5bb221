"""Events that become jobs of AWS Batch, and the jobs: one of each event, whatever goes wrong."""

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.batch_service import Batch, batch_service
from tests.supervisor.conftest import Launch
from tests.supervisor.container import encoded, printed, s3_event
from tests.supervisor.objects import body, bucket, keys, to


@pytest.fixture
def batch() -> Iterator[Batch]:
    with batch_service() as service:
        yield service


def mode(name: str, **more: Any) -> dict[str, Any]:
    batch = {"job_queue": "queue", "job_definition": "definition:3", **more.pop("batch", {})}
    return {"name": "fn", "execution_mode": name, "batch": batch, "timeout_threshold": 1, **more}


def reaching(batch: Batch, credentials: dict[str, str]) -> dict[str, str]:
    return {**credentials, "AWS_ENDPOINT_URL_BATCH": batch.address}


def test_a_batch_function_submits_its_event_and_runs_nothing(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(script="echo ran", configuration=mode("batch"), environment=reaching(batch, credentials))
    request_id = container.start({"a": [1, "é"]})
    output = printed(container.finish(request_id))
    assert output.splitlines()[0] == "Job delegated to batch."
    assert "job-0" in output
    (job,) = batch.jobs
    assert (job["jobQueue"], job["jobDefinition"]) == ("queue", "definition:3")
    assert job["jobName"] == f"fn-{request_id}"
    assert json.loads(batch.variables()["EVENT"]) == {"a": [1, "é"]}
    assert batch.variables()["AWS_LAMBDA_REQUEST_ID"] == request_id
    assert "Credential=test/" in batch.authorizations[0]
    assert "/us-east-1/batch/aws4_request" in batch.authorizations[0]
    assert "ran\n" not in container.log


def test_a_lambda_batch_function_submits_only_what_takes_too_long(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(configuration=mode("lambda-batch"), environment=reaching(batch, credentials))
    assert printed(container.run("echo quick")) == "quick\n"
    assert batch.jobs == []
    event = {"script": encoded("echo begun; sleep 30")}
    assert "Job delegated" in printed(container.invoke(event, seconds=3))
    assert [json.loads(batch.variables(number)["EVENT"]) for number in range(len(batch.jobs))] == [event]


def test_an_event_for_which_too_little_time_is_left_is_submitted_unstarted(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    container = launch(script="echo ran", configuration=mode("lambda-batch"), environment=reaching(batch, credentials))
    assert "Job delegated" in container.output({}, seconds=1)
    assert len(batch.jobs) == 1
    assert "ran\n" not in container.log


def test_inputs_that_were_through_are_not_run_again_by_the_job(
    launch: Launch, batch: Batch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "half-done")
    for key in ("a", "slow", "c"):
        s3.put_object(Bucket=name, Key=f"in/{key}", Body=key.encode())
    script = """case $STORAGE_OBJECT_KEY$AWS_BATCH_JOB_ID in */slow) sleep 30;; esac
        echo $STORAGE_OBJECT_KEY >>$TMP_OUTPUT_DIR/${AWS_BATCH_JOB_ID:-lambda}-${STORAGE_OBJECT_KEY##*/}"""
    configuration = mode("lambda-batch", **to(f"{name}/out"))
    environment = reaching(batch, credentials)
    container = launch(script=script, configuration=configuration, environment=environment)
    assert not container.invoke(s3_event(name, "in/a", "in/slow", "in/c"), seconds=4).failed
    assert batch.variables()["SCAR_DONE"] == "0"
    job = {**environment, "AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job", **batch.variables()}
    assert launch(script=script, configuration=configuration, environment=job).process.wait(30) == 0
    assert keys(s3, name)[-3:] == ["out/job-c", "out/job-slow", "out/lambda-a"]


def test_one_job_is_made_whatever_is_lost_and_retried(
    launch: Launch, batch: Batch, credentials: dict[str, str]
) -> None:
    batch.lose_answers = 3
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    assert not container.invoke({}).failed
    assert len(batch.jobs) == 1
    batch.failing = 0.1
    for _ in range(30):
        assert not container.invoke({}).failed
    assert len(batch.jobs) == 31
    assert len({job["jobName"] for job in batch.jobs}) == 31


def test_an_event_that_lambda_repeats_is_one_job(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    batch.jobs.append({"jobName": "", "id": "job-earlier"})
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    request_id = container.start({})
    container.finish(request_id)
    batch.jobs[:] = batch.jobs[-1:]
    from tests.supervisor.runtime_api import Event

    container.api.send(Event(request_id, b"{}", 60, None))
    assert "job-1" in printed(container.finish(request_id))
    assert len(batch.jobs) == 1


def test_a_role_that_may_not_list_jobs_still_submits(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    batch.no_listing = True
    container = launch(configuration=mode("batch"), environment=reaching(batch, credentials))
    assert not container.invoke({}).failed
    assert len(batch.jobs) == 1
    assert "let the role call batch:ListJobs" in container.log


def test_a_large_event_travels_through_the_bucket(
    launch: Launch, batch: Batch, s3: Any, credentials: dict[str, str]
) -> None:
    name, event = bucket(s3, "large-events"), {"long": "ä" * 100_000}
    configuration = mode("batch", batch={"event_path": f"{name}/events"}, **to(f"{name}/out"))
    environment = reaching(batch, credentials)
    assert not launch(configuration=configuration, environment=environment).invoke(event).failed
    assert "EVENT" not in batch.variables()
    (kept,) = keys(s3, name)
    assert json.loads(body(s3, name, kept)) == event
    job = {**environment, "AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job", **batch.variables()}
    script = "cat $INPUT_FILE_PATH >$TMP_OUTPUT_DIR/event"
    assert launch(script=script, configuration=configuration, environment=job).process.wait(30) == 0
    assert json.loads(body(s3, name, "out/event")) == event


@pytest.mark.parametrize(
    ("configuration", "complaint"),
    [
        (mode("batch"), "set the event path"),
        ({"name": "fn", "execution_mode": "batch"}, "job_queue, job_definition missing"),
    ],
)
def test_what_cannot_be_delegated_is_told(
    launch: Launch, batch: Batch, credentials: dict[str, str], configuration: Any, complaint: str
) -> None:
    container = launch(configuration=configuration, environment=reaching(batch, credentials))
    outcome = container.invoke({"long": "x" * 30_000})
    assert complaint in outcome.message
    assert batch.jobs == []


def test_an_unknown_mode_ends_the_function_at_its_start(launch: Launch) -> None:
    container = launch(configuration={"execution_mode": "lamda"})
    assert container.process.wait(10) == 1
    assert container.api.outcome("init", 5).error_type == "Function.ConfigurationInvalid"


def test_a_function_of_many_nodes_overrides_them_all(launch: Launch, batch: Batch, credentials: dict[str, str]) -> None:
    configuration = mode("batch", batch={"multi_node": True})
    assert not launch(configuration=configuration, environment=reaching(batch, credentials)).invoke({}).failed
    assert batch.variables()["EVENT"] == "{}"


def job(**variables: str) -> dict[str, str]:
    return {"AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job-1", **variables}


def test_of_many_nodes_only_the_main_one_stages_and_stores(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "nodes")
    s3.put_object(Bucket=name, Key="in/a", Body=b"a")
    script = (
        "node=$AWS_BATCH_JOB_NODE_INDEX; echo node $node ${INPUT_FILE_PATH:+has input}; echo x >$TMP_OUTPUT_DIR/$node"
    )
    for node in ("0", "1", "2"):
        nodes = {"AWS_BATCH_JOB_NODE_INDEX": node, "AWS_BATCH_JOB_MAIN_NODE_INDEX": "1", "AWS_BATCH_JOB_NUM_NODES": "3"}
        environment = job(EVENT=json.dumps(s3_event(name, "in/a")), **nodes, **credentials)
        container = launch(script=script, configuration=to(f"{name}/out"), environment=environment)
        assert container.process.wait(30) == 0
        container.close()
        assert (f"node {node} has input\n" in container.log) is (node == "1")
    assert keys(s3, name) == ["in/a", "out/1"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -SEGV $$", 139),
        ("true", 0),
        ("echo No space left on device; exit 5", 5),
        ("echo Cannot allocate memory; exit 7", 7),
    ],
)
def test_the_exit_code_of_a_job_is_that_of_its_script(launch: Launch, script: str, code: int) -> None:
    environment = job(EVENT='{"a": 1}', SCRIPT=encoded(script))
    assert launch(environment=environment).process.wait(30) == code


def test_a_job_makes_the_folder_for_its_files_where_the_image_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supervisor import files

    monkeypatch.setattr(files, "TMP", str(tmp_path / "tmp"))
    for _ in range(2):
        files.make_tmp()
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
