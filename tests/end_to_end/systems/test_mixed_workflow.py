"""One file with a function on AWS and a service on an OSCAR cluster, each starting the other's work, on one machine."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Terminal

UPPER = 'tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n'
SIGN = '{ cat "$INPUT_FILE_PATH"; echo "signed $WHO"; } > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"\n'
DISTANT = {"endpoint": "https://minio.example.org", "access_key": "theirs", "secret_key": "theirs"}


@pytest.fixture
def fdl(tmp_path: Path, busybox_image: Path, terminal: Terminal) -> Iterator[Path]:
    """Return a file as it would be written for a real cluster, whose address and keys local stacks leave alone."""
    for name, script in (("upper.sh", UPPER), ("sign.sh", SIGN)):
        (tmp_path / name).write_text(f"#!/bin/sh\nset -eu\n{script}")
    path = tmp_path / "mixed.yaml"
    write(path, str(busybox_image), who="hunter2")
    yield path
    terminal.scar("destroy", path, "--yes", check=False)


def write(path: Path, image: str, who: str) -> None:
    function: dict[str, Any] = {
        "name": "upper",
        "memory": 256,
        "init_script": "upper.sh",
        "container": {"image_file": image},
        "input": [{"storage_provider": "s3", "path": "mixed-letters/in"}],
        "output": [{"storage_provider": "minio.theirs", "path": "mixed-middle/in"}],
    }
    service: dict[str, Any] = {
        "name": "sign",
        "image_file": image,
        "script": "sign.sh",
        "environment": {"secrets": {"WHO": who}},
        "input": [{"storage_provider": "minio.theirs", "path": "mixed-middle/in"}],
        "output": [{"storage_provider": "s3.archive", "path": "mixed-signed/out"}],
    }
    document = {
        "functions": {"aws": [{"lambda": function}], "oscar": [{"theirs": service}]},
        "clusters": {"theirs": {"endpoint": "https://oscar.example.org", "auth_password": "of theirs"}},
        "storage_providers": {
            "minio": {"theirs": DISTANT},
            "s3": {"archive": {"access_key": "theirs", "secret_key": "theirs", "region": "us-east-1"}},
        },
    }
    path.write_text(yaml.safe_dump(document))


def test_files_go_from_s3_through_a_function_and_a_cluster_back_to_s3(
    terminal: Terminal, fdl: Path, busybox_image: Path, tmp_path: Path
) -> None:
    answer = terminal.up(fdl)
    cluster = answer["outputs"]["oscar"]["theirs"]
    assert cluster["endpoint"].startswith("http://127.0.0.1:")
    assert (cluster["password"], cluster["services"]["sign"]["token"]) == ("[secret]", "[secret]")
    assert cluster["storage"] == {"minio.default": "[secret]", "minio.theirs": "[secret]"}
    state = (terminal.state / "pulumi" / ".pulumi" / "stacks" / "mixed" / "local.json").read_text()
    assert "hunter2" not in state
    assert "of theirs" not in state

    letter = tmp_path / "letter.txt"
    letter.write_text("hello\n")
    terminal.scar("put", "mixed-letters/in", letter)
    terminal.wait_for_keys("mixed-signed/out", 1)
    terminal.scar("get", "mixed-signed/out", tmp_path / "got")
    assert (tmp_path / "got" / "letter.txt").read_text() == "HELLO\nsigned hunter2\n"

    write(fdl, str(busybox_image), who="bob")
    changed = terminal.up(fdl)
    assert (changed["changes"]["update"], changed["changes"]["create"]) == (1, 0)
    (tmp_path / "again.txt").write_text("hello\n")
    terminal.scar("put", "mixed-letters/in", tmp_path / "again.txt")
    terminal.wait_for_keys("mixed-signed/out", 2)
    terminal.scar("get", "mixed-signed/out", tmp_path / "got")
    assert (tmp_path / "got" / "again.txt").read_text() == "HELLO\nsigned bob\n"
