"""The components as other languages see them."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.errors import InputPropertyError

from scar_components.host import COMPONENTS, Host
from tests.world.pulumi_mocks import Recorder, run_program

SCHEMA = Path(__file__).with_name("schema.json")
IMAGE = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/ready@sha256:" + "0" * 64


@pytest.fixture(scope="module")
def host() -> Host:
    return Host(COMPONENTS, "0.0.0")


def agreed(host: Host) -> str:
    """Return the schema as it is kept: without what depends on the installed SDKs."""
    schema = json.loads(host.schema or "{}")
    for part in (schema, *schema["resources"].values()):
        part.pop("dependencies", None)
    return json.dumps(schema, indent=1, sort_keys=True)


def test_the_schema_is_the_one_that_was_agreed_on(host: Host) -> None:
    assert json.loads(agreed(host)) == json.loads(SCHEMA.read_text())


def test_numbers_arrive_as_integers_known_now_or_later(recorder: Recorder, host: Host) -> None:
    inputs = {"imageUri": IMAGE, "memory": 512.0, "timeout": pulumi.Output.from_input(60.0)}
    run_program(lambda: host.construct("f", "scar:index:LambdaContainerFunction", inputs).urn)
    declared = recorder.inputs("f-function")
    assert (declared["memorySize"], declared["timeout"]) == (512, 60)


def test_a_whole_number_is_an_integer_in_the_constructor(host: Host) -> None:
    definition = host._component_defs["LambdaContainerFunction"]
    assert repr(host.map_inputs({"memory": 512.0}, definition)) == "{'memory': 512}"


def test_nested_objects_arrive_under_their_python_names(recorder: Recorder, host: Host) -> None:
    inputs: dict[str, Any] = {
        "imageUri": IMAGE,
        "fileSystem": {"arn": "arn:aws:elasticfilesystem:x", "localMountPath": "/mnt/data"},
        "subnetIds": ["subnet-1"],
    }
    run_program(lambda: host.construct("g", "scar:index:LambdaContainerFunction", inputs).urn)
    assert recorder.inputs("g-function")["fileSystemConfig"]["localMountPath"] == "/mnt/data"


def test_a_missing_argument_is_named(recorder: Recorder, host: Host) -> None:
    with pytest.raises(InputPropertyError) as error:
        host.construct("t", "scar:index:BucketTriggers", {"triggers": []})
    assert error.value.property_path == "bucket"


def test_a_mistake_that_a_component_finds_is_an_error_of_the_resource(recorder: Recorder, host: Host) -> None:
    with pytest.raises(InputPropertyError) as error:
        host.construct("h", "scar:index:LambdaContainerFunction", {"imageFile": "/nowhere/image.tar"})
    assert "/nowhere/image.tar" in error.value.reason


def test_an_unknown_argument_is_refused_with_a_hint(recorder: Recorder, host: Host) -> None:
    with pytest.raises(InputPropertyError) as error:
        host.construct("h", "scar:index:LambdaContainerFunction", {"imageFil": "x"})
    assert (error.value.property_path, error.value.reason) == ("imageFil", "is unknown; did you mean 'imageFile'?")


def test_messages_of_components_use_the_spelling_of_the_schema(recorder: Recorder, host: Host) -> None:
    with pytest.raises(InputPropertyError) as error:
        host.construct("h", "scar:index:LambdaContainerFunction", {"imageUri": IMAGE, "executionMode": "batch"})
    assert error.value.reason == "h: executionMode: batch needs a job queue; give batch.jobQueue"


def test_buckets_are_in_the_package(recorder: Recorder, host: Host) -> None:
    run_program(lambda: host.construct("b", "scar:index:StorageBucket", {"bucket": "photos"}).urn)
    assert recorder.inputs("b")["bucket"] == "photos"


if __name__ == "__main__":  # python -m tests.components.test_host accepts the schema as it is now
    SCHEMA.write_text(agreed(Host(COMPONENTS, "0.0.0")))
