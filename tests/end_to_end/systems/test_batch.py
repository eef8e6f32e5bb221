"""AWS Batch from an FDL file: deployed, changed, run and destroyed on the local cloud."""

import json
from pathlib import Path
from typing import Any

import botocore.session
import pytest
import yaml

from tests.end_to_end.conftest import Project, Terminal

pytestmark = pytest.mark.xdist_group("main_job")

SAME = {"create": 0, "update": 0, "replace": 0, "delete": 0}
UPPER = 'tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"'
NODE = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/node-$AWS_BATCH_JOB_NODE_INDEX-of-$AWS_BATCH_JOB_NUM_NODES"'
SPLIT = 'for n in 1 2 3; do head -c "$n" "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/part-$n"; done'
# In Lambda there is no time for it.
SLOW = f'[ -n "${{AWS_BATCH_JOB_ID:-}}" ] || sleep 60; {UPPER}'


def changed(changes: dict[str, int]) -> dict[str, int]:
    return {key: changes[key] for key in SAME}


def write(project: Project, **sections: dict[str, Any]) -> Path:
    """Write the file, with a `batch` section for each function that is named."""
    document = yaml.safe_load(project.write().read_text())
    for element in document["functions"]["aws"]:
        if found := sections.get(element["lambda"]["name"]):
            element["batch"] = found
    project.fdl.write_text(yaml.safe_dump(document))
    return project.fdl


def on(**resources: Any) -> dict[str, Any]:
    return {"memory": 128, "compute_resources": resources}


def test_events_become_jobs_and_jobs_results(project: Project, terminal: Terminal) -> None:
    # No bucket may have this name, and S3's filters want these characters encoded.
    long = "long_" + "x" * 40
    project.function(long, UPPER, "jobs/year=2024/a b+é", "jobs/out", execution_mode="batch")
    project.function("late", SLOW, "jobs/late", "jobs/out", execution_mode="lambda-batch", timeout=12)
    # A job's results start functions, one for each.
    project.function("split", SPLIT, "jobs/whole", "jobs/parts", execution_mode="batch")
    project.function("part", UPPER, "jobs/parts", "jobs/done")
    project.function("many", NODE, "jobs/many", "jobs/nodes", execution_mode="batch")
    nodes = {"memory": 128, "multi_node_parallel": {"enabled": True, "number_nodes": 2, "main_node_index": 1}}
    small = {"memory": 128}
    answer = terminal.up(write(project, **{long: small}, late=small, split=small, many=nodes))
    functions = answer["outputs"]["functions"]
    assert len({function["batch"]["jobQueue"] for function in functions.values() if "batch" in function}) == 1
    assert functions[long]["batch"]["logGroup"] == f"/aws/batch/{long}"

    for name, folder in (("long", "year=2024/a b+é"), ("late", "late"), ("many", "many"), ("abc", "whole")):
        (project.folder / f"{name}.txt").write_text(name)
        terminal.scar("put", f"jobs/{folder}", project.folder / f"{name}.txt")
    # More than a job's overrides take: it goes through the environment's bucket.
    (project.folder / "large.txt").write_text("x" * 8_000)
    said = terminal.scar("invoke", long, "--file", project.folder / "large.txt").stdout
    assert "Job delegated to batch." in said
    assert terminal.wait_for_keys("jobs/out", 3)[-2:] == ["out/late.txt", "out/long.txt"]
    # What the nodes write is theirs; results are the main node's.
    assert terminal.wait_for_keys("jobs/nodes", 1) == ["nodes/node-1-of-2"]
    terminal.scar("get", "jobs/out", project.folder / "results")
    contents = {path.read_text() for path in (project.folder / "results").rglob("*") if path.is_file()}
    assert contents == {"LATE", "LONG", "X" * 8_000}
    assert terminal.wait_for_keys("jobs/done", 3) == [f"done/part-{number}" for number in (1, 2, 3)]

    destroyed = terminal.scar("destroy", project.fdl, "--yes")
    assert "environment-queue deleted" in destroyed.stderr


def test_changes_are_made_in_place_or_the_queue_moves_to_a_new_environment(
    project: Project, terminal: Terminal
) -> None:
    # With a role that is not AWS's own, other machines are another environment.
    role = {"service_role": "arn:aws:iam::000000000000:role/batch"}
    one = project.function("one", UPPER, "moves/in", "moves/out", execution_mode="batch")
    before = terminal.up(write(project, one=on(max_v_cpus=2) | role))["outputs"]["functions"]["one"]["batch"]
    assert changed(terminal.up(project.fdl)["changes"]) == SAME
    assert changed(terminal.scar("refresh", project.fdl, "--yes", "--json").json["changes"]) == SAME

    # The environment, a new revision of the job, and the function that submits to it.
    larger = on(max_v_cpus=4) | role | {"memory": 256}
    in_place = terminal.up(write(project, one=larger))
    assert changed(in_place["changes"]) == {**SAME, "update": 3}
    revised = in_place["outputs"]["functions"]["one"]["batch"]
    assert [arn.rpartition(":")[2] for arn in (before["jobDefinition"], revised["jobDefinition"])] == ["1", "2"]

    # Another environment, and another function before the one that gave it its name; the queue is the same.
    other = on(max_v_cpus=4, instance_types=["c5"]) | role | {"memory": 256}
    project.functions.clear()
    project.function("first", UPPER, "moves/first", "moves/out", execution_mode="batch")
    project.functions.append(one)
    moved = terminal.up(write(project, one=other, first=other))
    assert (moved["changes"]["replace"], moved["changes"]["delete"]) == (1, 0)
    assert moved["outputs"]["functions"]["one"]["batch"] == revised
    assert moved["outputs"]["functions"]["first"]["batch"]["jobQueue"] == revised["jobQueue"]
    queue = batch(terminal, "describe_job_queues", jobQueues=[before["jobQueue"]])["jobQueues"][0]
    environments = batch(terminal, "describe_compute_environments")["computeEnvironments"]
    assert [found["computeEnvironmentArn"] for found in environments] == [
        entry["computeEnvironment"] for entry in queue["computeEnvironmentOrder"]
    ]

    terminal.scar("destroy", project.fdl, "--yes")
    assert batch(terminal, "describe_job_queues")["jobQueues"] == []
    assert batch(terminal, "describe_compute_environments")["computeEnvironments"] == []
    assert batch(terminal, "describe_job_definitions", status="ACTIVE")["jobDefinitions"] == []


def batch(terminal: Terminal, operation: str, **arguments: Any) -> Any:
    """Ask the local cloud's Batch."""
    endpoint = json.loads(terminal.scar("local", "status", "--json").stdout)["endpoint"]
    client = botocore.session.Session().create_client(
        "batch", "us-east-1", endpoint_url=endpoint, aws_access_key_id="test", aws_secret_access_key="test"
    )
    return getattr(client, operation)(**arguments)
