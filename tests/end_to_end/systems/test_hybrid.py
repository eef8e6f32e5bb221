"""Functions on AWS and services on OSCAR clusters in one file, on one machine, with nothing installed."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.conftest import Terminal
from tests.end_to_end.test_deploy import UPPER, changed

pytestmark = pytest.mark.xdist_group("main_job")

STRIP = 'tr -d "!" <"$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"'


class Hybrid:
    """S3 → Lambda → MinIO → OSCAR → S3."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self.fdl = folder / "hybrid.yaml"
        image_file = {"image_file": str(image)}
        self.function = {
            "name": "strip",
            "memory": 256,
            "init_script": "strip.sh",
            "container": image_file,
            "input": _storage("s3", "hybrid-files/in"),
            "output": _storage("minio.far", "hybrid-work/stripped"),
        }
        self.service: dict[str, Any] = {
            "name": "upper",
            **image_file,
            "script": "upper.sh",
            "input": _storage("minio", "hybrid-work/stripped"),
            "output": _storage("s3.results", "hybrid-files/out"),
        }
        (folder / "strip.sh").write_text(f"#!/bin/sh\nset -eu\n{STRIP}\n")
        (folder / "upper.sh").write_text(f"#!/bin/sh\nset -eu\n{UPPER}\n")

    def write(self) -> Path:
        """Write the FDL file and return its path."""
        keys = {"access_key": "${config:key}", "secret_key": "${config:secret}", "region": "us-east-1"}
        document = {
            "functions": {"aws": [{"lambda": self.function}], "oscar": [{"far": self.service}]},
            "storage_providers": {"s3": {"results": keys}},
            "clusters": {"far": {"endpoint": "https://oscar.invalid", "auth_password": "unused here"}},
        }
        self.fdl.write_text(yaml.safe_dump(document))
        return self.fdl


def _storage(provider: str, path: str) -> list[dict[str, str]]:
    return [{"storage_provider": provider, "path": path}]


@pytest.fixture
def hybrid(tmp_path: Path, busybox_image: Path, terminal: Terminal) -> Iterator[Hybrid]:
    """Return a workflow whose stack is destroyed afterwards."""
    hybrid = Hybrid(tmp_path, busybox_image)
    yield hybrid
    terminal.scar("destroy", hybrid.fdl, "--yes", check=False)


def test_a_workflow_over_two_clouds_runs_and_its_parts_are_called_and_read(hybrid: Hybrid, terminal: Terminal) -> None:
    answer = terminal.up(hybrid.write())
    far = answer["outputs"]["oscar"]["far"]
    assert (far["password"], far["services"]["upper"]["token"]) == ("[secret]", "[secret]")
    (hybrid.folder / "word.txt").write_text("so!")
    terminal.scar("put", "hybrid-files/in", hybrid.folder / "word.txt")
    assert terminal.wait_for_keys("hybrid-files/out", 1) == ["out/word.txt"]
    terminal.scar("get", "hybrid-files/out", hybrid.folder / "results")
    assert (hybrid.folder / "results" / "word.txt").read_text() == "SO"

    listed = terminal.scar("ls", "--json").json
    assert [(service["cluster"], service["name"]) for service in listed["services"]] == [("far", "upper")]
    (job,) = {line["requestId"] for line in terminal.scar("logs", "upper", "--json").json["events"]}
    assert "did /tmp/" in terminal.scar("logs", "far/upper", "--request-id", job).stdout
    assert terminal.scar("invoke", "upper", "--data", "called and answered").stdout == "CALLED AND ANSWERED"
    terminal.scar("invoke", "upper", "-db", hybrid.folder / "word.txt", "-o", hybrid.folder / "answer")
    assert (hybrid.folder / "answer").read_text() == "SO!"
    later = terminal.scar("invoke", "upper", "--data", "{}", "--async").stdout.strip()
    assert later.startswith("upper-")

    (hybrid.folder / "direct.txt").write_text("by hand")
    terminal.scar("put", "minio.far/hybrid-work/stripped", hybrid.folder / "direct.txt")
    terminal.wait_for_keys("hybrid-files/out/direct.txt", 1)
    assert terminal.keys("minio.far/hybrid-work") == ["stripped/", "stripped/direct.txt", "stripped/word.txt"]
    used = terminal.scar("rm", "minio.default/hybrid-work", check=False)
    assert "uses it" in used.stderr


def test_only_what_is_edited_changes_and_files_outlive_the_stack(hybrid: Hybrid, terminal: Terminal) -> None:
    terminal.up(hybrid.write())
    same = {"create": 0, "update": 0, "replace": 0, "delete": 0}
    assert changed(terminal.up(hybrid.fdl)["changes"]) == same
    hybrid.service["memory"] = "300Mi"
    assert changed(terminal.up(hybrid.write())["changes"]) == {**same, "update": 1}
    refused = terminal.scar("preview", hybrid.fdl, "--stack", "prod", check=False)
    assert refused.status == 2
    assert "functions.oscar[0].far.image_file: works on local stacks only" in refused.stderr

    (hybrid.folder / "kept.txt").write_text("kept")
    terminal.scar("put", "minio.default/hybrid-work/other", hybrid.folder / "kept.txt")
    destroyed = terminal.scar("destroy", hybrid.fdl, "--yes")
    assert "`scar-pulumi rm minio.far/hybrid-work --recursive` removes it" in destroyed.stdout
    assert "other/kept.txt" in terminal.keys("minio.far/hybrid-work")
    terminal.scar("rm", "minio.far/hybrid-work", "--recursive", "--yes")
    assert terminal.keys("minio.far/hybrid-work") == []
    terminal.scar("rm", "hybrid-files", "--recursive", "--yes")


def test_a_cluster_elsewhere_is_reached_with_the_secrets_of_the_stack(
    tmp_path: Path, busybox_image: Path, terminal: Terminal
) -> None:
    """By another name of this machine the cluster is not known for a local one: its password is in the stack only."""
    (tmp_path / "upper.sh").write_text(f"#!/bin/sh\nset -eu\n{UPPER}\n")
    places = {"input": _storage("minio", "elsewhere/in"), "output": _storage("minio", "elsewhere/out")}
    service = {"name": "away", "image_file": str(busybox_image), "script": "upper.sh", **places}
    fdl = tmp_path / "away.yaml"
    fdl.write_text(yaml.safe_dump({"functions": {"oscar": [{"there": service}]}}))
    status = terminal.scar("local", "start", "--json").json
    settings = {
        "endpoint": f"http://localhost:{status['port']}/_scar/oscar/there",
        "auth_user": "oscar",
        "auth_password": (terminal.state / "local" / "oscar-password").read_text(),
    }
    try:
        terminal.up(fdl, "--config", f"scar:clusters={json.dumps({'there': settings})}")
        answered = terminal.scar("invoke", "away", "--data", "from far away", cwd=tmp_path)
        assert answered.stdout == "FROM FAR AWAY"
        assert settings["auth_password"] not in terminal.scar("outputs", fdl).stdout + answered.stderr
        assert terminal.keys("minio.there/elsewhere/out") != []
    finally:
        terminal.scar("destroy", fdl, "--yes", check=False)
        terminal.scar("rm", "minio.there/elsewhere", "--recursive", "--yes", check=False)
