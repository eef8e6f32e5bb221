"""Definitions in the Amazon States Language: every mistake that AWS would refuse, with its place.

What AWS has and this cloud has not is refused as well, so that nothing is ignored in silence.
https://states-language.net and https://docs.aws.amazon.com/step-functions/latest/dg/concepts-amazon-states-language.html
"""

import functools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scar_foundation.limits import MAP_CONCURRENCY, STATES_DEFINITION_BYTES, STATES_NAME_CHARACTERS
from scar_pulumi.cloud.states import choices, intrinsics
from scar_pulumi.cloud.states.failures import ALL
from scar_pulumi.cloud.states.paths import PathError, compiled, steps
from scar_pulumi.cloud.states.resources import resource_mistake

Document = Mapping[str, Any]
Check = Callable[[Any], "str | None"]
_LONGEST_WAIT = 99_999_999
_LABEL_CHARACTERS = 40


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Document:
    """Return a definition that has been checked before."""
    found: Document = json.loads(text)
    return found


def mistakes(text: str) -> list[str]:
    """Return what is wrong with a definition: a sentence for each mistake, with its place."""
    if len(text.encode()) > STATES_DEFINITION_BYTES:
        return [f"MAX_LENGTH_EXCEEDED: the definition has more than {STATES_DEFINITION_BYTES} bytes"]
    try:
        document = json.loads(text)
    except ValueError as error:
        return [f"INVALID_JSON_DESCRIPTION: {error}"]
    if not isinstance(document, dict):
        return ["SCHEMA_VALIDATION_FAILED: the definition is no JSON object"]
    found = [*_fields(document, _MACHINE, ""), *_states(document, "")]
    names = list(_all_names(document))
    found += [
        f"DUPLICATE_STATE_NAME: {name!r} names two states" for name in sorted(set(names)) if names.count(name) > 1
    ]
    return [text if text[:4].isupper() else f"SCHEMA_VALIDATION_FAILED: {text}" for text in found]


# What the value of a field must be: a function returns what it should be instead, or None.


def _text(value: Any) -> str | None:
    return None if isinstance(value, str) else "must be text"


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _anything(_: Any) -> None:
    return None


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> str | None:
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole and least <= value <= most else f"must be a whole number from {least} to {most}"

    return check


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> str | None:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return None if is_number and least <= value <= most else f"must be a number from {least:g} to {most:g}"

    return check


def _word(*words: str) -> Check:
    return lambda value: None if value in words else f"must be {' or '.join(words)}"


def _query_language(value: Any) -> str | None:
    return None if value == "JSONPath" else "must be JSONPath: the local cloud does not have JSONata"


def _path(value: Any) -> str | None:
    try:
        compiled(value) if isinstance(value, str) else steps("")
    except PathError as error:
        return str(error) if isinstance(value, str) else "must be a JSONPath"
    return None


def _place(value: Any) -> str | None:
    """Check a reference path, or one in the context object."""
    if isinstance(value, str) and value.startswith("$$"):
        return _path(value)
    try:
        steps(value) if isinstance(value, str) else steps("")
    except PathError as error:
        return str(error) if isinstance(value, str) else "must be a reference path"
    return None


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _path_or_function(value: Any) -> str | None:
    if isinstance(value, str) and value.startswith("States."):
        try:
            intrinsics.parse(value)
        except PathError as error:
            return str(error)
        return None
    return _path(value)


def _template(value: Any) -> str | None:
    """Check a payload template: fields whose names end in `.$` are paths or functions, and no name is there twice."""
    if isinstance(value, list):
        return next((wrong for item in value if (wrong := _template(item))), None)
    if not isinstance(value, dict):
        return None
    for name, item in value.items():
        if name.endswith(".$") and name.removesuffix(".$") in value:
            return f"has {name.removesuffix('.$')!r} twice, with and without `.$`"
        if wrong := _path_or_function(item) if name.endswith(".$") else _template(item):
            return f"{name}: {wrong}"
    return None


def _object_template(value: Any) -> str | None:
    return _template(value) if isinstance(value, dict) else "must be an object"


