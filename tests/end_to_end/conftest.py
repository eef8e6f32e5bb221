"""A user at a terminal: `scar-pulumi` as a process, a local cloud of the test session's own, and small images."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.world.waiting import wait_for

APPLETS = (
    "sh",
    "basename",
    "cat",
    "cp",
    "dd",
    "echo",
    "env",
    "head",
    "id",
    "kill",
    "ls",
    "mkdir",
    "rm",
    "sleep",
    "stat",
    "tee",
    "touch",
    "tr",
    "wc",
)


@dataclass(frozen=True)
class Answer:
    """What a command ended with and printed."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """The one document on standard output."""
        return json.loads(self.stdout)


class Terminal:
    """Runs `scar-pulumi` in a folder, on a local cloud of its own."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PULUMI_"))},
            "SCAR_STATE_DIR": str(state),
        }

    def command(self, *arguments: object) -> list[str]:
        """Return the command line of a verb."""
        return [sys.executable, "-m", "scar_pulumi", *(str(argument) for argument in arguments)]

    def scar(self, *arguments: object, check: bool = True, cwd: Path | None = None) -> Answer:
        """Run a verb to its end; fails the test when it fails, unless told otherwise."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        answer = Answer(done.returncode, done.stdout, done.stderr)
        if check:
            assert answer.status == 0, f"{arguments}\n{answer.stdout}\n{answer.stderr}"
        return answer

    def up(self, fdl: Path, *arguments: object) -> Any:
        """Deploy and return the JSON answer."""
        return self.scar("up", fdl, "--yes", "--json", *arguments).json

    def keys(self, location: str) -> list[str]:
        """Return the keys under a bucket and prefix, none where the bucket is missing."""
        answer = self.scar("ls", location, "--json", check=False)
        return [entry["key"] for entry in answer.json.get("objects", [])] if answer.status == 0 else []

    def wait_for_keys(self, location: str, count: int, seconds: float = 60) -> list[str]:
        """Wait until there are that many objects and return their keys."""
        return wait_for(lambda: found if len(found := self.keys(location)) >= count else None, seconds, location)


@pytest.fixture(scope="session")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """Return a terminal whose local cloud stops with the session."""
    terminal = Terminal(tmp_path_factory.mktemp("state"))
    yield terminal
    terminal.scar("local", "stop", check=False)


@pytest.fixture(scope="session")
def busybox_image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a docker-save tar of a static busybox and nothing else."""
    return make_image(tmp_path_factory.mktemp("images") / "busybox.tar", busybox_files())


def busybox_files() -> dict[str, bytes | str]:
    """Return a root file system with busybox: contents by path, a text being a link's target."""
    busybox = shutil.which("busybox")
    assert busybox, "busybox is missing: run `make setup`"
    links: dict[str, bytes | str] = {f"bin/{applet}": "busybox" for applet in APPLETS}
    return {"bin/busybox": Path(busybox).read_bytes(), **links, "etc/passwd": b"root:x:0:0::/:/bin/sh\n"}


def make_image(path: Path, files: Mapping[str, bytes | str], **configuration: object) -> Path:
    """Write a docker-save tar with one layer."""
    layer = _tar({name: files[name] for name in sorted(files)}, mode=0o755)
    config = {
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], **configuration},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(layer).hexdigest()]},
    }
    manifest = [{"Config": "config.json", "RepoTags": ["test/busybox:1"], "Layers": ["layer.tar"]}]
    contents: dict[str, bytes | str] = {
        "config.json": json.dumps(config).encode(),
        "manifest.json": json.dumps(manifest).encode(),
        "layer.tar": layer,
    }
    path.write_bytes(_tar(contents, mode=0o644))
    return path


def _tar(files: Mapping[str, bytes | str], mode: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


class Project:
    """An FDL file with its scripts, in a folder of its own."""

    def __init__(self, folder: Path, image: Path) -> None:
        self.folder = folder
        self.image = image
        self.fdl = folder / f"{folder.name}.yaml"
        self.functions: list[dict[str, Any]] = []
        self.beside: dict[str, dict[str, Any]] = {}  # sections beside `lambda`, by function

    def function(
        self, name: str, script: str, read: str | None = None, write: str | None = None, **keys: Any
    ) -> dict[str, Any]:
        """Add a function; `read` and `write` are storage paths."""
        (self.folder / f"{name}.sh").write_text(f"#!/bin/sh\nset -eu\n{script}\n")
        section: dict[str, Any] = {
            "name": name,
            "memory": 256,
            "timeout": 60,
            "init_script": f"{name}.sh",
            "container": {"image_file": str(self.image)},
            "input": _storage(read),
            "output": _storage(write),
            **keys,
        }
        self.functions.append(section)
        return section

    def write(self) -> Path:
        """Write the FDL file and return its path."""
        sections = [{"lambda": section, **self.beside.get(section["name"], {})} for section in self.functions]
        self.fdl.write_text(yaml.safe_dump({"functions": {"aws": sections}}))
        return self.fdl


def _storage(path: str | None) -> Sequence[dict[str, str]]:
    return [{"storage_provider": "s3", "path": path}] if path else []


@pytest.fixture
def project(tmp_path: Path, busybox_image: Path, terminal: Terminal) -> Iterator[Project]:
    """Return a project whose stack is destroyed afterwards."""
    folder = tmp_path / f"p{abs(hash(str(tmp_path))) % 10**8}"
    folder.mkdir()
    project = Project(folder, busybox_image)
    yield project
    if project.fdl.exists():
        terminal.scar("destroy", project.fdl, "--yes", check=False)
