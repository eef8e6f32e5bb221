"""User-wide defaults below the file, overrides above it; all of them checked alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.fdl import Fdl, FdlError

Load = Callable[..., Fdl]

TWO = """\
functions:
  aws:
  - lambda: {name: one, memory: 256, container: {image: debian}, tags: {a: file, b: file}}
  - lambda: {name: two, container: {image: debian}, output: [{path: file/out}]}
"""


@pytest.fixture
def defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    def defaults(text: str) -> Path:
        path = tmp_path / "config" / "scar-pulumi" / "defaults.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
        monkeypatch.delenv("SCAR_DEFAULTS")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        return path

    return defaults


def test_defaults_of_the_user_stand_below_every_function(load_text: Load, defaults: Callable[[str], Path]) -> None:
    defaults("aws: {lambda: {memory: 1024, tags: {b: mine, c: mine}}, cloudwatch: {log_retention_policy_in_days: 7}}")
    one, two = load_text(TWO).functions
    assert (one.memory, two.memory, one.log_retention) == (256, 1024, 7)
    assert one.tags == {"a": "file", "b": "file", "c": "mine"}


def test_lists_replace_lists_of_the_defaults(load_text: Load, defaults: Callable[[str], Path]) -> None:
    defaults("aws: {lambda: {output: [{path: mine/out}]}}")
    one, two = load_text(TWO).functions
    assert [str(place) for place in one.output] == ["mine/out"]
    assert [str(place) for place in two.output] == ["file/out"]


def test_nothing_in_the_file_takes_a_default_back(load_text: Load, defaults: Callable[[str], Path]) -> None:
    defaults("aws: {lambda: {memory: 1024}}")
    fdl = load_text("functions: {aws: [{lambda: {name: a, memory: ~, container: {image: debian}}}]}")
    assert fdl.functions[0].memory == 512


def test_a_mistake_in_the_defaults_is_reported_there_and_once(load_text: Load, defaults: Callable[[str], Path]) -> None:
    path = defaults("aws:\n  lambda:\n    memory: 64\n    timeout: 30\nlamda: 1\n")
    with pytest.raises(FdlError) as caught:
        load_text(TWO.replace("memory: 256, ", ""))
    known = "use 'aws:', 'oscar:', 'storage_providers:' or 'clusters:'"
    assert [str(problem) for problem in caught.value.problems] == [
        f"{path}:3:13 functions.aws[0].lambda.memory: 64 is below Lambda's minimum of 128 (MB)",
        f"{path}:5:1 lamda: the key 'lamda' is unknown in the defaults file; {known}",
    ]


def test_a_defaults_file_that_is_named_must_exist(
    load_text: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAR_DEFAULTS", str(tmp_path / "gone.yaml"))
    with pytest.raises(FdlError, match=r"gone\.yaml: no such file"):
        load_text(TWO)


@pytest.mark.parametrize(
    "overrides",
    [
        {"lambda.memory": "2048", "functions.two.lambda.memory": "4096"},
        {"functions.two.lambda.memory": 4096, "lambda.memory": 2048},
        {"lambda": {"memory": 2048}, "functions": {"two": {"lambda": {"memory": 4096}}}},
    ],
    ids=["text", "numbers", "nested"],
)
def test_an_override_is_for_all_functions_or_for_one(load_text: Load, overrides: dict[str, Any]) -> None:
    assert [function.memory for function in load_text(TWO, overrides).functions] == [2048, 4096]


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        ("lambda.environment.Variables.DEBUG", "1", "environment", {"DEBUG": "1"}),
        ("lambda.environment.Variables.RANGE", "[a-z", "environment", {"RANGE": "[a-z"}),
        ("lambda.environment.Variables.RANGE", "{}", "environment", {"RANGE": "{}"}),
        ("lambda.tags", "{a: 1, b.c: x}", "tags", {"a": "1", "b.c": "x"}),
        ("lambda.environment.Variables.DEBUG", True, "environment", {"DEBUG": "true"}),
        ("lambda.tags.team.name", "x", "tags", {"team.name": "x"}),
        ("lambda.description", "42", "description", "42"),
        ("lambda.allow_loop", "true", "allow_loop", True),
        ("lambda.architectures", "[arm64]", "architecture", "arm64"),
        ("lambda.architectures", ["arm64"], "architecture", "arm64"),
        ("cloudwatch.log_retention_policy_in_days", "7", "log_retention", 7),
        ("iam.role", "arn:aws:iam::123456789012:role/x", "role", "arn:aws:iam::123456789012:role/x"),
        ("lambda.memory", None, "memory", 512),
        ("lambda.memory", "null", "memory", 512),
    ],
)
def test_an_override_is_read_as_the_file_would_read_it(
    load_lambda: Load, key: str, value: Any, field: str, expected: Any
) -> None:
    assert getattr(load_lambda("memory: 256", {key: value}).functions[0], field) == expected


def test_credentials_can_be_given_by_override(load_lambda: Load) -> None:
    keys = {"storage_providers.s3.mine.access_key": "a", "storage_providers.s3.mine.secret_key": "b"}
    fdl = load_lambda("output: [{storage_provider: s3.mine, path: bucket}]", keys)
    assert fdl.storage_providers == {"s3": {"mine": {"access_key": "a", "secret_key": "b"}}}


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "lambda.memory",
            "64",
            "--set lambda.memory=64 functions.aws[0].lambda.memory: 64 is below Lambda's minimum of 128 (MB)",
        ),
        (
            "lambda.memroy",
            "5",
            "--set lambda.memroy=5 functions.aws[0].lambda.memroy: the key 'memroy' is unknown; did you mean 'memory'?",
        ),
        ("lamda.memory", "512", "--set lamda.memory=512: 'lamda.memory' is not a setting; did you mean 'lambda'?"),
        (
            "functions.ones.lambda.memory",
            "512",
            "--set functions.ones.lambda.memory=512: there is no function 'ones' in the file; did you mean 'one'?",
        ),
        (
            "functions",
            "x",
            (
                "--set functions=x: 'functions' is not a setting; "
                "write it like lambda.memory or functions.<name>.lambda.memory"
            ),
        ),
        (
            "lambda",
            "5",
            "--set lambda=5 functions.aws[0].lambda: '5' is a whole number, not a map with keys such as 'name'",
        ),
        (
            "lambda.tags",
            "[a",
            "--set lambda.tags=[a: is not valid YAML: a ',' or ']' is missing; write lists in brackets like [a, b]",
        ),
    ],
)
def test_a_wrong_override_is_its_own_place(mistakes: Callable[..., list[str]], key: str, value: str, said: str) -> None:
    assert mistakes(TWO, {key: value})[0] == said


def test_the_origin_of_overrides_can_be_named(mistakes: Callable[..., list[str]]) -> None:
    said = mistakes(TWO, {"lambda.timeout": 0}, overrides_from="scar:overrides")
    assert said[0].startswith("scar:overrides lambda.timeout=0 functions.aws[0].lambda.timeout: 0 is below")


def test_values_that_may_be_secret_are_not_part_of_the_place(mistakes: Callable[..., list[str]]) -> None:
    overrides = {"storage_providers.s3.x.region": "hunter2", "lambda.environment.Variables.A": "hunter3"}
    said = mistakes(TWO, overrides)
    assert len(said) >= 2
    assert not [line for line in said if "hunter" in line]
