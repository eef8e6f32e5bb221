"""Executions of a cloud that is killed go on at the next start, and do nothing again that is done."""

import json
import random
import time
from collections import Counter
from typing import Any

import pytest

from tests.cloud.states.conftest import Machine
from tests.cloud.states.test_executions import followed, invoke
from tests.cloud.states.test_map_runs import distributed, items, map_run
from tests.world.fake_cloud import FakeCloud, wait_for


def test_an_execution_goes_on_under_its_name_where_it_was(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("before", {"ANSWER": '{"n": 1}'})
    own_cloud.function("after", {"ANSWER": '{"n": 2}', "SECONDS": "1"})
    states = {"One": followed(invoke("before"), "Two"), "Two": invoke("after")}
    machine = Machine(own_cloud, states)
    arn = machine.start(name="run")
    wait_for(lambda: own_cloud.calls("after"))
    own_cloud.kill()
    own_cloud.start()
    assert machine.start(name="run") == arn
    ended = machine.ended(arn)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"n": 2})
    assert len(own_cloud.calls("before")) == 1
    kinds = machine.kinds(arn)
    assert [kinds.count(kind) for kind in ("ExecutionStarted", "TaskStateEntered", "ExecutionSucceeded")] == [1, 2, 1]
    assert [event["id"] for event in machine.events(arn)] == list(range(1, len(kinds) + 1))


def test_a_wait_ends_when_it_would_have_without_the_kill(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    machine = Machine(own_cloud, {"Rest": {"Type": "Wait", "Seconds": 3, "End": True}})
    arn = machine.start()
    own_cloud.kill()
    time.sleep(3.5)
    own_cloud.start()
    began = time.time()
    ended = machine.ended(arn)
    assert (ended["stopDate"].timestamp() - began) < 2.5


def test_a_clean_stop_is_no_failure_either(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("slow", {"SECONDS": "2", "ANSWER": "7"})
    machine = Machine(own_cloud, {"Call": invoke("slow")})
    arn = machine.start()
    wait_for(lambda: own_cloud.calls("slow"))
    own_cloud.stop()
    own_cloud.start()
    assert json.loads(machine.ended(arn)["output"]) == 7


@pytest.mark.parametrize("kind", ["STANDARD", "EXPRESS"])
def test_a_map_run_survives_kills_at_random_moments(own_cloud: FakeCloud, kind: str) -> None:
    own_cloud.start()
    own_cloud.client("s3").create_bucket(Bucket="items")
    own_cloud.function("each", {"ANSWER": '"ok"', "SECONDS": "0.05"})
    branches = [{"StartAt": "Map", "States": {"Map": distributed(invoke("each"), kind, MaxConcurrency=4)}}]
    branches.append({"StartAt": "Side", "States": {"Side": {"Type": "Pass", "Result": "side", "End": True}}})
    machine = Machine(own_cloud, {"Both": {"Type": "Parallel", "Branches": branches, "End": True}})
    arn = machine.start(items(own_cloud, "items", *({"task": number} for number in range(120))), name="run")
    chance = random.Random(7)  # noqa: S311 - moments of kills
    kills = 0
    while machine.described(arn)["status"] == "RUNNING" and kills < 8:
        time.sleep(chance.uniform(0.0, 0.6))
        own_cloud.kill()
        own_cloud.start()
        kills += 1
    ended = machine.ended(arn, 60)
    assert json.loads(ended["output"]) == [["ok"] * 120, "side"]
    called = Counter(call["payload"]["task"] for call in own_cloud.calls("each"))
    assert set(called) == set(range(120))
    # Only what ran at a kill may run again: four at once.
    assert sum(called.values()) - 120 <= 4 * kills
    counts = map_run(machine, arn)["itemCounts"]
    assert (counts["succeeded"], counts["running"], counts["total"]) == (120, 0, 120)
    kinds: Any = machine.kinds(arn)
    assert kinds.count("MapRunStarted") == kinds.count("ExecutionSucceeded") == 1
