"""The schema for editors says of every file what the tables say."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

import scar_pulumi.fdl
from scar_pulumi.fdl.checker import Checker
from scar_pulumi.fdl.json_schema import json_schema
from scar_pulumi.fdl.problems import Report
from scar_pulumi.fdl.tables import DOCUMENT
from scar_pulumi.fdl.tree import plain
from scar_pulumi.fdl.yaml_text import compose

ROOT = Path(__file__).parents[2]
# A Pulumi.yaml is that of an example which is a program.
OWN = [path for path in ROOT.glob("stacks/examples/*/*.yaml") if not path.name.startswith("Pulumi")]
EXAMPLES = [*Path(__file__).with_name("files").glob("*.yaml"), *OWN]
_VALIDATOR = Draft202012Validator(json_schema())
# None of them means one thing in YAML and another in JSON, as 1.0 does.
_JUNK: tuple[Any, ...] = (
    *("", "x y", "Nö", "s3", "bucket/in", "10", "${env:HOME}", "true", "x" * 70, "arm64", "subnet-1", "1Gi"),
    *(0, -1, 1, 512, 100_000, 2.5, True, False, None, [], {}, [None], ["a"], [1, 2], {"a": 1}, {"Variables": {}}),
)


def test_it_is_a_schema_and_ships_with_the_package() -> None:
    Draft202012Validator.check_schema(json_schema())
    shipped = Path(scar_pulumi.fdl.__file__).with_name("fdl.schema.json")
    assert json.loads(shipped.read_text()) == json_schema(), "write it anew: python -m scar_pulumi.fdl.reference"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_every_example_is_valid(path: Path) -> None:
    assert len(EXAMPLES) >= 4
    assert [error.message for error in _VALIDATOR.iter_errors(_read(path.read_text()))] == []


def test_both_agree_on_documents_with_something_changed() -> None:
    sources = [document for path in EXAMPLES if path.name != "old.yaml" for document in [_read(path.read_text())]]
    choose = random.Random(2019)  # noqa: S311 - the same ones every time
    verdicts = []
    for number in range(400):
        document = _changed(copy.deepcopy(choose.choice(sources)), choose)
        text = yaml.safe_dump(document, allow_unicode=True, sort_keys=False)
        known, valid = _fits(text), _VALIDATOR.is_valid(_read(text))
        assert valid == known, f"number {number}: {_why(text)}"
        verdicts.append(valid)
    assert 50 < sum(verdicts) < 350


def _changed(document: Any, choose: random.Random) -> Any:
    holder, key = choose.choice(list(_places(document)))
    match choose.randrange(4):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, dict):
            holder[f"{key}x"] = holder.pop(key)
        case 2 if isinstance(holder, dict):
            holder["surprise"] = choose.choice(_JUNK)
        case _:
            holder[key] = copy.deepcopy(choose.choice(_JUNK))
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(items):
        yield value, key
        yield from _places(below)


def _read(text: str) -> Any:
    node = compose(text, "any.yaml", Report())
    assert node is not None
    return plain(node)


def _problems(text: str) -> list[str]:
    report = Report()
    node = compose(text, "any.yaml", report)
    assert node is not None
    Checker(report).check(DOCUMENT, node, "")
    return [str(problem) for problem in report.problems() if problem.severity == "error"]


def _fits(text: str) -> bool:
    return not _problems(text)


def _why(text: str) -> str:
    said = [f"{error.json_path}: {error.message[:200]}" for error in _VALIDATOR.iter_errors(_read(text))]
    return f"schema: {said}\nmodel: {_problems(text)}"
