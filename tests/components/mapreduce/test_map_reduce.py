"""What a MapReduce declares."""

import json
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest

from scar_components import MapReduce, MapReduceArgs
from tests.world.pulumi_mocks import Recorder, run_program

QUEUE = "arn:aws:batch:eu-west-1:123456789012:job-queue/tasks"
DIGEST = "sha256:" + "0" * 64


class PreparedImage:
    """Stands for an image whose base would have to be fetched."""

    def __init__(self, name: str, *_: Any) -> None:
        self.image_uri = f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/{name}@{DIGEST}"


@pytest.fixture(autouse=True)
def prepared_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scar_components.function_image.SupervisedImage", PreparedImage)
    monkeypatch.setattr(
        "scar_components.mapreduce.map_reduce.digest_in_force", lambda _, base, __: json.dumps(base, sort_keys=True)
    )


def given(**arguments: Any) -> MapReduceArgs:
    return cast(
        MapReduceArgs,
        {
            "inputs": [{"provider": "s3.default", "path": "texts/in"}],
            "output": {"provider": "s3.default", "path": "texts/out"},
            "image": "debian:12",
            "mapper": {"script": "map.sh"},
            "reducer": {"script": "reduce.sh", "count": 4},
            **arguments,
        },
    )


def declare(**arguments: Any) -> None:
    """Declare a MapReduce and wait for everything that it declares."""
    run_program(lambda: MapReduce("count", given(**arguments)).state_machine_arn)


def told(recorder: Recorder, stage: str) -> dict[str, Any]:
    """Return the supervisor's configuration of a function."""
    variables = recorder.inputs(f"count-{stage}-function")["environment"]["variables"]
    configuration: dict[str, Any] = json.loads(variables["SCAR_FUNCTION"])
    return configuration


def rights(recorder: Recorder, policy: str) -> dict[str, tuple[list[str], list[str]]]:
    statements = json.loads(recorder.inputs(policy)["policy"])["Statement"]
    return {statement["Sid"]: (statement["Action"], statement["Resource"]) for statement in statements}


def test_the_children_in_lambda_are_exactly_these(recorder: Recorder) -> None:
    declare()
    functions = {
        f"count-{stage}{suffix}": kind
        for stage in ("plan", "map", "reduce", "commit")
        for suffix, kind in {
            "": "scar:index:LambdaContainerFunction",
            "-log-group": "scar:index:LogGroup",
            "-role": "aws:iam/role:Role",
            "-role-policy": "aws:iam/rolePolicy:RolePolicy",
            "-function": "aws:lambda/function:Function",
        }.items()
    }
    images = {
        f"{name}-{suffix}": kind
        for name in ("count", "count-map", "count-reduce")
        for suffix, kind in {
            "repository": "scar:index:ImageRepository",
        }.items()
    }
    assert recorder.types() == {
        **functions,
        **images,
        "count": "scar:index:MapReduce",
        "count-work": "aws:s3/bucket:Bucket",
        "count-work-lifecycle": "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "count-machine-role": "aws:iam/role:Role",
        "count-machine-role-policy": "aws:iam/rolePolicy:RolePolicy",
        "count-state-machine": "aws:sfn/stateMachine:StateMachine",
    }


def test_in_batch_two_job_definitions_take_the_place_of_two_functions(recorder: Recorder) -> None:
    declare(batch={"job_queue": QUEUE, "memory": 4096})
    kinds = recorder.types()
    assert not {"count-map-function", "count-reduce-function"} & kinds.keys()
    definition = recorder.inputs("count-map-job-definition")
    container = json.loads(definition["containerProperties"])
    assert container["jobRoleArn"] == recorder.arn("count-map-role")
    variables = {one["name"]: one["value"] for one in container["environment"]}
    assert json.loads(variables["SCAR_FUNCTION"])["mapreduce"]["engine"] == "batch"
    assert definition["retryStrategy"] == {"attempts": 4}
    machine = json.loads(recorder.inputs("count-state-machine")["definition"])
    submitted = machine["States"]["Map"]["Parameters"]
    assert (submitted["JobQueue"], submitted["JobDefinition"]) == (QUEUE, recorder.arn("count-map-job-definition"))
    assert rights(recorder, "count-machine-role-policy")["SubmitJobs"] == (
        ["batch:SubmitJob"],
        [
            QUEUE,
            *(
                f"{recorder.arn(f'count-{stage}-job-definition').rpartition(':')[0]}{end}"
                for stage in ("map", "reduce")
                for end in ("", ":*")
            ),
        ],
    )


