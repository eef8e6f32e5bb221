"""What the components take of a file's data: by equal names, and of the same types."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from pulumi import Output

from scar_components.lambda_container_function_arguments import (
    FunctionBatch,
    LambdaContainerFunctionArgs,
    supervisor_configuration,
)
from scar_pulumi.deploy.arguments import function_arguments, script_file
from scar_pulumi.fdl import load
from scar_pulumi.fdl.loading import resolve
from scar_pulumi.fdl.model import Batch, Function, Vpc
from scar_pulumi.fdl.rules.functions import configuration

EVERYTHING = Path(__file__).parents[1] / "fdl" / "files" / "everything.yaml"

# References are filled in, a queue is declared, and a dataclass becomes a map.
CONVERTED = {"environment", "batch", "file_system"}
# Of what the component takes, FDL has no key for these, or they follow from several keys, or have another name there.
OTHERWISE = {
    *("function_name", "image_uri", "script", "inputs", "outputs", "storage_providers", "page", "asynchronous_http"),
    *("role_arn", "subnet_ids", "security_group_ids", "report_batch_item_failures", "maximum_retry_attempts"),
    *("reserved_concurrency", "mapreduce"),
}
NAMES = {"Output": Output, "T": Any}


@pytest.mark.parametrize(
    ("made", "arguments"),
    [(Function, LambdaContainerFunctionArgs), (Vpc, LambdaContainerFunctionArgs), (Batch, FunctionBatch)],
)
def test_what_is_passed_on_by_its_name_has_the_type_that_the_component_takes(made: type, arguments: type) -> None:
    data, taken = get_type_hints(made), get_type_hints(arguments, localns=NAMES)
    shared = (data.keys() & taken.keys()) - CONVERTED
    assert shared
    assert [name for name in shared if not _fits(_plain(data[name]), _plain(taken[name]))] == []


def test_every_argument_is_passed_on_by_its_name_or_known_to_be_another_matter() -> None:
    taken = get_type_hints(LambdaContainerFunctionArgs, localns=NAMES)
    assert taken.keys() - get_type_hints(Function).keys() == OTHERWISE


def _fits(data: Any, taken: Any) -> bool:
    return data == taken or (data, taken) == (int, float)


def _plain(hint: Any) -> Any:
    """Return the type of plain values: text for paths and choices, nothing of `Input` and None."""
    origin, arguments = get_origin(hint), [one for one in get_args(hint) if one is not NoneType]
    if origin is Literal or hint is Path:
        return str
    if origin in (tuple, Sequence):
        return (list, _plain(arguments[0]))
    if origin is Mapping:
        return (dict, _plain(arguments[0]), _plain(arguments[1]))
    return _plain(arguments[0]) if arguments else hint


def test_a_script_in_the_fdl_file_becomes_one_file_for_the_same_content(tmp_path: Path) -> None:
    text = "#!/bin/sh\necho hello\n"
    first, again, other = script_file(text), script_file(text), script_file("echo\n")
    assert first is not None
    assert Path(first).read_text() == text
    assert (first == again, first == other) == (True, False)
    assert script_file(tmp_path / "own.sh") == str(tmp_path / "own.sh")
    assert script_file(None) is None


def test_the_check_estimates_the_supervisors_configuration_from_all_of_its_keys() -> None:
    resolved = resolve(EVERYTHING)
    for function, data in zip(resolved.functions(), load(EVERYTHING).functions, strict=True):
        links = [[link for link in found if link.owner == function] for found in (resolved.inputs, resolved.outputs)]
        plain = replace(data, environment={}, container_environment={})
        made = json.loads(supervisor_configuration(data.name, function_arguments(plain)))
        estimated = json.loads(json.dumps(configuration(function, *links)))
        estimated.pop("storage_providers", None)  # parameters, which a stack declares
        assert {**estimated, "page": None} == {**made, "page": None}
