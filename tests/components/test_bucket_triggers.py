from typing import Any

import pytest

from scar_components import BucketTriggers
from scar_components.bucket_notification import merged_configuration, overlap
from tests.world.pulumi_mocks import Recorder, run_program

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:{}"
MARK = "scar-12345678-"


def test_a_bucket_gets_one_notification_in_one_order_and_each_function_one_permission(recorder: Recorder) -> None:
    def program() -> Any:
        triggers = BucketTriggers(
            "photos-triggers",
            {
                "bucket": "photos",
                "triggers": [
                    {"function_name": "small", "function_arn": ARN.format("small"), "prefix": "in/", "suffix": ".png"},
                    {"function_name": "small", "function_arn": ARN.format("small"), "prefix": "in/", "suffix": ".jpg"},
                    {"function_name": "grey", "function_arn": ARN.format("grey"), "prefix": "raw/"},
                ],
            },
        )
        return triggers.bucket

    run_program(program)
    assert recorder.types() == {
        "photos-triggers": "scar:index:BucketTriggers",
        "photos-triggers-small-permission": "aws:lambda/permission:Permission",
        "photos-triggers-grey-permission": "aws:lambda/permission:Permission",
        "photos-triggers-notification": "scar:index:BucketNotification",
    }
    permission = recorder.inputs("photos-triggers-small-permission")
    assert permission["principal"] == "s3.amazonaws.com"
    assert permission["sourceArn"] == "arn:aws:s3:::photos"
    assert permission["sourceAccount"] == "123456789012"
    rules = recorder.inputs("photos-triggers-notification")["rules"]
    assert [(rule["prefix"], rule["suffix"]) for rule in rules] == [("raw/", ""), ("in/", ".jpg"), ("in/", ".png")]


def rule(name: str, prefix: str = "", suffix: str = "") -> dict[str, str]:
    return {"function_arn": ARN.format(name), "prefix": prefix, "suffix": suffix}


def foreign(prefix: str) -> dict[str, Any]:
    return {
        "Id": "theirs",
        "QueueArn": "arn:aws:sqs:eu-west-1:123456789012:theirs",
        "Events": ["s3:ObjectCreated:*"],
        "Filter": {"Key": {"FilterRules": [{"Name": "Prefix", "Value": prefix}]}},
    }


def test_entries_of_others_are_kept_and_our_old_ones_replaced() -> None:
    others = {"QueueConfigurations": [foreign("theirs/")], "EventBridgeConfiguration": {}}
    before = merged_configuration(others, [rule("old", "in/")], MARK)
    after = merged_configuration(before, [rule("new", "in/")], MARK)
    assert after["QueueConfigurations"] == others["QueueConfigurations"]
    assert after["EventBridgeConfiguration"] == {}
    assert [entry["LambdaFunctionArn"] for entry in after["LambdaFunctionConfigurations"]] == [ARN.format("new")]


def test_taking_our_entries_out_leaves_what_was_there_before() -> None:
    others = {"QueueConfigurations": [foreign("theirs/")]}
    assert merged_configuration(merged_configuration(others, [rule("a")], MARK), [], MARK) == others


def test_a_rule_that_clashes_with_somebody_elses_is_explained() -> None:
    configuration = merged_configuration({"QueueConfigurations": [foreign("in/")]}, [rule("a", "in/new/")], MARK)
    problem = overlap(configuration, MARK)
    assert problem is not None
    assert "'theirs'" in problem
    assert "'in/'" in problem
    assert "'in/new/'" in problem


def test_rules_for_other_suffixes_do_not_clash() -> None:
    theirs = {**foreign("in/")}
    theirs["Filter"] = {
        "Key": {"FilterRules": [{"Name": "Prefix", "Value": "in/"}, {"Name": "Suffix", "Value": ".txt"}]}
    }
    configuration = merged_configuration({"QueueConfigurations": [theirs]}, [rule("a", "in/", ".png")], MARK)
    assert overlap(configuration, MARK) is None


@pytest.mark.parametrize(
    ("prefix", "value"),
    [
        ("in/", "in/"),
        ("year=2024/", "year%3D2024/"),
        ("a b/", "a+b/"),
        ("a+b/", "a%2Bb/"),
        ("été/", "%C3%A9t%C3%A9/"),
        ("100%/~me@home,&:$", "100%25/%7Eme%40home%2C%26%3A%24"),
        ("safe-_.!*'()/09azAZ", "safe-_.!*'()/09azAZ"),
    ],
)
def test_filters_are_written_as_s3_wants_them_and_read_back_as_they_were(prefix: str, value: str) -> None:
    configuration = merged_configuration({}, [rule("a", prefix, prefix)], MARK)
    (entry,) = configuration["LambdaFunctionConfigurations"]
    assert [one["Value"] for one in entry["Filter"]["Key"]["FilterRules"]] == [value, value]
    problem = overlap(merged_configuration({"QueueConfigurations": [foreign(value)]}, [rule("a", prefix)], MARK), MARK)
    assert problem is not None
    assert repr(prefix) in problem