def test_each_stage_is_told_what_it_is_and_all_the_same_of_the_rest(recorder: Recorder) -> None:
    declare(
        combiner="reducer",
        format={"type": "csv", "header": "skip", "max_record": 2},
        split={"size": 8, "max_parallel": 3},
        partition="range",
        pairs="json",
    )
    parts = {stage: told(recorder, stage)["mapreduce"] for stage in ("plan", "map", "reduce", "commit")}
    assert [part.pop("stage") for part in parts.values()] == list(parts)
    assert parts["plan"].pop("state_machine") == "arn:aws:states:eu-west-1:123456789012:stateMachine:count"
    digest = parts["plan"]["digest"]
    assert all(part == parts["plan"] for part in parts.values())
    assert parts["map"] == {
        "name": "count",
        "work": "count-work",
        "reducers": 4,
        "combiner": "reducer",
        "partition": "range",
        "pairs": "json",
        "bad_pairs": "fail",
        "engine": "lambda",
        "format": {"type": "csv", "header": "skip", "max_record": 2 * 1024 * 1024},
        "split": {"size": 8 * 1024 * 1024, "max_parallel": 3},
        "digest": digest,
    }
    assert told(recorder, "map")["outputs"] == [{"storage_provider": "s3.default", "path": "texts/out"}]


def test_every_part_may_do_only_what_it_has_to(recorder: Recorder) -> None:
    declare()
    inputs, work, output = ("arn:aws:s3:::texts/in/*",), "arn:aws:s3:::count-work", "arn:aws:s3:::texts/out/*"
    read, kept = ["s3:GetObject", "s3:GetObjectVersion"], ["s3:GetObject", "s3:AbortMultipartUpload", "s3:PutObject"]
    changed = [*kept, "s3:DeleteObject"]
    working = {"Work": (changed, [f"{work}/*"]), "ListWork": (["s3:ListBucket"], [work])}
    expected: dict[str, dict[str, Any]] = {
        "plan": {
            "ReadInput": (read, [*inputs]),
            "Work": (kept, [f"{work}/*"]),
            "ListWork": working["ListWork"],
            "FindOutput": (["s3:GetObject"], [f"{output}/_SUCCESS"]),
            "ListOutput": (["s3:ListBucket"], ["arn:aws:s3:::texts"]),
            "StartRun": (["states:StartExecution"], ["arn:aws:states:eu-west-1:123456789012:stateMachine:count"]),
            "FindRun": (["states:DescribeExecution"], ["arn:aws:states:eu-west-1:123456789012:execution:count:*"]),
        },
        "map": {"ReadInput": (read, [*inputs]), **working},
        "reduce": working,
        "commit": {
            "ReadInput": (read, [*inputs]),
            **working,
            "Output": (changed, [output]),
            "ListOutput": (["s3:ListBucket"], ["arn:aws:s3:::texts"]),
        },
    }
    for stage, wanted in expected.items():
        found = rights(recorder, f"count-{stage}-role-policy")
        log = f"arn:aws:logs:eu-west-1:123456789012:log-group:/aws/lambda/count-{stage}:*"
        assert found.pop("WriteLog") == (["logs:CreateLogStream", "logs:PutLogEvents"], [log])
        assert found == wanted, stage


def test_the_machine_may_run_its_own_stages_and_maps_alone(recorder: Recorder) -> None:
    declare()
    machine = "arn:aws:states:eu-west-1:123456789012:stateMachine:count"
    assert rights(recorder, "count-machine-role-policy") == {
        "InvokeStages": (
            ["lambda:InvokeFunction"],
            [recorder.arn(f"count-{stage}-function") for stage in ("plan", "commit", "map", "reduce")],
        ),
        "StartMaps": (["states:StartExecution"], [machine]),
        "FollowMaps": (
            ["states:DescribeExecution", "states:RedriveExecution", "states:StopExecution"],
            [f"arn:aws:states:eu-west-1:123456789012:execution:count{rest}" for rest in (":*", "/*")],
        ),
        "ReadTasks": (["s3:GetObject"], ["arn:aws:s3:::count-work/*"]),
    }


