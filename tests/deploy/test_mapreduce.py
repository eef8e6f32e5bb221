"""What the MapReduces of an FDL file become when its stack is declared."""

import json
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

import pulumi
import pytest
from pulumi import Output

from scar_components.mapreduce.arguments import MapReduceArgs, MapReduceFormat, MapReduceSplit, MapReduceStage
from scar_pulumi.deploy import deploy
from scar_pulumi.fdl import load
from scar_pulumi.fdl.model import MapReduce, RecordFormat, Split, Stage
from tests.world.pulumi_mocks import Recorder, run_program

FILE = """\
functions:
  aws:
  - mapreduce:
      name: count
      input: [{path: texts/in, suffix: [.txt, .csv]}]
      output: [{path: results/out}]
      container: {image: debian, environment: {Variables: {WHO: both, ONLY: both}}}
      mapper: {init_script: map.sh, memory: 1024, container: {environment: {Variables: {WHO: mapper}}}}
      reducer: {init_script: reduce.sh, count: 4}
      combiner: reducer
      format: csv
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    for name in ("map.sh", "reduce.sh"):
        (tmp_path / name).write_text("#!/bin/sh\n")
    path = tmp_path / "count.yaml"
    path.write_text(FILE)
    return path


def exported(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a program exports from now on."""
    found: dict[str, Any] = {}

    def export(name: str, value: Any) -> None:
        pulumi.Output.from_input(value).apply(lambda known: found.update({name: known}))

    monkeypatch.setattr("pulumi.export", export)
    return found


@pytest.mark.usefixtures("prepared_images")
def test_files_start_the_planner_and_tasks_get_what_their_stage_says(recorder: Recorder, path: Path) -> None:
    run_program(lambda: deploy(load(path)))
    assert {"texts", "results", "count", "count-state-machine"} <= recorder.resources.keys()
    rules = recorder.inputs("texts-triggers-notification")["rules"]
    planner = recorder.arn("count-plan-function")
    assert [(rule["prefix"], rule["suffix"], rule["function_arn"]) for rule in rules] == [
        ("in/", ".csv", planner),
        ("in/", ".txt", planner),
    ]
    variables = {
        stage: recorder.inputs(f"count-{stage}-function")["environment"]["variables"] for stage in ("map", "reduce")
    }
    assert [(one["WHO"], one["ONLY"]) for one in variables.values()] == [("mapper", "both"), ("both", "both")]
    assert recorder.inputs("count-map-function")["memorySize"] == 1024
    told = json.loads(variables["map"]["SCAR_FUNCTION"])["mapreduce"]
    assert (told["reducers"], told["combiner"], told["format"]["type"]) == (4, "reducer", "csv")


@pytest.mark.usefixtures("prepared_images")
def test_the_outputs_say_where_runs_are(recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = exported(monkeypatch)
    run_program(lambda: deploy(load(path)))
    assert found["mapreduce"] == {
        "count": {
            "arn": recorder.arn("count-state-machine"),
            "region": "eu-west-1",
            "functions": {
                stage: recorder.arn(f"count-{stage}-function") for stage in ("plan", "commit", "map", "reduce")
            },
            "inputs": [{"provider": "s3.default", "path": "texts/in", "prefix": (), "suffix": (".txt", ".csv")}],
            "outputs": [{"provider": "s3.default", "path": "results/out", "prefix": (), "suffix": ()}],
            "reducers": 4,
            "engine": "lambda",
            "memory": {"map": 1024, "reduce": 1769},
            "architecture": "x86_64",
            "workBucket": "count-work",
        }
    }
    assert found["functions"] == {}


@pytest.mark.usefixtures("prepared_images")
def test_tasks_in_batch_share_environments_with_functions(
    recorder: Recorder, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text(
        FILE
        + "      engine: batch\n"
        + "    batch: {memory: 2048, environment: {Variables: {WHO: job, JOB: job}}, "
        + "compute_resources: {type: SPOT, max_v_cpus: 4}}\n"
        + "  - lambda: {name: f, execution_mode: batch, container: {image: debian}}\n"
        + "    batch: {compute_resources: {type: SPOT, max_v_cpus: 4}}\n"
    )
    found = exported(monkeypatch)
    run_program(lambda: deploy(load(path)))
    kinds = recorder.types().items()
    assert [name for name, kind in kinds if kind == "scar:index:BatchGpuEnvironment"] == ["f-environment"]
    definition = recorder.inputs("count-map-job-definition")
    variables = {one["name"]: one["value"] for one in json.loads(definition["containerProperties"])["environment"]}
    assert (variables["WHO"], variables["JOB"]) == ("mapper", "job")
    assert json.loads(variables["SCAR_FUNCTION"])["mapreduce"]["memory"] == 2048
    # Also after failures of its own, not only where an instance is taken away.
    assert definition["retryStrategy"] == {"attempts": 5}
    assert found["mapreduce"]["count"]["batch"]["jobDefinitions"]["reduce"] == recorder.arn(
        "count-reduce-job-definition"
    )


def test_a_broken_image_is_said_before_anything_is_made(recorder: Recorder, path: Path, tmp_path: Path) -> None:
    (tmp_path / "image").mkdir()
    (tmp_path / "image" / "index.json").write_text("{}")
    path.write_text(FILE.replace("image: debian", "image_file: image"))
    fdl = load(path)
    with pytest.raises(pulumi.RunError, match="image"):
        deploy(fdl)
    assert recorder.resources == {}


# These become others on the way: paths of scripts, references, one of a list, dataclasses.
CONVERTED = {"input", "output", "mapper", "reducer", "combiner", "batch", "environment", "format", "split"}
NAMES = {"Output": Output, "T": Any}


@pytest.mark.parametrize(
    ("made", "arguments"),
    [(MapReduce, MapReduceArgs), (Stage, MapReduceStage), (RecordFormat, MapReduceFormat), (Split, MapReduceSplit)],
)
def test_what_is_passed_on_by_its_name_has_the_type_that_the_component_takes(made: type, arguments: type) -> None:
    data, taken = get_type_hints(made), get_type_hints(arguments, localns=NAMES)
    shared = (data.keys() & taken.keys()) - CONVERTED
    assert shared
    assert [name for name in shared if not _is_among(_plain(data[name]), _plain(taken[name]))] == []


def _is_among(data: set[Any], taken: set[Any]) -> bool:
    return data <= taken


def _plain(hint: Any) -> set[Any]:
    """Return the types that plain values of a hint have: text for paths and choices, nothing of `Input` and None."""
    if hint is Path or str(get_origin(hint)) == "typing.Literal":
        return {str}
    arguments = [one for one in get_args(hint) if one is not NoneType]
    if not arguments:
        return {hint}
    if isinstance(get_origin(hint), type) and get_origin(hint) not in {Output}:
        return {get_origin(hint)} if get_origin(hint).__module__ != "types" else set().union(*map(_plain, arguments))
    return set().union(*map(_plain, arguments))


def test_everything_that_a_file_says_reaches_the_component() -> None:
    others = {"path", "name", "input", "role", "environment", "allow_loop"}
    for made, arguments in ((MapReduce, MapReduceArgs), (RecordFormat, MapReduceFormat), (Split, MapReduceSplit)):
        assert get_type_hints(made).keys() - get_type_hints(arguments, localns=NAMES).keys() - others == set()
