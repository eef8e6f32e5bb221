"""Functions that hand their events to AWS Batch: from an object or a call to the job's result, and its verbs."""

import base64
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.client.clients import Clients
from scar_pulumi.cloud import LocalCloud
from tests.cloud.runner import images
from tests.end_to_end.conftest import Project, Terminal
from tests.world.waiting import wait_for

pytestmark = pytest.mark.xdist_group("jobs")

_NAP = f"634.{time.time_ns() % 10**9:09}"
_RESULT = 'wc -c <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/${INPUT_FILE_PATH##*/}-$AWS_BATCH_JOB_ID-$AWS_BATCH_JOB_ATTEMPT"'
_TROUBLE = f"""
case $(head -c 4 "$INPUT_FILE_PATH") in
fail) echo this is why; exit 3;;
hang) echo begun; sleep {_NAP};;
fork) for n in 1 2 3; do (setsid sleep {_NAP} >/dev/null 2>&1 &); done; echo forked;;
fill) dd if=/dev/zero of="$TMP_OUTPUT_DIR/large" bs=1M count=200;;
esac
{_RESULT}
"""
_LATE = f"""
test "${{AWS_BATCH_JOB_ID:-}}" || sleep {_NAP}
{_RESULT}
"""
_NODES = f"""
echo node $AWS_BATCH_JOB_NODE_INDEX of $AWS_BATCH_JOB_NUM_NODES has ${{INPUT_FILE_PATH:-no input}}
test "$AWS_BATCH_JOB_NODE_INDEX" = "$AWS_BATCH_JOB_MAIN_NODE_INDEX" || exec sleep {_NAP}
sleep 2
{_RESULT}
"""


class Stack:
    """Four functions that share an environment of four vCPUs; `scar` is the command line, all else asks the cloud."""

    def __init__(self, terminal: Terminal, queue: str) -> None:
        self.scar = terminal.scar
        self._queue = queue
        clients = Clients(LocalCloud(terminal.state / "local").environment())
        self._batch, self._lambda, self.s3 = (clients.client(service) for service in ("batch", "lambda", "s3"))

    def put(self, function: str, *names: str) -> None:
        def upload(name: str) -> None:
            self.s3.put_object(Bucket="jobs-in", Key=f"{function}/{name}", Body=name.encode())

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(upload, names))

    def call(self, function: str, content: str) -> str:
        """Call a function on an input file of that content and return its job's id."""
        event = base64.b64encode(content.encode()).decode()
        answer = json.load(self._lambda.invoke(FunctionName=function, Payload=json.dumps(event))["Payload"])
        text = base64.b64decode(answer["body"]).decode()
        assert text.startswith("Job delegated to batch."), text
        identifier = text.partition("job id: ")[2].strip()
        assert f"scar-pulumi logs {function} --job {identifier}" in text
        return identifier

    def job(self, identifier: str) -> Any:
        return self._batch.describe_jobs(jobs=[identifier])["jobs"][0]

    def end(self, identifier: str) -> Any:
        return wait_for(lambda: job if "stoppedAt" in (job := self.job(identifier)) else None, 60, identifier)

    def ended(self, function: str, count: int = 1) -> list[Any]:
        """Return the jobs that events of a function became, when there are so many and all have ended."""
        filters = [{"name": "JOB_NAME", "values": [f"{function}-*"]}]

        def look() -> list[Any] | None:
            pages = self._batch.get_paginator("list_jobs").paginate(jobQueue=self._queue, filters=filters)
            found = [job for page in pages for job in page["jobSummaryList"]]
            return found if len(found) >= count and all("stoppedAt" in job for job in found) else None

        return wait_for(look, 90, f"{count} jobs of {function}")

    def outputs(self, function: str) -> dict[str, str]:
        """Return what a function has stored, by name."""
        found = self.s3.list_objects_v2(Bucket="jobs-out", Prefix=f"{function}/").get("Contents", [])
        names = [item["Key"] for item in found]
        return {
            key.partition("/")[2]: self.s3.get_object(Bucket="jobs-out", Key=key)["Body"].read().decode().strip()
            for key in names
        }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, busybox_image: Path) -> Iterator[Stack]:
    """Return the stack, on a cloud of its own whose jobs have small disks."""
    folder = tmp_path_factory.mktemp("jobs")
    terminal = Terminal(folder / "state")
    terminal.environment |= {"SCAR_LOCAL_JOB_STORAGE": "64"}
    try:
        fdl = _project(folder / "four", busybox_image).write()
        outputs = terminal.up(fdl)["outputs"]
        queues = {function["batch"]["jobQueue"] for function in outputs["functions"].values()}
        assert len(queues) == 1, "equal compute resources are one environment"
        yield Stack(terminal, queues.pop())
        terminal.scar("destroy", fdl, "--yes")
    finally:
        terminal.scar("local", "stop", check=False)


