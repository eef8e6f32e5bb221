"""One event in a process of its own: a job of AWS Batch, or an event on standard input."""

import base64
import io
import json
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import encoded, run_once, s3_event
from tests.supervisor.objects import bucket, keys, to


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("echo to-out", None),
        ("echo one >$TMP_OUTPUT_DIR/a", {"a": b"one\n"}),
        ("cd $TMP_OUTPUT_DIR; mkdir d; echo 1 >a; echo 2 >d/b", {"a": b"1\n", "d/b": b"2\n"}),
    ],
)
def test_output_files_of_standard_input_go_to_standard_output(
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


def job(**variables: str) -> dict[str, str]:
    return {"AWS_LAMBDA_RUNTIME_API": "", "AWS_BATCH_JOB_ID": "job-1", **variables}


def test_of_many_nodes_only_the_main_one_stages_and_stores(
    launch: Launch, s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "nodes")
    s3.put_object(Bucket=name, Key="in/a", Body=b"a")
    script = (
        "node=$AWS_BATCH_JOB_NODE_INDEX; echo node $node ${INPUT_FILE_PATH:+has input}; echo x >$TMP_OUTPUT_DIR/$node"
    )
    for node in ("0", "1", "2"):
        nodes = {"AWS_BATCH_JOB_NODE_INDEX": node, "AWS_BATCH_JOB_MAIN_NODE_INDEX": "1", "AWS_BATCH_JOB_NUM_NODES": "3"}
        environment = job(EVENT=json.dumps(s3_event(name, "in/a")), **nodes, **credentials)
        container = launch(script=script, configuration=to(f"{name}/out"), environment=environment)
        assert container.process.wait(30) == 0
        container.close()
        assert (f"node {node} has input\n" in container.log) is (node == "1")
    assert keys(s3, name) == ["in/a", "out/1"]


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 3", 3),
        ("kill -SEGV $$", 139),
        ("true", 0),
        ("echo No space left on device; exit 5", 5),
        ("echo Cannot allocate memory; exit 7", 7),
    ],
)
def test_the_exit_code_of_a_job_is_that_of_its_script(launch: Launch, script: str, code: int) -> None:
    environment = job(EVENT='{"a": 1}', SCRIPT=encoded(script))
    assert launch(environment=environment).process.wait(30) == code


def test_a_job_makes_the_folder_for_its_files_where_the_image_has_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from supervisor import disk

    monkeypatch.setattr(disk, "TMP", str(tmp_path / "tmp"))
    for _ in range(2):
        disk.make_tmp()
    assert stat.S_IMODE((tmp_path / "tmp").stat().st_mode) == 0o1777
