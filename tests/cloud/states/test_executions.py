"""Executions as AWS runs them: states one after another, what they get and give, how they fail and are caught."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cloud.states.conftest import Machine
from tests.world.fake_cloud import FakeCloud, wait_for

Make = Callable[..., Machine]
INVOKE = "arn:aws:states:::lambda:invoke"


def invoke(function: str, **more: Any) -> dict[str, Any]:
    state = {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": function, "Payload.$": "$"}}
    return {**state, "OutputPath": "$.Payload", "End": True, **more}


def followed(state: dict[str, Any], following: str) -> dict[str, Any]:
    return {**{name: value for name, value in state.items() if name != "End"}, "Next": following}


def test_data_flows_through_paths_parameters_and_functions(machine: Make) -> None:
    chosen = machine(
        {
            "Choose": {
                "Type": "Pass",
                "InputPath": "$.in",
                "Parameters": {
                    "name.$": "States.Format('{}-{}', $.name, $$.Execution.Name)",
                    "sizes.$": "$.files[*].size",
                    "fixed": 1,
                },
                "ResultPath": "$.made",
                "OutputPath": "$.made",
                "End": True,
            }
        }
    )
    data = {"in": {"name": "a", "files": [{"size": 1}, {"size": 2}]}}
    arn = chosen.start(data, name="first")
    assert json.loads(chosen.ended(arn)["output"]) == {"name": "a-first", "sizes": [1, 2], "fixed": 1}
    assert chosen.kinds(arn) == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_a_function_is_invoked_with_its_payload_and_answers(cloud: FakeCloud, machine: Make) -> None:
    cloud.function("answers", {"ANSWER": '{"counted": 3}'})
    task = machine({"Call": invoke("answers", ResultSelector={"Payload.$": "$.Payload", "status.$": "$.StatusCode"})})
    arn = task.start({"key": "é"})
    assert json.loads(task.ended(arn)["output"]) == {"counted": 3}
    assert cloud.calls("answers")[-1]["payload"] == {"key": "é"}
    assert [kind for kind in task.kinds(arn) if kind.startswith("Task")] == [
        *("TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSucceeded", "TaskStateExited")
    ]

    function = cloud.client("lambda").get_function(FunctionName="answers")["Configuration"]["FunctionArn"]
    direct = machine({"Call": {"Type": "Task", "Resource": function, "End": True}})
    assert direct.output() == {"counted": 3}


def test_a_failed_function_is_tried_again_as_its_retrier_says_and_then_caught(cloud: FakeCloud, machine: Make) -> None:
    cloud.function("fails", {"FAILURES": "99"})
    retry = [{"ErrorEquals": ["Told"], "IntervalSeconds": 1, "MaxAttempts": 1, "BackoffRate": 1.0}]
    catch = [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "Caught"}]
    states = {"Call": invoke("fails", Retry=retry, Catch=catch), "Caught": {"Type": "Pass", "End": True}}
    output = machine(states).output({"kept": True})
    assert output["kept"] is True
    assert output["error"]["Error"] == "Told"
    assert json.loads(output["error"]["Cause"])["errorMessage"] == "told to fail"
    assert len(cloud.calls("fails")) == 2


def test_a_function_that_is_not_there_fails_the_execution(machine: Make) -> None:
    error, cause = machine({"Call": invoke("nobody")}).failure()
    assert error == "Lambda.ResourceNotFoundException"
    assert "nobody" in cause


def test_choices_are_made_by_rules(machine: Make) -> None:
    rules = [
        {"And": [{"Variable": "$.n", "IsPresent": True}, {"Variable": "$.n", "NumericGreaterThan": 2}], "Next": "Many"},
        {"Variable": "$.name", "StringMatches": "*.csv", "Next": "Table"},
    ]
    ends = {name: {"Type": "Pass", "Result": name, "End": True} for name in ("Many", "Table")}
    chosen = machine({"Choose": {"Type": "Choice", "Choices": rules}, **ends})
    assert chosen.output({"n": 3}) == "Many"
    assert chosen.output({"name": "x.csv"}) == "Table"
    assert chosen.failure({"name": "x.txt"})[0] == "States.NoChoiceMatched"
    error, cause = chosen.failure({"n": 1})
    assert error == "States.Runtime"
    assert "'$.name' could not be found" in cause


def test_branches_run_side_by_side_and_one_failure_fails_all(machine: Make) -> None:
    def branch(name: str, state: dict[str, Any]) -> dict[str, Any]:
        return {"StartAt": name, "States": {name: state}}

    fine = branch("A", {"Type": "Pass", "Result": 1, "End": True})
    broken = branch("B", {"Type": "Fail", "Error": "Mine", "CausePath": "$.why"})
    slow = branch("C", {"Type": "Wait", "Seconds": 600, "End": True})
    good = machine({"Both": {"Type": "Parallel", "Branches": [fine, branch("D", {"Type": "Succeed"})], "End": True}})
    assert good.output({"x": 1}) == [1, {"x": 1}]
    bad = machine({"Both": {"Type": "Parallel", "Branches": [fine, broken, slow], "End": True}})
    assert bad.failure({"why": "because"}) == ("Mine", "because")


def test_a_map_works_on_each_item_in_order(machine: Make) -> None:
    processor = {"StartAt": "Each", "States": {"Each": {"Type": "Pass", "End": True}}}
    selector = {"n.$": "$$.Map.Item.Index", "value.$": "$$.Map.Item.Value", "all.$": "$.name"}
    state = {"Type": "Map", "ItemsPath": "$.items", "ItemSelector": selector, "ItemProcessor": processor, "End": True}
    mapped = machine({"Map": {**state, "MaxConcurrency": 2}})
    output = mapped.output({"items": ["a", "b", "c"], "name": "x"})
    assert output == [{"n": n, "value": value, "all": "x"} for n, value in enumerate("abc")]
    assert mapped.failure({"items": 3, "name": "x"})[0] == "States.Runtime"


def test_an_execution_that_takes_too_long_is_ended(machine: Make) -> None:
    slow = machine({"Rest": {"Type": "Wait", "Seconds": 600, "End": True}}, TimeoutSeconds=1)
    ended = slow.ended(slow.start())
    assert (ended["status"], ended["error"]) == ("TIMED_OUT", "States.Timeout")


def test_a_task_that_takes_too_long_is_caught_as_a_timeout(cloud: FakeCloud, machine: Make) -> None:
    cloud.function("slow", {"SECONDS": "3"})
    catch = [{"ErrorEquals": ["States.Timeout"], "Next": "Late"}]
    late = {"Type": "Pass", "Result": "late", "End": True}
    assert machine({"Call": invoke("slow", TimeoutSeconds=1, Catch=catch), "Late": late}).output() == "late"


def test_one_name_is_one_execution(cloud: FakeCloud, machine: Make) -> None:
    waiting = machine({"Rest": {"Type": "Wait", "Seconds": 600, "End": True}})
    first = waiting.start({"a": 1}, name="run")
    assert waiting.start({"a": 1}, name="run") == first
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        waiting.start({"a": 2}, name="run")
    client = cloud.client("stepfunctions")
    client.stop_execution(executionArn=first, error="Enough", cause="of it")
    stopped = waiting.described(first)
    assert (stopped["status"], stopped["error"], stopped["cause"]) == ("ABORTED", "Enough", "of it")
    with pytest.raises(ClientError, match="ExecutionAlreadyExists"):
        waiting.start({"a": 1}, name="run")
    assert [one["name"] for one in client.list_executions(stateMachineArn=waiting.arn)["executions"]] == ["run"]


@pytest.mark.parametrize("name", ["a b", "a/b", "a" * 81, "a:b", "<x>"])
def test_a_name_that_aws_refuses_is_refused(machine: Make, name: str) -> None:
    with pytest.raises(ClientError, match="InvalidName"):
        machine({"Done": {"Type": "Succeed"}}).start(name=name)


def test_inputs_and_results_have_aws_limit(cloud: FakeCloud, machine: Make) -> None:
    done = machine({"Done": {"Type": "Succeed"}})
    assert len(done.output("x" * (262_144 - 2))) == 262_142
    with pytest.raises(ClientError, match="InvalidExecutionInput"):
        done.start("x" * 262_143)
    cloud.function("large", {"ANSWER_BYTES": "262145"})
    error, cause = machine(
        {"Call": invoke("large", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Done"}]), "Done": {"Type": "Succeed"}}
    ).failure()
    assert error == "States.DataLimitExceeded"
    assert "262144" in cause


def test_a_loop_ends_at_the_limit_of_events(machine: Make) -> None:
    loop = machine({"Around": {"Type": "Pass", "Next": "Again"}, "Again": {"Type": "Pass", "Next": "Around"}})
    arn = loop.start()
    ended = loop.ended(arn, 120)
    assert (ended["status"], ended["error"]) == ("FAILED", "States.Runtime")
    assert "25000" in ended["cause"]
    assert len(loop.events(arn)) <= 25_000


def test_a_machine_that_is_deleted_takes_its_executions_with_it(cloud: FakeCloud, machine: Make) -> None:
    waiting = machine({"Rest": {"Type": "Wait", "Seconds": 600, "End": True}})
    arn = waiting.start()
    client = cloud.client("stepfunctions")
    client.delete_state_machine(stateMachineArn=waiting.arn)
    client.delete_state_machine(stateMachineArn=waiting.arn)
    with pytest.raises(ClientError, match="ExecutionDoesNotExist"):
        waiting.described(arn)
    wait_for(lambda: json.loads(cloud.http("GET", "/_scar/status")[2])["executions"]["running"] == 0)


def test_a_running_execution_keeps_its_definition(cloud: FakeCloud, machine: Make) -> None:
    states = {"Rest": {"Type": "Wait", "Seconds": 2, "Next": "Say"}, "Say": {"Type": "Pass", "Result": 1, "End": True}}
    changed = machine(states)
    arn = changed.start()
    other = {"StartAt": "Say", "States": {"Say": {"Type": "Pass", "Result": 2, "End": True}}}
    cloud.client("stepfunctions").update_state_machine(stateMachineArn=changed.arn, definition=json.dumps(other))
    assert json.loads(changed.ended(arn)["output"]) == 1
    assert changed.output() == 2


def test_a_failed_execution_is_redriven_from_where_it_failed(cloud: FakeCloud, machine: Make) -> None:
    cloud.function("first", {"ANSWER": '{"first": 1}'})
    cloud.function("second", {"FAILURES": "99"})
    task = machine({"One": followed(invoke("first"), "Two"), "Two": invoke("second")})
    arn = task.start()
    assert task.ended(arn)["status"] == "FAILED"
    assert task.described(arn)["redriveStatus"] == "REDRIVABLE"
    configuration = {"Environment": {"Variables": {"ANSWER": '{"second": 2}'}}}
    cloud.client("lambda").update_function_configuration(FunctionName="second", **configuration)
    cloud.client("stepfunctions").redrive_execution(executionArn=arn)
    ended = task.ended(arn)
    assert (ended["status"], json.loads(ended["output"]), ended["redriveCount"]) == ("SUCCEEDED", {"second": 2}, 1)
    assert len(cloud.calls("first")) == 1
    assert "ExecutionRedriven" in task.kinds(arn)
    with pytest.raises(ClientError, match="ExecutionNotRedrivable"):
        cloud.client("stepfunctions").redrive_execution(executionArn=arn)