def _timestamp(value: Any) -> str | None:
    return None if choices.timestamp(value) else "must be a time such as 2026-01-31T12:00:00Z"


_NAME = {"Next": _text, "End": _boolean}
_IN_OUT = {"InputPath": _or_null(_path), "OutputPath": _or_null(_path)}
_RESULT = {"ResultPath": _or_null(_place), "ResultSelector": _object_template}
_ON_ERROR = {"Retry": _anything, "Catch": _anything}
_COMMON: Mapping[str, Check] = {"Type": _anything, "Comment": _text, "QueryLanguage": _query_language}
_MACHINE: Mapping[str, Check] = {
    "Comment": _text,
    "QueryLanguage": _query_language,
    "StartAt": _text,
    "States": _anything,
    "Version": _word("1.0"),
    "TimeoutSeconds": _whole(1, _LONGEST_WAIT),
}
_BRANCH = {"Comment": _text, "StartAt": _text, "States": _anything, "QueryLanguage": _query_language}
_SECONDS = _whole(1, _LONGEST_WAIT)
_CONCURRENCY = _whole(0, MAP_CONCURRENCY.most)
_INLINE_MAP: Mapping[str, Check] = {
    **_NAME,
    **_IN_OUT,
    **_RESULT,
    **_ON_ERROR,
    "ItemsPath": _place,
    "ItemSelector": _object_template,
    "Parameters": _object_template,
    "ItemProcessor": _anything,
    "Iterator": _anything,
    "MaxConcurrency": _CONCURRENCY,
    "MaxConcurrencyPath": _place,
}
_FIELDS: Mapping[str, Mapping[str, Check]] = {
    "Task": {
        **_NAME,
        **_IN_OUT,
        **_RESULT,
        **_ON_ERROR,
        "Resource": _text,
        "Parameters": _object_template,
        "TimeoutSeconds": _SECONDS,
        "TimeoutSecondsPath": _place,
        "HeartbeatSeconds": _SECONDS,
        "HeartbeatSecondsPath": _place,
    },
    "Pass": {**_NAME, **_IN_OUT, "ResultPath": _RESULT["ResultPath"], "Parameters": _template, "Result": _anything},
    "Choice": {**_IN_OUT, "Choices": _anything, "Default": _text},
    "Wait": {
        **_NAME,
        **_IN_OUT,
        "Seconds": _whole(0, _LONGEST_WAIT),
        "SecondsPath": _place,
        "Timestamp": _timestamp,
        "TimestampPath": _place,
    },
    "Succeed": {**_IN_OUT},
    "Fail": {"Error": _text, "Cause": _text, "ErrorPath": _path_or_function, "CausePath": _path_or_function},
    "Parallel": {**_NAME, **_IN_OUT, **_RESULT, **_ON_ERROR, "Branches": _anything, "Parameters": _object_template},
    "Map": _INLINE_MAP,
}
_DISTRIBUTED_MAP: Mapping[str, Check] = {
    **_INLINE_MAP,
    "ItemReader": _anything,
    "ItemBatcher": _anything,
    "ResultWriter": _anything,
    "Label": _text,
    "ToleratedFailurePercentage": _number(0, 100),
    "ToleratedFailurePercentagePath": _place,
    "ToleratedFailureCount": _whole(0, _LONGEST_WAIT),
    "ToleratedFailureCountPath": _place,
}
_READER: Mapping[str, Check] = {
    "Resource": _word("arn:aws:states:::s3:getObject"),
    "ReaderConfig": _anything,
    "Parameters": _object_template,
}
_READER_CONFIG: Mapping[str, Check] = {
    "InputType": _word("JSON", "JSONL"),
    "MaxItems": _SECONDS,
    "MaxItemsPath": _place,
}
_BATCHER: Mapping[str, Check] = {
    "MaxItemsPerBatch": _SECONDS,
    "MaxInputBytesPerBatch": _whole(1, 262_144),
    "BatchInput": _object_template,
}
_WRITER: Mapping[str, Check] = {"Resource": _word("arn:aws:states:::s3:putObject"), "Parameters": _object_template}
_RETRIER: Mapping[str, Check] = {
    "Comment": _text,
    "ErrorEquals": _anything,
    "IntervalSeconds": _SECONDS,
    "MaxAttempts": _whole(0, _LONGEST_WAIT),
    "BackoffRate": _number(1, 1000),
    "MaxDelaySeconds": _whole(1, 31_622_400),
    "JitterStrategy": _word("FULL", "NONE"),
}
_CATCHER: Mapping[str, Check] = {
    "Comment": _text,
    "ErrorEquals": _anything,
    "Next": _text,
    "ResultPath": _or_null(_place),
}
_EXCLUSIVE = (
    *((name, f"{name}Path") for name in ("TimeoutSeconds", "HeartbeatSeconds", "MaxConcurrency", "Error", "Cause")),
    *((f"ToleratedFailure{name}", f"ToleratedFailure{name}Path") for name in ("Percentage", "Count")),
    ("ItemProcessor", "Iterator"),
    ("ItemSelector", "Parameters"),
    ("ItemReader", "ItemsPath"),
)
_NOT_HERE = {
    "Arguments": "JSONata",
    "Assign": "variables",
    "Items": "JSONata",
    "Output": "JSONata",
    "Credentials": "roles of other accounts",
}


