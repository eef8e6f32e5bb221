"""Components check their arguments: unknown and missing keys, wrong types, and outputs where they cannot be."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from scar_components import (
    ApiGatewayEndpoint,
    BatchGpuEnvironment,
    BucketTriggers,
    LambdaContainerFunction,
    OscarService,
    StorageBucket,
    SupervisedImage,
)
from tests.world.pulumi_mocks import Recorder, run_program

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f"
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64


def later(value: Any) -> pulumi.Output[Any]:
    return pulumi.Output.from_input(value)


def refusal(component: Callable[..., Any], args: dict[str, Any]) -> str:
    found: list[str] = []

    def program() -> None:
        with pytest.raises(pulumi.RunError) as error:
            component("it", args)
        found.append(str(error.value))

    run_program(program)
    return found[0]


COMPLETE: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (LambdaContainerFunction, {"image_uri": IMAGE}),
    (BucketTriggers, {"bucket": "photos", "triggers": [{"function_name": "f", "function_arn": ARN}]}),
    (ApiGatewayEndpoint, {"functions": [{"function_name": "f", "function_arn": ARN}]}),
    (BatchGpuEnvironment, {}),
    (OscarService, {"endpoint": "https://oscar.example.org", "password": "p", "image": "alpine"}),
    (StorageBucket, {"bucket": "photos"}),
    (SupervisedImage, {"repository_url": "r", "image": "alpine"}),
]


@pytest.mark.parametrize(("component", "args"), COMPLETE)
def test_every_component_refuses_unknown_keys_with_a_hint(
    recorder: Recorder, component: Callable[..., Any], args: dict[str, Any]
) -> None:
    key = next(iter(args), "tags")
    assert f"it: {key}x: is unknown; did you mean {key!r}?" in refusal(component, {**args, f"{key}x": 1})


@pytest.mark.parametrize(("component", "args"), [(one, args) for one, args in COMPLETE if args])
def test_every_component_names_what_is_missing(
    recorder: Recorder, component: Callable[..., Any], args: dict[str, Any]
) -> None:
    if component is not LambdaContainerFunction:
        key = next(iter(args))
        assert f"it: {key}: is missing; give it" in refusal(component, {k: v for k, v in args.items() if k != key})


def test_all_mistakes_are_told_at_once_with_their_places(recorder: Recorder) -> None:
    args = {"image_uri": IMAGE, "memmory": 1, "inputs": [{"path": 1}], "tags": {"a": 1}, "timeout": "5"}
    assert refusal(LambdaContainerFunction, args).splitlines() == [
        "it: memmory: is unknown; did you mean 'memory'?",
        'it: inputs[0].path: 1 is not text; write it in quotes, such as "1"',
        "it: inputs[0].provider: is missing; give it",
        'it: tags.a: 1 is not text; write it in quotes, such as "1"',
        "it: timeout: '5' is not a whole number",
    ]


@pytest.mark.parametrize(
    ("component", "args", "where"),
    [
        (
            BucketTriggers,
            {"bucket": "b", "triggers": [{"function_name": later("f"), "function_arn": ARN}]},
            "triggers[0]",
        ),
        (ApiGatewayEndpoint, {"functions": [{"function_name": later("f"), "function_arn": ARN}]}, "functions[0]"),
    ],
)
def test_an_output_that_would_shape_the_graph_is_refused_by_name(
    recorder: Recorder, component: Callable[..., Any], args: dict[str, Any], where: str
) -> None:
    assert refusal(component, args) == (
        f"it: {where}.function_name: is an Output, but decides which resources there are; give a value that the "
        "program knows"
    )


def test_a_function_takes_outputs_for_paths_and_for_its_failure_destination(recorder: Recorder) -> None:
    queue = "arn:aws:sqs:eu-west-1:123456789012:failed"
    args: Any = {
        "image_uri": IMAGE,
        "inputs": [{"provider": "s3.default", "path": later("photos/in")}],
        "outputs": [{"provider": "s3.default", "path": pulumi.Output.concat(later("small"), "/out")}],
        "failure_destination": later(queue),
    }
    run_program(lambda: LambdaContainerFunction("f", args).arn)
    variables = recorder.inputs("f-function")["environment"]["variables"]
    configuration = json.loads(variables["SCAR_FUNCTION"])
    assert [configuration[way][0]["path"] for way in ("inputs", "outputs")] == ["photos/in", "small/out"]
    allowed = [
        statement["Resource"] for statement in json.loads(recorder.inputs("f-role-policy")["policy"])["Statement"]
    ]
    assert [*allowed[1:]] == [["arn:aws:s3:::photos/in/*"], ["arn:aws:s3:::small/out/*"], [queue]]
    assert recorder.inputs("f-event-invoke-config")["destinationConfig"]["onFailure"]["destination"] == queue


def test_bucket_names_may_be_outputs(recorder: Recorder) -> None:
    trigger: Any = {"function_name": "f", "function_arn": ARN}

    def program() -> pulumi.Output[Any]:
        bucket = StorageBucket("b", {"bucket": later("photos.in")})
        return BucketTriggers("t", {"bucket": bucket.bucket, "triggers": [trigger]}).bucket

    run_program(program)
    assert recorder.inputs("t-notification")["bucket"] == "photos.in"
    assert recorder.inputs("t-f-permission")["statementId"] == "bucket-photos-in-f1d7d83b"
    assert recorder.inputs("t-f-permission")["sourceArn"] == "arn:aws:s3:::photos.in"
