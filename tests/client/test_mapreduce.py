"""Runs of MapReduces as the data plane reads them, and what they cost."""

import pytest

from scar_pulumi.client.mapreduce import Progress, Tasks, Totals, run_id, split_name
from scar_pulumi.client.outputs import DeployedMapReduce, StackOutputs
from scar_pulumi.client.prices import cost_of_run
from supervisor.mapreduce.objects import Head
from supervisor.mapreduce.run import Run

ENTRY = {
    "arn": "arn:aws:states:eu-west-1:000000000000:stateMachine:count",
    "functions": {"plan": "arn:plan", "map": "arn:map", "reduce": "arn:reduce", "commit": "arn:commit"},
    "inputs": [{"provider": "s3.default", "path": "texts/in"}],
    "outputs": [{"provider": "s3.default", "path": "texts/out"}],
    "reducers": 4,
    "engine": "lambda",
    "workBucket": "count-work",
    "memory": {"map": 2048, "reduce": 1024},
}


def deployed(**changes: object) -> DeployedMapReduce:
    return StackOutputs.read({"functions": {}, "mapreduce": {"count": {**ENTRY, **changes}}}).mapreduces["count"]


@pytest.mark.parametrize("version", [None, "v1"])
def test_a_run_has_the_id_that_the_planner_gives_it(version: str | None) -> None:
    run = Run.of("texts", "in/é a.txt", Head(7, '"etag"', version), "digest")
    assert run_id(run._asdict(), "digest") == run.run
    assert run_id(run._asdict(), "another") != run.run


def test_names_of_executions_say_how_often_a_run_was_resumed() -> None:
    assert [split_name(name) for name in ("abc", "abc-1", "abc-12")] == [("abc", 0), ("abc", 1), ("abc", 12)]


def test_a_mapreduce_without_a_state_machine_is_not_deployed() -> None:
    entries = {"count": {**ENTRY, "arn": ""}}
    assert StackOutputs.read({"functions": {}, "mapreduce": entries}).mapreduces == {}


def test_stages_log_where_they_run() -> None:
    batch = deployed(
        engine="batch", functions={"plan": "p", "commit": "c"}, batch={"jobQueue": "queue", "jobDefinitions": {}}
    )
    assert (batch.region, batch.job_queue) == ("eu-west-1", "queue")
    groups = [deployed().log_group("map"), batch.log_group("map"), batch.log_group("plan")]
    assert groups == ["/aws/lambda/count-map", "/aws/batch/count-map", "/aws/lambda/count-plan"]


def test_the_cost_is_that_of_memory_transitions_and_requests() -> None:
    totals = Totals(bytes=2**30, map_seconds=100, reduce_seconds=10)
    cost = cost_of_run(deployed(), Tasks(done=16), Tasks(done=4), totals)
    assert cost
    computing = (100 * 2 + 10 * 1) * 0.0000166667
    transitions = (20 * 3 + 8) * 0.000025
    assert cost.total == pytest.approx(computing + transitions, rel=0.06)
    assert cost.total > computing + transitions
    assert cost.per_gib == pytest.approx(cost.total)
    arm = cost_of_run(deployed(architecture="arm64"), Tasks(done=16), Tasks(done=4), totals)
    assert arm
    assert arm.total < cost.total
    assert cost_of_run(deployed(engine="batch"), Tasks(), Tasks(), totals) is None
    small = cost_of_run(deployed(), Tasks(done=1), Tasks(done=1), Totals(bytes=20, map_seconds=1, reduce_seconds=1))
    assert small
    assert small.per_gib is None


def test_how_far_a_run_is_counts_tasks_of_both_stages() -> None:
    assert Progress("map", Tasks(3, 0, 8), Tasks(0, 0, 2)).fraction == 0.3
    assert [Progress("plan").fraction, Progress("done").fraction] == [0, 1]
