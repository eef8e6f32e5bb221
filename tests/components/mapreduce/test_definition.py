"""The state machine of a MapReduce as plain data."""

import json
from typing import Any

import pytest

from scar_components.mapreduce.definition import Functions, Jobs, definition
from scar_pulumi.cloud.states.definitions import mistakes

PLAN, COMMIT, MAP, REDUCE = (f"arn:aws:lambda:eu-west-1:123456789012:function:count-{one}" for one in "pcmr")
IN_LAMBDA = definition(PLAN, COMMIT, Functions(MAP, 40), Functions(REDUCE, 40))
IN_BATCH = definition(PLAN, COMMIT, Jobs("queue", "map:1", "count-map"), Jobs("queue", "reduce:1", "count-reduce"))
BOTH = pytest.mark.parametrize("machine", [IN_LAMBDA, IN_BATCH], ids=["lambda", "batch"])


def _next(state: dict[str, Any]) -> set[str]:
    following = {state[key] for key in ("Next", "Default") if key in state}
    return following | {one["Next"] for key in ("Choices", "Catch") for one in state.get(key, ())}


@BOTH
def test_every_state_is_reached_and_leads_to_one_that_exists(machine: dict[str, Any]) -> None:
    states = machine["States"]
    reached, waiting = set[str](), [machine["StartAt"]]
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting += _next(states[name]) - reached
    assert reached == states.keys()


@BOTH
def test_the_local_cloud_which_is_as_strict_as_aws_accepts_it(machine: dict[str, Any]) -> None:
    assert mistakes(json.dumps(machine)) == []


@BOTH
def test_every_failure_is_said_in_the_output_and_fails_the_execution(machine: dict[str, Any]) -> None:
    states = machine["States"]
    working = {name for name, state in states.items() if state["Type"] in ("Task", "Map") and name != "Failed"}
    assert working == {"Plan", "Scan", "Splits", "Map", "Reduce", "Commit"}
    for name in working:
        (caught,) = states[name]["Catch"]
        assert (caught["ErrorEquals"], caught["Next"], caught["ResultPath"]) == (["States.ALL"], "Failed", "$.error")
    said, unsaid = states["Fail"], states["FailUnsaid"]
    assert (states["Failed"]["Next"], states["Failed"]["Catch"][0]["Next"]) == ("Fail", "FailUnsaid")
    assert (said["ErrorPath"], said["CausePath"]) == ("$.said.error", "$.said.message")
    assert (unsaid["ErrorPath"], unsaid["CausePath"]) == ("$.error.Error", "$.error.Cause")


@BOTH
def test_an_object_without_records_is_committed_at_once(machine: dict[str, Any]) -> None:
    (rule,) = machine["States"]["HasRecords"]["Choices"]
    assert (rule["Variable"], rule["NumericEquals"], rule["Next"]) == ("$.plan.answer.map_count", 0, "Commit")


@BOTH
def test_the_same_definition_is_the_same_text(machine: dict[str, Any]) -> None:
    assert json.loads(json.dumps(machine)) == machine


def test_each_line_of_the_plan_is_one_task_in_lambda() -> None:
    for name, function, lines in (("Map", MAP, "tasks"), ("Reduce", REDUCE, "reduce_tasks")):
        state = IN_LAMBDA["States"][name]
        assert state["ItemReader"] == {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSONL"},
            "Parameters": {"Bucket.$": f"$.plan.answer.{lines}.bucket", "Key.$": f"$.plan.answer.{lines}.key"},
        }
        assert state["MaxConcurrency"] == 40
        task = state["ItemProcessor"]["States"][f"{name}Task"]
        assert task["Parameters"] == {"FunctionName": function, "Payload.$": "$"}


def test_outputs_of_ten_thousand_tasks_fit_into_a_state() -> None:
    # 256 KiB: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
    task = IN_LAMBDA["States"]["Map"]["ItemProcessor"]["States"]["MapTask"]
    assert task["OutputPath"] is None
    assert len(json.dumps([{}] * 10_000)) < 256 * 1024


def test_throttling_is_waited_for_an_hour_and_lasting_mistakes_are_not_tried_again() -> None:
    retries = IN_LAMBDA["States"]["Map"]["ItemProcessor"]["States"]["MapTask"]["Retry"]
    passing, lasting, others = retries
    assert "Lambda.TooManyRequestsException" in passing["ErrorEquals"]
    waited, pause = 0, passing["IntervalSeconds"]
    for _ in range(passing["MaxAttempts"]):
        waited += min(pause, passing["MaxDelaySeconds"])
        pause *= passing["BackoffRate"]
    assert 3600 <= waited < 3900
    assert lasting["MaxAttempts"] == 0
    assert "InputChanged" in lasting["ErrorEquals"]
    # https://states-language.net/#retrying-after-error: it stands alone and last.
    assert (others["ErrorEquals"], others["MaxAttempts"]) == (["States.ALL"], 3)


def test_a_stage_in_batch_is_one_array_whose_jobs_know_their_run() -> None:
    state = IN_BATCH["States"]["Map"]
    assert state["Resource"] == "arn:aws:states:::batch:submitJob.sync"
    assert state["Parameters"] == {
        "JobName.$": "States.Format('count-map-{}', $.run.run)",
        "JobQueue": "queue",
        "JobDefinition": "map:1",
        "ArrayProperties": {"Size.$": "$.plan.answer.array_size"},
        "ContainerOverrides": {"Environment": [{"Name": "EVENT", "Value.$": "States.JsonToString($.map)"}]},
    }
    assert IN_BATCH["States"]["Start"]["Parameters"]["map"] == {"mapreduce": "map", "run.$": "$.run"}