def test_a_given_role_is_that_of_all_stages(recorder: Recorder) -> None:
    role = "arn:aws:iam::123456789012:role/mine"
    declare(role_arn=role)
    roles = {recorder.inputs(f"count-{stage}-function")["role"] for stage in ("plan", "map", "reduce", "commit")}
    assert roles == {role}
    assert [name for name, kind in recorder.types().items() if kind == "aws:iam/role:Role"] == ["count-machine-role"]


@pytest.mark.parametrize(
    "other",
    [
        {"mapper": {"script": "other.sh"}},
        {"reducer": {"script": "reduce.sh", "count": 5}},
        {"format": {"type": "csv"}},
        {"combiner": "reducer"},
        {"split": {"size": 1}},
    ],
)
def test_another_configuration_makes_another_run_of_the_same_object(recorder: Recorder, other: dict[str, Any]) -> None:
    declare()
    before = told(recorder, "plan")["mapreduce"]["digest"]
    declare(tags={"a": "b"}, log_level="DEBUG")
    assert told(recorder, "plan")["mapreduce"]["digest"] == before
    declare(**other)
    assert told(recorder, "plan")["mapreduce"]["digest"] != before


def test_the_map_image_has_the_combiner_and_marlas_file_is_both_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    from scar_components.mapreduce.arguments import stage_image

    assert stage_image(given(combiner="reducer"), "map")["combiner"] == "reduce.sh"
    assert stage_image(given(combiner_script="c.awk"), "map")["combiner"] == "c.awk"
    assert "combiner" not in stage_image(given(combiner="reducer"), "reduce")
    marla = given(contract="marla", mapper={"script": "f.py"}, reducer={}, combiner="reducer")
    assert stage_image(marla, "map") == stage_image(marla, "reduce") == {"image": "debian:12", "script": "f.py"}
    other = given(reducer={"image_file": "r.tar"})
    assert stage_image(other, "reduce") == {"image_file": "r.tar"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"reducer": {"count": 0}}, "reducer.count: 0 is not within 1 to 10000"),
        ({"split": {"size": 20_000}}, "split.size: 20000 is not within 1 to 10240"),
        ({"format": {"type": "xml"}}, "format.type: 'xml' is unknown; use lines or csv or jsonl or whole"),
        ({"format": {"separator": ";;"}}, "format.separator: ';;' is not one ASCII character"),
        ({"combiner": "reducer", "reducer": {}}, "combiner: reducer needs a reducer that is a script"),
        ({"engine": "batch"}, "engine: batch needs a job queue; give batch.job_queue"),
        ({"contract": "marla", "mapper": {}}, "mapper.script: is missing; give it"),
        ({"reducer": {"count": 2}}, "reducer.script: is missing; give it, or an image of its own that starts"),
        ({"state_machine_name": "x" * 58}, "state_machine_name: "),
        ({"inputs": []}, "inputs: is empty"),
        ({"output": {"provider": "minio.x", "path": "a"}}, "minio.x: only buckets of the function's own account"),
        ({"image_file": "x.tar"}, "mapper: has no image; give one of image and image_file"),
        ({"mappper": {}}, "mappper: is unknown; did you mean 'mapper'?"),
    ],
)
def test_mistakes_are_said_before_anything_is_declared(
    recorder: Recorder, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(pulumi.RunError) as error:
        declare(**arguments)
    assert f"count: {said}" in str(error.value)
    assert recorder.resources == {}


def test_a_missing_script_is_said_before_anything_is_declared(
    recorder: Recorder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scar_components.supervised_image import digest_in_force

    monkeypatch.setattr("scar_components.mapreduce.map_reduce.digest_in_force", digest_in_force)
    with pytest.raises(pulumi.RunError, match=r"script .*gone\.sh: cannot be read"):
        declare(image=None, image_file=str(tmp_path), mapper={"script": str(tmp_path / "gone.sh")})
    assert recorder.resources == {}