def _project(folder: Path, image: Path) -> Project:
    folder.mkdir()
    project = Project(folder, image)
    batch = {"memory": 128, "compute_resources": {"instance_types": ["m5.xlarge"], "max_v_cpus": 4}}
    nodes = {"enabled": True, "number_nodes": 3, "main_node_index": 1}
    late = {"timeout": 4, "container": {"image_file": str(image), "timeout_threshold": 1}}
    project.function("each", _RESULT, "jobs-in/each", "jobs-out/each", execution_mode="batch")
    project.function("trouble", _TROUBLE, None, "jobs-out/trouble", execution_mode="batch")
    project.function("late", _LATE, "jobs-in/late", "jobs-out/late", execution_mode="lambda-batch", **late)
    project.function("nodes", _NODES, "jobs-in/nodes", "jobs-out/nodes", execution_mode="batch")
    project.beside = {name: {"batch": batch} for name in ("each", "trouble", "late")}
    project.beside["nodes"] = {"batch": {**batch, "multi_node_parallel": nodes}}
    return project


def test_each_event_becomes_one_job_and_its_result(stack: Stack) -> None:
    names = [f"file-{number}" for number in range(24)]
    stack.put("each", *names)
    jobs = stack.ended("each", len(names))
    assert [job["status"] for job in jobs] == ["SUCCEEDED"] * len(names)
    stored = stack.outputs("each")
    assert sorted(key.split("-", 2)[2] for key in stored) == sorted(f"{job['jobId']}-1" for job in jobs)
    assert sorted(int(key.split("-")[1]) for key in stored) == list(range(24))
    listed = stack.scar("jobs", "ls", "each", "--json").json
    assert {job["id"] for job in listed["jobs"]} == {job["jobId"] for job in jobs}
    table = stack.scar("jobs", "ls", "each", "--status", "succeeded").stdout
    assert table.count("SUCCEEDED") == len(names)


def test_jobs_in_trouble_say_so_and_leave_nothing_behind(stack: Stack) -> None:
    failing, forking, filling = (stack.call("trouble", text) for text in ("fail", "fork", "fill"))
    job = stack.end(failing)
    assert (job["status"], job["container"]["exitCode"]) == ("FAILED", 3)
    assert "this is why" in stack.scar("jobs", "logs", failing).stdout
    assert stack.end(forking)["status"] == "SUCCEEDED"
    assert stack.end(filling)["status"] == "FAILED"
    assert "No space left" in stack.scar("logs", "trouble", "--job", filling).stdout
    assert not images.sleeping(_NAP)
    assert [name for name in stack.outputs("trouble") if forking not in name] == []


def test_a_hanging_job_is_followed_and_cancelled(stack: Stack) -> None:
    hanging = stack.call("trouble", "hang")
    wait_for(lambda: len(images.sleeping(_NAP)) == 1, 30, "the job runs")
    answer = stack.scar("jobs", "cancel", "trouble", "--json", check=False)
    assert (answer.status, "--yes" in answer.stderr) == (2, True)
    answer = stack.scar("jobs", "cancel", "trouble", "--yes", "--reason", "seen enough", "--json")
    assert answer.json == {"cancelled": [hanging], "ended": []}
    job = stack.end(hanging)
    assert (job["status"], job["statusReason"]) == ("FAILED", "seen enough")
    assert not images.sleeping(_NAP)
    assert stack.scar("jobs", "cancel", hanging, "--json").json == {"cancelled": [], "ended": [hanging]}
    followed = stack.scar("jobs", "logs", hanging, "-f", "--json").stdout
    assert "begun" in [json.loads(line)["message"] for line in followed.splitlines()]
    shown = stack.scar("jobs", "show", "trouble", "--json").json["job"]
    assert (shown["id"], shown["reason"], len(shown["attempts"])) == (hanging, "seen enough", 1)


def test_an_event_larger_than_a_job_takes_comes_in_whole(stack: Stack) -> None:
    identifier = stack.call("trouble", "x" * 100_000)
    assert stack.end(identifier)["status"] == "SUCCEEDED"
    assert [size for name, size in stack.outputs("trouble").items() if identifier in name] == ["100000"]


def test_what_takes_lambda_too_long_becomes_a_job(stack: Stack) -> None:
    stack.put("late", "slow")
    (job,) = stack.ended("late")
    assert job["status"] == "SUCCEEDED"
    assert stack.outputs("late") == {f"slow-{job['jobId']}-1": "4"}


def test_of_many_nodes_only_the_main_one_has_inputs_and_outputs(stack: Stack) -> None:
    stack.put("nodes", "shared")
    (job,) = stack.ended("nodes")
    assert (job["status"], job["nodeProperties"]["numNodes"]) == ("SUCCEEDED", 3)
    assert stack.outputs("nodes") == {f"shared-{job['jobId']}#1-1": "6"}
    shown = stack.scar("jobs", "show", "nodes", "--json").json["job"]
    assert [part["status"] for part in shown["parts"]] == ["FAILED", "SUCCEEDED", "FAILED"]
    printed = stack.scar("jobs", "logs", "nodes").stdout
    assert {f"node {number} of 3 has no input" for number in (0, 2)} <= set(printed.splitlines())
    assert "node 1 of 3 has /tmp/" in printed
    assert not images.sleeping(_NAP)


def test_what_is_no_job_is_told(stack: Stack) -> None:
    other = stack.ended("trouble")[0]["jobId"]
    for arguments in (["jobs", "show", "nothing"], ["logs", "each", "--job", other], ["jobs", "ls", "eahc"]):
        answer = stack.scar(*arguments, check=False)
        assert answer.status == 2
        assert "no such" in answer.stderr
