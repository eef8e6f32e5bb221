"""Paths, intrinsic functions, rules and retriers, against the examples and rules of AWS's documentation."""

from collections import Counter
from typing import Any

import pytest

from scar_pulumi.cloud.states import choices, intrinsics
from scar_pulumi.cloud.states.data_flow import effective, filled, output_of
from scar_pulumi.cloud.states.failures import StateFailureError, is_matched
from scar_pulumi.cloud.states.interpreter import retry_pause
from scar_pulumi.cloud.states.paths import PathError, placed, select

DATA: dict[str, Any] = {"name": "a", "numbers": [1, 2, 2, 3], "nested": {"b c": 1, "d-e": 2}, "null": None}
CONTEXT: dict[str, Any] = {"Execution": {"Id": "arn"}}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", DATA),
        ("$.nested['b c']", 1),
        ("$.nested.d-e", 2),
        ("$.numbers[1:3]", [2, 2]),
        ("$.numbers[-1]", 3),
        ("$.nothing[*]", []),
        ("$.null", None),
        ("$$.Execution.Id", "arn"),
        ("$$", CONTEXT),
    ],
)
def test_a_path_selects(path: str, value: Any) -> None:
    assert select(path, DATA, CONTEXT) == value


# https://docs.aws.amazon.com/step-functions/latest/dg/intrinsic-functions.html
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("States.Format('Hello, my name is {}.', $.name)", "Hello, my name is a."),
        (r"States.Format('it\'s {}', 'so')", "it's so"),
        ("States.Format('{}{}', null, 1.5)", "null1.5"),
        ("States.StringToJson('{\"a\": [1]}')", {"a": [1]}),
        ("States.JsonToString($.nested)", '{"b c":1,"d-e":2}'),
        ("States.Array('x', 2, true)", ["x", 2, True]),
        ("States.ArrayPartition($.numbers, 3)", [[1, 2, 2], [3]]),
        ("States.ArrayContains($.numbers, 3)", True),
        ("States.ArrayRange(1, 9, 2)", [1, 3, 5, 7, 9]),
        ("States.ArrayRange(3, 1, -1)", [3, 2, 1]),
        ("States.ArrayGetItem($.numbers, 3)", 3),
        ("States.ArrayLength($.numbers)", 4),
        ("States.ArrayUnique($.numbers)", [1, 2, 3]),
        ("States.Base64Encode('Data to encode')", "RGF0YSB0byBlbmNvZGU="),
        ("States.Base64Decode('RGF0YSB0byBlbmNvZGU=')", "Data to encode"),
        ("States.Hash('input data', 'SHA-1')", "aaff4a450a104cd177d28d18d74485e8cae074b7"),
        ("States.JsonMerge($.nested, $.nested, false)", {"b c": 1, "d-e": 2}),
        ("States.MathAdd(111, -1)", 110),
        ("States.StringSplit('1,2,3', ',')", ["1", "2", "3"]),
        ("States.StringSplit('This.is+a,test=string', '.+,=')", ["This", "is", "a", "test", "string"]),
        ("States.Format('{}', States.ArrayGetItem(States.Array($$.Execution.Id), 0))", "arn"),
    ],
)
def test_an_intrinsic_function_has_its_value(text: str, value: Any) -> None:
    assert intrinsics.evaluate(intrinsics.parse(text), DATA, CONTEXT) == value


def test_random_numbers_and_ids_are_what_they_are_said_to_be() -> None:
    def value(text: str) -> Any:
        return intrinsics.evaluate(intrinsics.parse(text), {}, {})

    assert value("States.MathRandom(1, 999, 7)") == value("States.MathRandom(1, 999, 7)")
    assert 1 <= value("States.MathRandom(1, 4)") < 4
    assert value("States.UUID()") != value("States.UUID()")


@pytest.mark.parametrize(
    "text", ["States.Nope()", "States.Format('{}'", "States.Array(1 2)", "Format('')", "States.UUID(1)"]
)
def test_what_is_no_call_is_refused(text: str) -> None:
    with pytest.raises(PathError):
        intrinsics.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "States.Format('{}', $.nested)",
        "States.Format('{} {}', 1)",
        "States.ArrayGetItem($.numbers, 4)",
        "States.ArrayRange(0, 5000, 1)",
        "States.JsonMerge($.nested, $.nested, true)",
        "States.StringToJson('{')",
        "States.Base64Decode('!')",
        "States.Hash('x', 'SHA-3')",
    ],
)
def test_wrong_arguments_fail_the_state(text: str) -> None:
    with pytest.raises(StateFailureError, match=r"States\.IntrinsicFailure"):
        intrinsics.evaluate(intrinsics.parse(text), DATA, CONTEXT)


