"""State machines, schedules, rules, tables and queues under the real engine: made, changed, found changed, imported."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws

from tests.world.aws_plugin import Bench, client
from tests.world.plugins import SDK_LEFTOVERS, changes

pytestmark = SDK_LEFTOVERS

ROLE = "arn:aws:iam::000000000000:role/any"
ARN = "arn:aws:states:us-east-1:000000000000:stateMachine"


def definition(seconds: int) -> str:
    return json.dumps(
        {
            "StartAt": "Rest",
            "States": {"Rest": {"Type": "Wait", "Seconds": seconds, "Next": "Done"}, "Done": {"Type": "Succeed"}},
        }
    )


def machine(name: str = "counts", seconds: int = 1, **more: Any) -> Callable[[], None]:
    def program() -> None:
        made = aws.sfn.StateMachine("machine", name=name, definition=definition(seconds), role_arn=ROLE, **more)
        pulumi.export("arn", made.arn)
        pulumi.export("id", made.id)

    return program


def test_a_state_machine_is_made_changed_in_place_and_replaced_by_another_kind(bench: Bench) -> None:
    stack = bench.stack(machine(tags={"team": "a"}))
    preview = stack.preview()
    assert f"{ARN}:counts" in preview.stdout
    outputs = stack.up().outputs
    assert outputs["arn"].value == outputs["id"].value == f"{ARN}:counts"
    assert changes(stack.up()) == {}
    assert changes(stack.refresh()) == {}

    states = client(bench.endpoint, "stepfunctions")
    assert changes(bench.stack(machine(seconds=2, tags={"team": "b"})).up()) == {"update": 1}
    live = states.describe_state_machine(stateMachineArn=f"{ARN}:counts")
    assert json.loads(live["definition"]) == json.loads(definition(2))
    assert states.list_tags_for_resource(resourceArn=f"{ARN}:counts")["tags"] == [{"key": "team", "value": "b"}]

    express = bench.stack(machine(seconds=2, type="EXPRESS"))
    assert changes(express.up()) == {"replace": 1}
    assert states.describe_state_machine(stateMachineArn=f"{ARN}:counts")["type"] == "EXPRESS"
    express.destroy()
    assert states.list_state_machines()["stateMachines"] == []


def test_what_others_do_to_a_state_machine_is_seen_and_repaired(bench: Bench) -> None:
    stack = bench.stack(machine("drifting"))
    stack.up()
    states = client(bench.endpoint, "stepfunctions")
    states.update_state_machine(stateMachineArn=f"{ARN}:drifting", definition=definition(9))
    assert changes(stack.refresh()) == {"update": 1}
    assert changes(stack.up()) == {"update": 1}
    live = states.describe_state_machine(stateMachineArn=f"{ARN}:drifting")
    assert json.loads(live["definition"]) == json.loads(definition(1))

    states.delete_state_machine(stateMachineArn=f"{ARN}:drifting")
    assert changes(stack.refresh()) == {"delete": 1}
    assert changes(stack.up()) == {"create": 1}
    stack.destroy()


def test_a_state_machine_that_exists_is_refused_and_can_be_imported(bench: Bench) -> None:
    states = client(bench.endpoint, "stepfunctions")
    states.create_state_machine(name="theirs", definition=definition(1), roleArn=ROLE)
    done, printed = bench.attempt(theirs)
    assert done is None
    assert f"pulumi import aws:sfn/stateMachine:StateMachine machine '{ARN}:theirs'" in printed

    imported = pulumi.ResourceOptions(import_=f"{ARN}:theirs")
    assert changes(bench.stack(machine("theirs", opts=imported)).up()) == {"import": 1}
    stack = bench.stack(machine("theirs"))
    assert changes(stack.up()) == {}
    stack.destroy()


def theirs() -> None:
    machine("theirs")()
