"""The tables against the genuine SDK, which is generated from the genuine provider's schema."""

import importlib
import inspect
import re
from collections.abc import Iterator, Mapping
from types import ModuleType

import pytest

from scar_pulumi.stand_ins.aws.model import Property, fields_of
from scar_pulumi.stand_ins.aws.types import TYPES, find

# Stricter on purpose: AWS refuses these without a value, for the kinds of integration and parameter that are served.
NEEDED_BY_AWS = {
    ("aws:apigatewayv2/integration:Integration", "integrationUri"),
    ("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", "rules"),
    ("aws:ssm/parameter:Parameter", "value"),
}
SDK_TYPES = {"string": "str", "json": "str", "integer": "int", "number": "float", "boolean": "bool"}


def sdk(token: str) -> ModuleType:
    service = token.split(":")[1].partition("/")[0]
    return importlib.import_module(f"pulumi_aws.{'lambda_' if service == 'lambda' else service}")


def properties(class_: type) -> dict[str, tuple[str, str]]:
    """Return the properties of a class of the SDK: their names in Python and their annotations."""
    found = inspect.getmembers(class_, lambda member: isinstance(member, property))
    return {
        getattr(member.fget, "_pulumi_name", name): (name, str(member.fget.__annotations__.get("return")))
        for name, member in found
    }


def required(class_: type) -> set[str]:
    """Return what a class of arguments cannot be made without."""
    made = inspect.getattr_static(class_, "__init__")
    parameters = inspect.signature(getattr(made, "_original_init", made)).parameters.values()
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    given = {one.name for one in parameters if one.default is one.empty and one.kind not in variable}
    return given - {"self"}


def departures(token: str, path: str, fields: Mapping[str, Property], arguments: type) -> Iterator[tuple[str, str]]:
    """Yield in what a table departs from the SDK, as (property, what)."""
    known, needed = properties(arguments), required(arguments)
    for name, field in fields.items():
        place = f"{path}{name}"
        if field.output:
            continue
        if name not in known:
            yield place, "is not an input"
            continue
        theirs, annotation = known[name]
        if (theirs in needed) != field.required and (token, place) not in NEEDED_BY_AWS:
            yield place, "is required" if theirs in needed else "is not required"
        kind = "str" if field.spelled else SDK_TYPES.get(field.kind, "")
        if kind not in annotation:
            yield place, f"is not {kind} but {annotation}"
        if field.fields and (inner := re.search(r"(\w+Args)\b", annotation)):
            inputs = importlib.import_module(f"{sdk(token).__name__}._inputs")
            yield from departures(token, f"{place}.", field.fields, getattr(inputs, inner[1]))
    for name, (theirs, _) in known.items():
        if theirs in needed and name not in fields:
            yield f"{path}{name}", "is required and not served"


@pytest.mark.parametrize("token", TYPES)
def test_inputs_are_those_of_the_genuine_provider(token: str) -> None:
    arguments = getattr(sdk(token), f"{token.rpartition(':')[2]}Args")
    assert list(departures(token, "", find(token).properties, arguments)) == []


@pytest.mark.parametrize("token", TYPES)
def test_outputs_are_those_of_the_genuine_provider_besides_what_the_id_says(token: str) -> None:
    type_ = find(token)
    known = properties(getattr(sdk(token), token.rpartition(":")[2]))
    ours = {name for name, field in type_.properties.items() if field.output}
    assert ours - known.keys() <= set(fields_of(type_.identity))
