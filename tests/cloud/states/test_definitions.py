"""Definitions: what AWS refuses is refused, and what this cloud lacks, each with its place."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from scar_pulumi.cloud.states.definitions import mistakes
from tests.cloud.states.conftest import Machine
from tests.cloud.states.test_map_runs import distributed
from tests.world.fake_cloud import ROLE, FakeCloud

INVOKE = "arn:aws:states:::lambda:invoke"
DONE = {"Type": "Succeed"}


def of(**states: Any) -> list[str]:
    return mistakes(json.dumps({"StartAt": next(iter(states)), "States": states}))


def task(**more: Any) -> dict[str, Any]:
    return {"Type": "Task", "Resource": INVOKE, "Parameters": {"FunctionName": "f"}, "End": True, **more}


@pytest.mark.parametrize(
    ("states", "words"),
    [
        ({"A": {"Type": "Nope"}}, "Type must be one of Task, Pass.* at /States/A/Type"),
        ({"A": {"Type": "Pass"}}, "exactly one of Next and End is needed at /States/A"),
        ({"A": {"Type": "Pass", "Next": "B", "End": True}, "B": DONE}, "exactly one of Next and End"),
        ({"A": {"Type": "Pass", "Next": "B"}}, "MISSING_TRANSITION_TARGET: there is no state 'B' at /States/A/Next"),
        ({"A": DONE, "B": DONE}, "State 'B' is not reachable at /States/B"),
        ({"A": {"Type": "Pass", "InputPath": "a.b", "End": True}}, r"'a.b' does not start with \$ at /States/A/InputP"),
        ({"A": {"Type": "Pass", "ResultPath": "$.a[*]", "End": True}}, "is not a reference path.*/ResultPath"),
        ({"A": {"Type": "Pass", "Parameters": {"a.$": "$.["}, "End": True}}, r"a.\$: .* is not a JSONPath"),
        (
            {"A": {"Type": "Pass", "Parameters": {"a.$": "States.Nope()"}, "End": True}},
            "no intrinsic function States.N",
        ),
        ({"A": {"Type": "Pass", "Parameters": {"a": 1, "a.$": "$"}, "End": True}}, "has 'a' twice"),
        ({"A": {"Type": "Pass", "Foo": 1, "End": True}}, "the field is not known here at /States/A/Foo"),
        ({"A": {"Type": "Pass", "Assign": {}, "End": True}}, "does not have variables at /States/A/Assign"),
        ({"A": {"Type": "Pass", "QueryLanguage": "JSONata", "End": True}}, "does not have JSONata"),
        ({"A": task(Resource="arn:aws:states:::sqs:sendMessage")}, "does not have 'arn:aws:states:::sqs:sendMessage'"),
        ({"A": task(Resource="arn:aws:states:::lambda:invoke.waitForTaskToken")}, "does not have"),
        ({"A": task(Parameters={})}, "Parameters needs FunctionName"),
        ({"A": task(TimeoutSeconds=5, HeartbeatSeconds=5)}, "HeartbeatSeconds must be less than TimeoutSeconds"),
        ({"A": task(TimeoutSeconds=0)}, "must be a whole number from 1"),
        ({"A": task(TimeoutSeconds=1, TimeoutSecondsPath="$.t")}, "exclude each other"),
        ({"A": task(Retry=[{"ErrorEquals": []}])}, r"at /States/A/Retry\[0\]/ErrorEquals"),
        ({"A": task(Retry=[{"ErrorEquals": ["States.ALL", "X"]}])}, "must stand alone"),
        ({"A": task(Retry=[{"ErrorEquals": ["States.ALL"]}, {"ErrorEquals": ["X"]}])}, "in the last rule"),
        ({"A": task(Retry=[{"ErrorEquals": ["X"], "BackoffRate": 0.5}])}, "must be a number from 1"),
        ({"A": task(Catch=[{"ErrorEquals": ["X"], "Next": "B"}])}, "there is no state 'B'"),
        ({"A": {"Type": "Choice", "Choices": []}}, "at least one rule is needed at /States/A/Choices"),
        ({"A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "Next": "A"}]}}, "exactly one comparison"),
        ({"A": {"Type": "Choice", "Choices": [{"Variable": "$.x", "NumericEquals": "1", "Next": "A"}]}}, "be a number"),
        ({"A": {"Type": "Wait", "Seconds": 1, "SecondsPath": "$.x", "End": True}}, "exactly one of Seconds"),
        ({"A": {"Type": "Parallel", "Branches": [], "End": True}}, "at least one branch"),
        ({"A": {"Type": "Map", "End": True}}, "must be an object at /States/A/ItemProcessor"),
        ({"A" * 81: DONE}, "more than 80 characters"),
        ({"A": distributed(DONE, ItemBatcher={})}, "MaxItemsPerBatch or MaxInputBytesPerBatch is needed"),
        ({"A": distributed(DONE, ToleratedFailurePercentage=101)}, "must be a number from 0 to 100"),
        ({"A": distributed(DONE, Label="a b")}, "letters, digits"),
        ({"A": distributed(DONE, ResultWriter={"Resource": "arn:aws:states:::s3:putObject"})}, "Parameters is needed"),
        (
            {"A": distributed(DONE, ItemReader={"Resource": "arn:aws:states:::s3:listObjectsV2"})},
            "must be arn:aws:stat",
        ),
        ({"A": distributed(DONE, kind="FAST")}, "must be STANDARD or EXPRESS"),
    ],
)
def test_a_mistake_is_told_with_its_place(states: dict[str, Any], words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        assert of(**states) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"StartAt": 1, "States": {"A": 1}}', '{"States": []}'])
def test_what_is_no_definition_is_told(text: str) -> None:
    assert mistakes(text)


def test_a_name_that_two_states_have_is_told() -> None:
    branch = {"StartAt": "A", "States": {"A": DONE}}
    assert of(A={"Type": "Parallel", "Branches": [branch], "End": True}) == [
        "DUPLICATE_STATE_NAME: 'A' names two states"
    ]


def test_inline_maps_have_no_fields_of_distributed_ones() -> None:
    inline = {"Type": "Map", "ItemProcessor": {"StartAt": "B", "States": {"B": DONE}}, "End": True}
    assert of(A=inline) == []
    assert "ItemReader" in of(A={**inline, "ItemReader": {}})[0]


def test_a_wrong_definition_is_refused_before_anything_is_made(cloud: FakeCloud) -> None:
    client = cloud.client("stepfunctions")
    text = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass"}}})
    with pytest.raises(ClientError, match=r"InvalidDefinition.*at /States/A"):
        client.create_state_machine(name="wrong", definition=text, roleArn=ROLE)
    checked = client.validate_state_machine_definition(definition=text)
    assert (checked["result"], checked["diagnostics"][0]["location"]) == ("FAIL", "/States/A")
    assert "wrong" not in [one["name"] for one in client.list_state_machines()["stateMachines"]]


def test_a_machine_that_is_the_same_is_no_second_one(cloud: FakeCloud, machine: Callable[..., Machine]) -> None:
    made = machine({"A": DONE})
    client = cloud.client("stepfunctions")
    live = client.describe_state_machine(stateMachineArn=made.arn)
    again = {"name": made.name, "roleArn": ROLE}
    assert client.create_state_machine(definition=live["definition"], **again)["stateMachineArn"] == made.arn
    other = json.dumps({"StartAt": "B", "States": {"B": DONE}})
    with pytest.raises(ClientError, match="StateMachineAlreadyExists"):
        client.create_state_machine(definition=other, **again)


def test_a_machine_has_no_versions_and_none_can_be_published(cloud: FakeCloud, machine: Callable[..., Machine]) -> None:
    client, arn = cloud.client("stepfunctions"), machine({"A": DONE}).arn
    assert client.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []
    assert client.list_state_machine_aliases(stateMachineArn=arn)["stateMachineAliases"] == []
    text = json.dumps({"StartAt": "A", "States": {"A": DONE}})
    with pytest.raises(ClientError, match="does not have versions"):
        client.update_state_machine(stateMachineArn=arn, definition=text, publish=True)


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("describe_state_machine", {"stateMachineArn": "mine"}, "InvalidArn"),
        (
            "describe_execution",
            {"executionArn": "arn:aws:states:us-east-1:000000000000:execution:a:b"},
            "ExecutionDoes",
        ),
        ("describe_map_run", {"mapRunArn": "arn:aws:states:us-east-1:000000000000:mapRun:a/b:c"}, "ResourceNotFound"),
        ("list_executions", {}, "ValidationException"),
        ("create_activity", {"name": "a"}, "UnknownOperationException"),
        ("list_state_machines", {"nextToken": "%"}, "InvalidToken"),
        ("list_tags_for_resource", {"resourceArn": "arn:aws:states:us-east-1:0:stateMachine:a"}, "ResourceNotFound"),
    ],
)
def test_requests_that_aws_refuses_are_refused(
    cloud: FakeCloud, operation: str, request_: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError, match=code):
        getattr(cloud.client("stepfunctions"), operation)(**request_)
