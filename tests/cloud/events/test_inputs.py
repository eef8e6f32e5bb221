"""What targets of rules get, by the examples of AWS's documentation."""

import json
from typing import Any

import pytest

from scar_pulumi.cloud.events.inputs import input_mistake, input_of

EVENT = {
    "version": "0",
    "id": "7bf73129-1428-4cd3-a780-95db273d1602",
    "detail-type": "EC2 Instance State-change Notification",
    "source": "aws.ec2",
    "detail": {"instance-id": "i-0123456789", "state": "RUNNING", "quoted": 'a "b"', "list": [1, 2]},
}
RULE = "arn:aws:events:us-east-1:000000000000:rule/mine"


def transformed(template: str, **paths: str) -> str:
    transformer = {"InputTemplate": template, "InputPathsMap": paths}
    assert input_mistake({"InputTransformer": transformer}) is None
    return input_of({"InputTransformer": transformer}, EVENT, RULE)


def test_a_target_gets_the_event_a_part_or_a_text_of_its_own() -> None:
    assert json.loads(input_of({}, EVENT, RULE)) == EVENT
    assert json.loads(input_of({"InputPath": "$.detail.state"}, EVENT, RULE)) == "RUNNING"
    assert input_of({"Input": '{"a": 1}'}, EVENT, RULE) == '{"a": 1}'


def test_a_template_is_filled_with_json_and_within_quotes_with_text() -> None:
    assert json.loads(transformed('"instance <i> is <s>"', i="$.detail.instance-id", s="$.detail.state")) == (
        "instance i-0123456789 is RUNNING"
    )
    made = transformed(
        '{"i": <i>, "text": "it is <q>", "all": <l>}', i="$.detail.state", q="$.detail.quoted", l="$.detail.list"
    )
    assert json.loads(made) == {"i": "RUNNING", "text": 'it is a "b"', "all": [1, 2]}
    assert json.loads(transformed('{"rule": "<aws.events.rule-name>", "e": <aws.events.event.json>}')) == {
        "rule": "mine",
        "e": EVENT,
    }


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"Input": "{", "Arn": "x"}, "Input must be JSON"),
        ({"Input": "{}", "InputPath": "$.a"}, "only one of"),
        ({"InputPath": "$["}, "is not a JSONPath"),
        ({"InputTransformer": {"InputTemplate": '"<x>"', "InputPathsMap": {"y": "$.a"}}}, "<x>"),
    ],
)
def test_a_mistake_in_an_input_is_told(target: dict[str, Any], words: str) -> None:
    assert words in (input_mistake(target) or "")