def _fields(document: Document, known: Mapping[str, Check], place: str) -> Iterator[str]:
    for name, value in document.items():
        if name not in known:
            missing = _NOT_HERE.get(name)
            why = f"the local cloud does not have {missing}" if missing else "the field is not known here"
            yield f"{why} at {place}/{name}"
        elif wrong := known[name](value):
            yield f"{wrong} at {place}/{name}"


def _states(document: Document, place: str) -> Iterator[str]:
    """Check the states of a machine, a branch or a processor, and how they follow each other."""
    states = document.get("States")
    if not isinstance(states, dict) or not states:
        yield f"an object with at least one state is needed at {place}/States"
        return
    start = document.get("StartAt")
    if not isinstance(start, str) or start not in states:
        yield f"MISSING_TRANSITION_TARGET: there is no state {start!r} at {place}/StartAt"
    targets = {str(start)}
    for name, state in states.items():
        here = f"{place}/States/{name}"
        if len(name) > STATES_NAME_CHARACTERS:
            yield f"the name has more than {STATES_NAME_CHARACTERS} characters at {here}"
        if not isinstance(state, dict) or str(state.get("Type")) not in _FIELDS:
            yield f"Type must be one of {', '.join(_FIELDS)} at {here}/Type"
            continue
        yield from _state(state, here)
        for field, target in _targets(state):
            targets.add(target)
            if target not in states:
                yield f"MISSING_TRANSITION_TARGET: there is no state {target!r} at {here}/{field}"
    for name in states.keys() - targets:
        yield f"MISSING_TRANSITION_TARGET: State {name!r} is not reachable at {place}/States/{name}"


def _state(state: Document, place: str) -> Iterator[str]:
    is_distributed = state["Type"] == "Map" and mode_of(state) == "DISTRIBUTED"
    known = _DISTRIBUTED_MAP if is_distributed else _FIELDS[state["Type"]]
    yield from _fields(state, {**_COMMON, **known}, place)
    for pair in _EXCLUSIVE:
        if all(name in state for name in pair):
            yield f"{' and '.join(pair)} exclude each other at {place}"
    if "Next" in known and ("Next" in state) == (state.get("End") is True):
        yield f"exactly one of Next and End is needed at {place}"
    if state["Type"] in _SPECIAL:
        yield from _SPECIAL[state["Type"]](state, place)
    yield from _on_error(state, place)


def _targets(state: Document) -> Iterator[tuple[str, str]]:
    for field in ("Next", "Default"):
        if isinstance(state.get(field), str):
            yield field, state[field]
    for field in ("Choices", "Catch"):
        rules = state.get(field)
        for number, rule in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(rule, dict) and isinstance(rule.get("Next"), str):
                yield f"{field}[{number}]/Next", rule["Next"]


