"""Whatever the file holds: data or problems, never anything else."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scar_pulumi.fdl import Fdl, FdlError, load
from scar_pulumi.fdl.format_2019 import FUNCTION_2019
from scar_pulumi.fdl.kinds import Items, Kind, Section, Table
from scar_pulumi.fdl.tables import DOCUMENT

_QUICK = settings(max_examples=150, deadline=2000, suppress_health_check=[HealthCheck.too_slow])


def _outcome(data: bytes) -> Fdl | FdlError:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "any.yaml"
        path.write_bytes(data)
        return _outcome_of(path)


def _outcome_of(path: Path, overrides: dict[str, Any] | None = None) -> Fdl | FdlError:
    try:
        return load(path, overrides)
    except FdlError as error:
        return error


def _is_sound(outcome: Fdl | FdlError) -> bool:
    if isinstance(outcome, Fdl):
        return all(warning.severity == "warning" for warning in outcome.warnings)
    lines = str(outcome).split("\n")
    errors = [problem for problem in outcome.problems if problem.severity == "error"]
    return len(lines) == len(errors) > 0 and all(line.isprintable() for line in lines)


@_QUICK
@given(st.binary(max_size=300))
def test_any_bytes(data: bytes) -> None:
    assert _is_sound(_outcome(data))


@_QUICK
@given(st.text(alphabet=" \n\t-:?&*!|>'\"%@`#{}[],<=~.0aäé\u2028\U0001f600", max_size=120))
def test_any_marks_of_yaml(text: str) -> None:
    assert _is_sound(_outcome(text.encode()))


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=20)
    | st.just("bucket/in")
)
_VALUES = st.recursive(
    _SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3)
)


def _documents(kind: Kind) -> st.SearchStrategy[Any]:
    """Documents with the right keys and, half of the time, values of the wrong kind."""
    if isinstance(kind, Section):
        keys = {name: _documents(key.kind) for name, key in kind.keys.items()}
        return _VALUES | st.fixed_dictionaries({}, optional=keys)
    if isinstance(kind, Items):
        return _VALUES | st.lists(_documents(kind.of), max_size=3)
    if isinstance(kind, Table):
        return _VALUES | st.dictionaries(st.text(max_size=5), _documents(kind.of), max_size=2)
    return _VALUES


@_QUICK
@given(_documents(DOCUMENT))
def test_any_document_with_known_keys(document: Any) -> None:
    assert _is_sound(_outcome(yaml.safe_dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")))


_FUNCTIONS_2019 = st.fixed_dictionaries(
    {"image": _VALUES | st.just("debian")}, optional=dict.fromkeys(FUNCTION_2019.keys.keys() - {"image"}, _VALUES)
)


@_QUICK
@given(st.dictionaries(st.text(max_size=5) | st.sampled_from(("a", "s3")), _FUNCTIONS_2019, max_size=3))
def test_any_document_in_the_format_of_2019(functions: Any) -> None:
    text = yaml.safe_dump({"functions": functions}, allow_unicode=True).encode("utf-8", "surrogatepass")
    assert _is_sound(_outcome(text))


_PARTS = st.sampled_from(
    ("lambda", "memory", "functions", "a", "tags", "environment", "Variables", "storage_providers", "")
)


@_QUICK
@given(st.dictionaries(st.lists(_PARTS, max_size=4).map(".".join) | st.text(max_size=8), _VALUES, max_size=3))
def test_any_overrides(overrides: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "any.yaml"
        path.write_text("functions: {aws: [{lambda: {name: a, container: {image: debian}}}]}")
        assert _is_sound(_outcome_of(path, overrides))


_FULL = """\
functions:
  aws:
  - lambda:
      {name: a, description: d, memory: 512, timeout: 30, ephemeral_storage: {Size: 600}, architectures: [arm64],
       execution_mode: lambda, log_level: INFO, init_script: any.yaml, allow_loop: false, region: us-east-1,
       environment: {Variables: {KEY: v}}, tags: {k: v}, runtime: image, layers: [], vpc: ~,
       container: {image: debian, image_file: ~, environment: {Variables: {KEY: v}}, timeout_threshold: 3},
       input: [{storage_provider: s3, path: bucket/in, prefix: [a], suffix: [b]}],
       output: [{storage_provider: s3.mine, path: bucket/out, prefix: [a], suffix: [b]}]}
    iam: {role: "arn:aws:iam::123456789012:role/x"}
    cloudwatch: {region: us-east-1, log_retention_policy_in_days: 7}
    ecr: {delete_image: true}
storage_providers: {s3: {mine: {access_key: a, secret_key: b, region: us-east-1}}, minio: {}}
scar: {}
"""


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in list(items):
        yield value, key
        yield from _places(below)


@pytest.mark.parametrize("empty", [None, {}, [], "", 0, [None], {"": None}], ids=repr)
def test_any_value_of_a_full_file_may_be_missing_or_empty(empty: Any) -> None:
    outcomes = [_outcome(yaml.safe_dump(document).encode()) for document in _with_each_value_replaced(empty)]
    assert len(outcomes) > 60
    assert all(_is_sound(outcome) for outcome in outcomes)
    assert any(isinstance(outcome, Fdl) for outcome in outcomes)


def _with_each_value_replaced(empty: Any) -> Iterator[Any]:
    for number in range(len(list(_places(yaml.safe_load(_FULL))))):
        document = yaml.safe_load(_FULL)
        holder, key = list(_places(document))[number]
        holder[key] = empty
        yield document
