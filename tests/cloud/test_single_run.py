"""`scar-pulumi local run`: a function on a file, in its container, and nothing else."""

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.directories import cache_directory
from tests.world import root_filesystems

FDL = """
functions:
  aws:
    - lambda:
        name: copy
        memory: 256
        timeout: {timeout}
        init_script: script.sh
        container: {{image_file: box.tar, environment: {{Variables: {{GREETING: hello}}}}}}
        input: [{{storage_provider: s3, path: pictures/in}}]
        output: [{{storage_provider: s3, path: pictures/out, suffix: [.txt]}}]
"""
COPY = """
echo "$GREETING $STORAGE_OBJECT_KEY ${LD_PRELOAD-none}"
mkdir "$TMP_OUTPUT_DIR/deep"
cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/deep/copy.txt"
echo x >"$TMP_OUTPUT_DIR/left-out"
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an image with a static busybox, whose environment loads a library that is not there."""
    folder = tmp_path_factory.mktemp("image")
    root = root_filesystems.busybox(folder / "root", cache_directory())
    root_filesystems.open_to_all(root)
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.add(root, arcname=".")
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    configuration = {
        "architecture": {"aarch64": "arm64"}.get(os.uname().machine, "amd64"),
        "os": "linux",
        "config": {"Env": ["PATH=/bin", "LD_PRELOAD=/none.so"], "Cmd": ["sh"]},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["box:1"], "Layers": ["layer.tar"]}]
    files = {"config.json": json.dumps(configuration).encode(), "manifest.json": json.dumps(manifest).encode()}
    with tarfile.open(folder / "box.tar", "w") as tar:
        for name, data in {**files, "layer.tar": layer.getvalue()}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return folder / "box.tar"


class Project:
    """A folder with an FDL file and a script."""

    def __init__(self, folder: Path, archive: Path, script: str = COPY, timeout: int = 60) -> None:
        self.folder = folder
        (folder / "box.tar").symlink_to(archive)
        (folder / "f.yaml").write_text(FDL.format(timeout=timeout))
        (folder / "script.sh").write_text(script)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "scar_pulumi", "local", "run", "f.yaml", *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_function_runs_on_a_file_and_leaves_its_outputs(tmp_path: Path, archive: Path) -> None:
    project = Project(tmp_path, archive)
    (tmp_path / "a b+.jpg").write_bytes(b"\0picture")
    done = project.run("copy", "--input", "a b+.jpg", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "hello in/a b+.jpg /none.so\n"
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("out/**/*.*")] == ["out/deep/copy.txt"]
    assert (tmp_path / "out/deep/copy.txt").read_bytes() == b"\0picture"
    for word in ("START RequestId: ", "END RequestId: ", "REPORT RequestId: "):
        assert word in done.stderr


def test_a_large_output_arrives_whole(tmp_path: Path, archive: Path) -> None:
    script = 'for i in 1 2 3; do cat "$INPUT_FILE_PATH"; done >"$TMP_OUTPUT_DIR/large.txt"'
    project = Project(tmp_path, archive, script)
    content = bytes(range(256)) * 40_000
    (tmp_path / "in").write_bytes(content)
    done = project.run("copy", "--input", "in", "--output", "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/large.txt").read_bytes() == content * 3
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["large.txt"]


@pytest.mark.parametrize(
    ("script", "timeout", "complaint"), [("echo wrong; exit 3", 60, "exit code 3"), ("sleep 60", 2, "timeout")]
)
def test_a_failed_run_is_told_and_ends_with_one(
    tmp_path: Path, archive: Path, script: str, timeout: int, complaint: str
) -> None:
    done = Project(tmp_path, archive, script, timeout).run("copy", "--json")
    document: Any = json.loads(done.stdout)
    assert done.returncode == 1
    assert complaint in document["error"]["message"]


@pytest.mark.skipif(os.geteuid() != 0, reason="limits of memory are root's to set")
def test_a_script_that_takes_more_memory_than_the_function_has_is_told_so(tmp_path: Path, archive: Path) -> None:
    done = Project(tmp_path, archive, "busybox dd if=/dev/zero of=/dev/null bs=400M count=1").run("copy", "--json")
    assert done.returncode == 1
    assert "out of memory; raise the function's memory" in json.loads(done.stdout)["error"]["message"]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("other",), "there is no function 'other'; it has: copy"), (("copy", "--input", "none"), "none is not a file")],
)
def test_a_wrong_call_is_told_and_ends_with_two(
    tmp_path: Path, archive: Path, arguments: tuple[str, ...], complaint: str
) -> None:
    done = Project(tmp_path, archive).run(*arguments)
    assert done.returncode == 2
    assert complaint in done.stderr