def _on_error(state: Document, place: str) -> Iterator[str]:
    for field, known in (("Retry", _RETRIER), ("Catch", _CATCHER)):
        rules = state.get(field, [])
        if not isinstance(rules, list):
            yield f"must be a list at {place}/{field}"
            continue
        for number, rule in enumerate(rules):
            here = f"{place}/{field}[{number}]"
            if not isinstance(rule, dict):
                yield f"must be an object at {here}"
                continue
            yield from _fields(rule, known, here)
            yield from _errors(rule.get("ErrorEquals"), here, is_last=number == len(rules) - 1)
            if field == "Catch" and "Next" not in rule:
                yield f"Next is needed at {here}"


def _errors(names: Any, place: str, *, is_last: bool) -> Iterator[str]:
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        yield f"a list of at least one error is needed at {place}/ErrorEquals"
    elif ALL in names and (len(names) > 1 or not is_last):
        yield f"{ALL} must stand alone, in the last rule, at {place}/ErrorEquals"


def _task(state: Document, place: str) -> Iterator[str]:
    if not isinstance(state.get("Resource"), str):
        yield f"Resource is needed at {place}"
    elif wrong := resource_mistake(state["Resource"], state.get("Parameters")):
        yield f"{wrong} at {place}/Resource"
    heartbeat, timeout = state.get("HeartbeatSeconds", 0), state.get("TimeoutSeconds", _LONGEST_WAIT)
    if _SECONDS(heartbeat) is _SECONDS(timeout) is None and heartbeat >= timeout:
        yield f"HeartbeatSeconds must be less than TimeoutSeconds at {place}"


def _choice(state: Document, place: str) -> Iterator[str]:
    rules = state.get("Choices")
    if not isinstance(rules, list) or not rules:
        yield f"a list of at least one rule is needed at {place}/Choices"
        return
    for number, rule in enumerate(rules):
        here = f"{place}/Choices[{number}]"
        if not isinstance(rule, dict) or "Next" not in rule:
            yield f"a rule with Next is needed at {here}"
        else:
            yield from _rule({name: value for name, value in rule.items() if name != "Next"}, here)


def _rule(rule: Any, place: str) -> Iterator[str]:
    if not isinstance(rule, dict):
        yield f"must be an object at {place}"
        return
    used = rule.keys() & (choices.OPERATORS | choices.COMBINERS)
    unknown = rule.keys() - choices.OPERATORS - choices.COMBINERS - {"Variable", "Comment"}
    if len(used) != 1 or unknown:
        yield f"exactly one comparison is needed, and {', '.join(sorted(unknown)) or 'nothing'} is unknown, at {place}"
        return
    (name,) = used
    if name in choices.COMBINERS:
        parts = [rule[name]] if name == "Not" else rule[name]
        if not isinstance(parts, list) or not parts:
            yield f"a list of at least one rule is needed at {place}/{name}"
            return
        for part in parts:
            yield from _rule(part, f"{place}/{name}")
        return
    if wrong := _path(rule.get("Variable")):
        yield f"{wrong} at {place}/Variable"
    if wrong := _operand(name)(rule[name]):
        yield f"{wrong} at {place}/{name}"


def _operand(name: str) -> Check:
    if name.endswith("Path"):
        return _path
    kinds: Mapping[str, Check] = {
        "String": _text,
        "Numeric": _number(float("-inf"), float("inf")),
        "Timestamp": _timestamp,
        "Boolean": _boolean,
        "Is": _boolean,
    }
    return next(check for start, check in kinds.items() if name.startswith(start))


def _wait(state: Document, place: str) -> Iterator[str]:
    if len(state.keys() & {"Seconds", "SecondsPath", "Timestamp", "TimestampPath"}) != 1:
        yield f"exactly one of Seconds, SecondsPath, Timestamp and TimestampPath is needed at {place}"


def _parallel(state: Document, place: str) -> Iterator[str]:
    branches = state.get("Branches")
    if not isinstance(branches, list) or not branches:
        yield f"a list of at least one branch is needed at {place}/Branches"
        return
    for number, branch in enumerate(branches):
        yield from _part(branch, _BRANCH, f"{place}/Branches[{number}]")


