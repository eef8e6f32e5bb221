"""One event on standard input, and what is printed for machines."""

import base64
import io
import json
import subprocess
import zipfile

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import Container


def run_once(container: Container, event: bytes) -> subprocess.CompletedProcess[bytes]:
    """The same container once more, with the event on its standard input."""
    command = container.process.args
    assert isinstance(command, list)
    return subprocess.run(command, input=event, capture_output=True, timeout=60, check=False, cwd="/")


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("echo to-out", None),
        ("echo one >$TMP_OUTPUT_DIR/a", {"a": b"one\n"}),
        ("cd $TMP_OUTPUT_DIR; mkdir d; echo 1 >a; echo 2 >d/b", {"a": b"1\n", "d/b": b"2\n"}),
    ],
)
def test_files_made_of_standard_input_come_back_on_standard_output(
    launch: Launch, script: str, files: dict[str, bytes] | None
) -> None:
    container = launch(script=script, environment={"AWS_LAMBDA_RUNTIME_API": ""})
    done = run_once(container, b'{"any": "event"}')
    assert done.returncode == 0, done.stderr
    if files is None:
        assert done.stdout == b"to-out\n"
        return
    content = base64.b64decode(done.stdout)
    if len(files) == 1:
        assert content == files["a"]
        return
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files


def test_lines_may_be_json(launch: Launch) -> None:
    container = launch(configuration={"log_format": "json"}, script="echo user; exit 1")
    request_id = container.start({})
    assert container.finish(request_id).failed
    container.close()
    lines = [json.loads(line) for line in container.log.splitlines() if line != "user"]
    assert {line["requestId"] for line in lines} == {request_id}
    assert [line["level"] for line in lines][-1] == "ERROR"
    assert all(set(line) == {"timestamp", "level", "requestId", "message"} for line in lines)
