"""The supervisor under AWS's own Runtime Interface Emulator, the Runtime API that Lambda itself has."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.conftest import Bundle
from tests.supervisor.container import Container, Deployment, encoded, s3_event
from tests.supervisor.objects import body, bucket, to
from tests.world.interface_emulator import Emulator, program

SCRIPT = '#!/bin/sh\ncat "$INPUT_FILE_PATH"; cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/copy"\n'


class Emulated:
    """A function whose container runs the emulator, and below it the supervisor."""

    def __init__(self, container: Container, emulator: Emulator) -> None:
        self.container = container
        self._emulator = emulator

    def call(self, event: Any) -> tuple[int, Any]:
        status, answer = self._emulator.call(event if isinstance(event, bytes) else json.dumps(event).encode())
        return status, json.loads(answer)


Start = Callable[..., Any]


@pytest.fixture
def emulated(shared_folder: Path, bundle: Bundle, root_filesystem: Callable[[str], Path], tmp_path: Path) -> Start:
    @contextmanager
    def start(**deployment: Any) -> Iterator[Emulated]:
        layer, own = shared_folder / "emulator", shared_folder / tmp_path.name
        own.mkdir(mode=0o755)
        if not layer.exists():
            found = program()
            (layer / "emulator").mkdir(parents=True)
            shutil.copy(found, layer / "emulator/rie")
            layer.chmod(0o755)
        emulator = Emulator("/emulator/rie")
        layers = (root_filesystem("busybox"), bundle.folder, layer)
        command = (*emulator.command, *bundle.facts["entrypoint"])
        container = Container(Deployment(layers, command, **deployment), own)
        try:
            yield Emulated(container, emulator)
        finally:
            container.close()

    return start


def test_events_of_every_outcome_follow_one_another(emulated: Start) -> None:
    with emulated(script=SCRIPT, environment={"AWS_LAMBDA_FUNCTION_TIMEOUT": "6"}) as function:
        for event in ({"a": 1}, b"no JSON", {"script": encoded("seq 1 300000")}, {"a": 2}):
            status, answer = function.call(event)
            assert (status, answer["statusCode"], answer["isBase64Encoded"]) == (200, 200, True)
        failed = function.call({"script": encoded("echo why >&2; exit 3")})[1]
        assert (failed["errorType"], "exit code 3" in failed["errorMessage"]) == ("ScriptFailed", True)
        late = function.call({"script": encoded("sleep 60")})[1]
        assert late["errorType"] == "ScriptTimedOut"
        assert function.call({"a": 3})[1]["statusCode"] == 200
        assert "Runtime.ExitError" not in function.container.log


def test_files_come_from_their_bucket_and_go_to_theirs(emulated: Start, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "emulated")
    s3.put_object(Bucket=name, Key="in/a file", Body=b"content")
    with emulated(script=SCRIPT, configuration=to(f"{name}/out"), environment=credentials) as function:
        assert function.call(s3_event(name, "in/a+file"))[1]["statusCode"] == 200
        assert body(s3, name, "out/copy") == b"content"
        assert function.call(s3_event(name, "in/missing"))[1]["errorType"]


def test_a_function_that_cannot_start_says_why(emulated: Start) -> None:
    with emulated(configuration="{not json") as function:
        status, answer = function.call({})
        assert (status, answer["errorType"]) == (502, "ConfigurationInvalid")
        assert "SCAR_FUNCTION: is not JSON" in answer["errorMessage"]
