"""Pulumi's own language host for programs in YAML, which is built once."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Terminal
from tests.world.pulumi_programs import PlainPulumi, local_environment

SCRIPT = Path(__file__).parents[4] / "scripts" / "setup-pulumi-yaml"


@pytest.fixture(scope="session")
def language_host() -> str:
    """Return the folder with the language host."""
    return subprocess.run([SCRIPT], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


@pytest.fixture
def start_program(
    terminal: Terminal, language_host: str, busybox_image: Path, tmp_path: Path
) -> Iterator[Callable[[str], PlainPulumi]]:
    """Return what puts a program into a folder, with a script and an image beside it; it is destroyed afterwards."""
    (tmp_path / "shout.sh").write_text('#!/bin/sh\ntr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/shouted.txt"\n')
    (tmp_path / "busybox.tar").symlink_to(busybox_image)
    started: list[PlainPulumi] = []

    def start(program: str) -> PlainPulumi:
        (tmp_path / "Pulumi.yaml").write_text(program)
        printed = terminal.scar("local", "env", "--json", cwd=tmp_path).stdout
        environment = local_environment(printed, terminal.environment)
        environment["PATH"] = os.pathsep.join([language_host, environment["PATH"]])
        started.append(PlainPulumi(tmp_path, environment))
        return started[-1]

    yield start
    for one in started:
        one.run("destroy", "--yes", "--skip-preview", "--remove", "--non-interactive", "--stack", "local")