def _part(document: Any, known: Mapping[str, Check], place: str) -> Iterator[str]:
    if not isinstance(document, dict):
        yield f"must be an object at {place}"
        return
    yield from _fields(document, known, place)
    yield from _states(document, place)


def mode_of(state: Document) -> str:
    """Return whether a Map state is INLINE or DISTRIBUTED."""
    processor = processor_of(state)
    configuration = processor.get("ProcessorConfig") if isinstance(processor, dict) else None
    return str((configuration if isinstance(configuration, dict) else {}).get("Mode", "INLINE"))


def processor_of(state: Document) -> Any:
    """Return what a Map state does with each item."""
    return state.get("ItemProcessor", state.get("Iterator"))


_CONFIGURATION: Mapping[str, Check] = {
    "Mode": _word("INLINE", "DISTRIBUTED"),
    "ExecutionType": _word("STANDARD", "EXPRESS"),
}


def _map(state: Document, place: str) -> Iterator[str]:
    field = "Iterator" if "Iterator" in state else "ItemProcessor"
    processor = processor_of(state)
    yield from _part(processor, {**_BRANCH, "ProcessorConfig": _anything}, f"{place}/{field}")
    configuration = processor.get("ProcessorConfig", {}) if isinstance(processor, dict) else {}
    here = f"{place}/{field}/ProcessorConfig"
    if not isinstance(configuration, dict):
        yield f"must be an object at {here}"
        return
    yield from _fields(configuration, _CONFIGURATION, here)
    if ("ExecutionType" in configuration) != (mode_of(state) == "DISTRIBUTED"):
        yield f"ExecutionType is needed where Mode is DISTRIBUTED, and nowhere else, at {here}"
    yield from _distributed(state, place)


def _distributed(state: Document, place: str) -> Iterator[str]:
    for field, known, needed in (
        ("ItemReader", _READER, {"Resource", "Parameters"}),
        ("ItemBatcher", _BATCHER, set[str]()),
        ("ResultWriter", _WRITER, {"Resource", "Parameters"}),
    ):
        part = state.get(field, {})
        if not isinstance(part, dict):
            yield f"must be an object at {place}/{field}"
        elif field in state:
            yield from _fields(part, known, f"{place}/{field}")
            yield from (f"{name} is needed at {place}/{field}" for name in sorted(needed - part.keys()))
    if "ItemReader" in state and isinstance(state["ItemReader"], dict):
        configuration = state["ItemReader"].get("ReaderConfig")
        here = f"{place}/ItemReader/ReaderConfig"
        if not isinstance(configuration, dict) or "InputType" not in configuration:
            yield f"an object with InputType is needed at {here}"
        else:
            yield from _fields(configuration, _READER_CONFIG, here)
    batcher = state.get("ItemBatcher")
    if isinstance(batcher, dict) and not batcher.keys() & {"MaxItemsPerBatch", "MaxInputBytesPerBatch"}:
        yield f"MaxItemsPerBatch or MaxInputBytesPerBatch is needed at {place}/ItemBatcher"
    label = state.get("Label", "x")
    if isinstance(label, str) and (not re.fullmatch(r"[A-Za-z0-9_-]+", label) or len(label) > _LABEL_CHARACTERS):
        yield f"must be 1 to {_LABEL_CHARACTERS} letters, digits, - or _ at {place}/Label"


_SPECIAL: Mapping[str, Callable[[Document, str], Iterator[str]]] = {
    "Task": _task,
    "Choice": _choice,
    "Wait": _wait,
    "Parallel": _parallel,
    "Map": _map,
}


def _all_names(document: Any) -> Iterator[str]:
    """Yield the names of all states, those of branches and processors included."""
    states = document.get("States") if isinstance(document, dict) else None
    for name, state in (states if isinstance(states, dict) else {}).items():
        yield name
        if isinstance(state, dict):
            branches = state.get("Branches")
            for part in (*(branches if isinstance(branches, list) else ()), processor_of(state)):
                yield from _all_names(part)
