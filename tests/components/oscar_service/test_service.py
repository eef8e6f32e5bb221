"""What an OscarService declares, and what it refuses before it does."""

import re
from pathlib import Path
from typing import Any

import pulumi
import pytest

from scar_components import OscarService
from scar_components.oscar_service.service import OscarServiceArgs
from tests.end_to_end.conftest import busybox_files, make_image
from tests.world.pulumi_mocks import Recorder, run_program

SIGNATURE, SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"


@pytest.fixture
def args(tmp_path: Path) -> OscarServiceArgs:
    script = tmp_path / "script.sh"
    script.write_bytes(b"#!/bin/sh\r\ncat\r\n")
    return {
        "endpoint": "https://oscar.example.org",
        "password": "correct horse",
        "image": "debian:12",
        "script": str(script),
        "inputs": [{"provider": "minio", "path": "in", "suffix": ["jpg"]}],
        "outputs": [{"provider": "s3.mine", "path": "results/out"}],
        "definition": {
            "cpu": 0.5,
            "expose": {"api_port": 8080.0, "max_scale": 3},
            "environment": {"Variables": {"A": "1"}, "secrets": {"KEY": "hunter2"}},
            "storage_providers": {"s3": {"mine": {"access_key": "AK", "secret_key": "swordfish"}}},
        },
    }


def test_a_service_is_one_entry_with_its_secrets_marked(recorder: Recorder, args: OscarServiceArgs) -> None:
    def program() -> pulumi.Output[Any]:
        return OscarService("plants", args).urn

    run_program(program)
    assert recorder.types() == {
        "plants": "scar:index:OscarService",
        "plants-service": "scar:index:RegisteredService",
    }
    inputs = recorder.inputs("plants-service")
    assert inputs["password"] == {SIGNATURE: SECRET, "value": "correct horse"}
    definition = inputs["definition"]
    # The mocks have no nested secrets: what holds one is one.
    assert definition[SIGNATURE] == SECRET
    assert definition["value"] == {
        "name": "plants",
        "image": "debian:12",
        "script": "#!/bin/sh\ncat\n",
        "cpu": "0.5",
        "expose": {"api_port": [8080], "min_scale": 1, "max_scale": 3, "cpu_threshold": 80, "health_path": "/"},
        "environment": {"variables": {"A": "1"}, "secrets": {"KEY": "hunter2"}},
        "storage_providers": {"s3": {"mine": {"access_key": "AK", "secret_key": "swordfish"}}},
        "input": [{"storage_provider": "minio.default", "path": "plants/in", "suffix": ["jpg"]}],
        "output": [{"storage_provider": "s3.mine", "path": "results/out"}],
    }
    assert (inputs["username"], inputs["owner"]) == ("oscar", "None/photos/dev")


def test_all_mistakes_are_told_at_once_before_anything_is_declared(recorder: Recorder, args: OscarServiceArgs) -> None:
    args["service_name"] = "Plants"
    args["inputs"] = [{"provider": "s3", "path": "photos/in"}, {"provider": "minio", "path": "ab/in"}]
    args["outputs"] = [{"provider": "minio.other", "path": "photos/out"}]
    args["definition"] = {
        "memory": "512 MB",
        "enable_gpu": "yes",
        "synchronous": {"min_scale": 3, "max_scale": 2},
        "expose": {"api_port": 80, "cpu_threshold": 101, "max_scale": 0},
    }
    with pytest.raises(pulumi.RunError) as caught:
        run_program(lambda: OscarService("plants", args))
    assert [line.split(";")[0].removeprefix("service Plants: ") for line in str(caught.value).splitlines()] == [
        "name: 'Plants' is not a name that OSCAR accepts",
        "memory: '512 MB' is not an amount that Kubernetes accepts",
        "synchronous.min_scale: 3 is more than max_scale, 2",
        "expose.max_scale: 0 is out of range",
        "expose.cpu_threshold: 101 is out of range",
        "enable_gpu: 'yes' is not a truth value",
        "input[0]: 's3' cannot start a service",
        "input[1]: the bucket 'ab' is not a name that MinIO accepts",
        "output[0]: the storage provider 'minio.other' is not declared",
    ]
    args["script"] = "/nowhere/script.sh"
    with pytest.raises(pulumi.RunError, match=r"script /nowhere/script\.sh: No such file or directory; check the path"):
        run_program(lambda: OscarService("plants", args))


@pytest.fixture
def image_file(tmp_path: Path) -> str:
    return str(make_image(tmp_path / "busybox.tar", busybox_files()))


def test_an_image_on_this_machine_is_known_by_its_digest(
    recorder: Recorder, args: OscarServiceArgs, image_file: str
) -> None:
    del args["image"]
    local: OscarServiceArgs = {**args, "endpoint": "http://127.0.0.1:4566/oscar", "image_file": image_file}
    run_program(lambda: OscarService("plants", local))
    definition = recorder.inputs("plants-service")["definition"]["value"]
    assert re.fullmatch(r"busybox\.tar@sha256:[0-9a-f]{64}", definition["image"])
    assert definition["image_file"] == image_file


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"image_file": "busybox.tar"}, "give either image or image_file"),
        ({"image": None}, "give either image or image_file"),
        ({"image": None, "image_file": "busybox.tar"}, "clusters of the local cloud alone can"),
    ],
)
def test_an_image_is_given_once_and_where_the_cluster_can_read_it(
    recorder: Recorder, args: OscarServiceArgs, given: dict[str, Any], told: str
) -> None:
    wrong: Any = {key: value for key, value in {**args, **given}.items() if value is not None}
    with pytest.raises(pulumi.RunError, match=told):
        run_program(lambda: OscarService("plants", wrong))
    assert "plants-service" not in recorder.types()