def test_a_result_is_placed_and_nothing_that_came_in_is_changed() -> None:
    data = {"a": {"b": [{"x": 1}]}}
    assert placed("$.a.b[0].y", data, 5) == {"a": {"b": [{"x": 1, "y": 5}]}}
    assert placed("$.new.inner", data, 1) == {"a": {"b": [{"x": 1}]}, "new": {"inner": 1}}
    assert data == {"a": {"b": [{"x": 1}]}}
    for path in ("$.a.b.c", "$.a.b[1]"):
        with pytest.raises(StateFailureError, match=r"States\.ResultPathMatchFailure"):
            placed(path, data, 1)


def test_null_paths_let_nothing_through() -> None:
    assert effective({"InputPath": None, "Parameters": {"x": 1}}, DATA, CONTEXT) == {"x": 1}
    assert output_of({"ResultPath": None}, {"raw": 1}, "result", CONTEXT) == {"raw": 1}
    assert output_of({"OutputPath": None}, {"raw": 1}, "result", CONTEXT) == {}
    with pytest.raises(StateFailureError, match=r"States\.ParameterPathFailure"):
        filled({"a.$": "$.missing"}, DATA, CONTEXT)


@pytest.mark.parametrize(
    ("rule", "is_met"),
    [
        ({"Variable": "$.x", "StringLessThan": "b"}, True),
        ({"Variable": "$.n", "StringLessThan": "b"}, False),
        ({"Variable": "$.n", "NumericGreaterThanEqualsPath": "$.n"}, True),
        ({"Variable": "$.t", "TimestampLessThan": "2026-01-01T00:00:00Z"}, True),
        ({"Variable": "$.t", "IsTimestamp": True}, True),
        ({"Variable": "$.yes", "BooleanEquals": True}, True),
        ({"Variable": "$.none", "IsNull": True}, True),
        ({"Variable": "$.none", "IsPresent": True}, True),
        ({"Variable": "$.away", "IsPresent": False}, True),
        ({"Variable": "$.n", "IsNumeric": False}, False),
        ({"Variable": "$.yes", "IsNumeric": True}, False),
        ({"Variable": "$.file", "StringMatches": r"a\**.csv"}, True),
        ({"Variable": "$.x", "StringMatches": r"a\**.csv"}, False),
        ({"Not": {"Or": [{"Variable": "$.n", "NumericEquals": 2}, {"Variable": "$.x", "IsNull": True}]}}, True),
    ],
)
def test_a_rule_is_met(rule: dict[str, Any], is_met: bool) -> None:
    data = {"x": "a", "n": 1, "t": "2025-06-30T12:00:00.5+02:00", "yes": True, "none": None, "file": "a*1.csv"}
    assert choices.holds(rule, data, {}) is is_met


@pytest.mark.parametrize(
    ("error", "names", "is_meant"),
    [
        ("Mine", ["States.ALL"], True),
        ("Mine", ["States.TaskFailed"], True),
        ("States.Timeout", ["States.TaskFailed"], False),
        ("States.Timeout", ["States.ALL"], True),
        ("States.Runtime", ["States.ALL"], False),
        ("States.DataLimitExceeded", ["States.ALL"], False),
        ("States.DataLimitExceeded", ["States.DataLimitExceeded"], True),
    ],
)
def test_names_for_all_errors_do_not_mean_every_one(error: str, names: list[str], is_meant: bool) -> None:
    assert is_matched(error, names) is is_meant


def test_pauses_grow_up_to_their_limit_and_each_retrier_counts_for_itself() -> None:
    first = {"ErrorEquals": ["A"], "IntervalSeconds": 2, "BackoffRate": 3.0, "MaxDelaySeconds": 10, "MaxAttempts": 4}
    state = {"Retry": [first, {"ErrorEquals": ["States.ALL"], "MaxAttempts": 1}]}
    tries: Counter[int] = Counter()
    pauses = [retry_pause(state, StateFailureError("A", ""), tries) for _ in range(5)]
    assert pauses == [2, 6, 10, 10, None]
    assert [retry_pause(state, StateFailureError("B", ""), tries) for _ in range(2)] == [1, None]
    jitter = {"Retry": [{"ErrorEquals": ["A"], "IntervalSeconds": 9, "JitterStrategy": "FULL"}]}
    assert 0 <= (retry_pause(jitter, StateFailureError("A", ""), Counter()) or 0) <= 9
