"""A local cloud, an image and FDL files for one benchmark, and the table that it prints."""

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import boto3
import yaml


class World:
    """Runs `scar-pulumi` on a local cloud of its own, in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PULUMI_"))}
        self._environment = {**kept, "SCAR_STATE_DIR": str(folder / "state")}
        self.image = folder / "busybox.tar"
        self.image.write_bytes(_busybox_image())

    def set(self, **variables: str) -> None:
        """Set variables of the local cloud, before it starts."""
        self._environment |= variables

    def scar(self, *arguments: str) -> Any:
        """Run a verb and return its JSON answer."""
        command = [sys.executable, "-m", "scar_pulumi", *arguments, "--json"]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"bench: {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def fdl(self, name: str, functions: Iterable[str]) -> str:
        """Write an FDL file of no-op functions, each with an input and an output prefix of one bucket."""
        (self.folder / "noop.sh").write_text('#!/bin/sh\n: > "$TMP_OUTPUT_DIR/done"\n')
        sections = [
            {
                "name": function,
                "memory": 256,
                "init_script": "noop.sh",
                "container": {"image_file": str(self.image)},
                "input": [{"path": f"bench-{name}/{function}/in"}],
                "output": [{"path": f"bench-{name}/{function}/out"}],
            }
            for function in functions
        ]
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"functions": {"aws": [{"lambda": section} for section in sections]}}))
        return str(path)

    def client(self, service: str) -> Any:
        """Return a client of the local cloud."""
        endpoint = self.scar("local", "start")["endpoint"]
        key = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": "us-east-1"}
        return boto3.client(service, endpoint_url=endpoint, **key)

    def requests(self) -> dict[str, int]:
        """Return how many requests each service has had."""
        return dict(self.scar("local", "status")["details"]["requests"])

    def close(self) -> None:
        """Stop the local cloud."""
        self.scar("local", "stop")


def memory_of(process: int) -> int:
    """Return the megabytes of memory that a process has."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS:"))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under their columns, aligned."""
    cells = [[str(cell) for cell in row] for row in (columns, *rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(columns))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)))


def _busybox_image() -> bytes:
    busybox = shutil.which("busybox") or sys.exit("bench: busybox is missing; run `make setup`")
    layer = _tar({"bin/busybox": Path(busybox).read_bytes(), "bin/sh": None})
    diff_id = "sha256:" + hashlib.sha256(layer).hexdigest()
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": [diff_id]}}
    manifest = [{"Config": "config.json", "RepoTags": None, "Layers": ["layer.tar"]}]
    documents = {"config.json": json.dumps(config).encode(), "manifest.json": json.dumps(manifest).encode()}
    return _tar({**documents, "layer.tar": layer})


def _tar(files: dict[str, bytes | None]) -> bytes:
    """Return a tar; what has no content is a link to busybox."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.mode = 0o755
            if content is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()
