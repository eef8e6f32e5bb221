"""The supervisor layer for arm64, made on x86_64 from packages and wheels: what is in it, and that it runs."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scar_foundation.directories import cache_directory
from tests.supervisor.conftest import BUNDLE, Bundle
from tests.supervisor.container import Container, Deployment, printed, s3_event
from tests.supervisor.objects import body, bucket, to
from tests.world import root_filesystems

sys.path.insert(0, str(BUNDLE.parent))
from bundling import interpreter

DOWNLOADS = cache_directory() / "packages"
ARM64 = 183  # https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html

pytestmark = [
    pytest.mark.skipif(os.uname().machine != "x86_64", reason="arm64 is foreign to x86_64 machines only"),
    pytest.mark.skipif(not shutil.which("apt-get"), reason="apt downloads the packages"),
    pytest.mark.xdist_group("arm64"),
]


@pytest.fixture(scope="module")
def foreign(shared_folder: Path) -> Bundle:
    file, folder = shared_folder / "arm64.tar.gz", shared_folder / "arm64"
    facts = build(file)
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="tar")
    folder.chmod(0o755)
    return Bundle(file, facts, folder)


def build(file: Path, **environment: str) -> Any:
    command = [
        sys.executable,
        str(BUNDLE),
        "--architecture",
        "arm64",
        "--downloads",
        str(DOWNLOADS),
        "--output",
        str(file),
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_as_small_and_every_program_in_it_is_of_the_architecture(foreign: Bundle) -> None:
    assert foreign.facts["size"] < 12 * 1024 * 1024
    contents = [path.read_bytes()[:20] for path in foreign.folder.rglob("*") if path.is_file()]
    machines = [int.from_bytes(head[18:20], "little") for head in contents if head.startswith(b"\x7fELF")]
    assert set(machines) == {ARM64}
    assert len(machines) > 10


def test_the_same_packages_make_the_same_bytes(foreign: Bundle, tmp_path: Path) -> None:
    again = build(tmp_path / "again", PYTHONHASHSEED="7", TZ="Asia/Tokyo", LC_ALL="C")
    assert again == foreign.facts


def test_its_parts_are_named_with_their_versions_and_licences(foreign: Bundle) -> None:
    root = foreign.folder / "opt/scar"
    parts = {part["name"]: part for part in json.loads((root / "sbom.json").read_text())["components"]}
    for name in ("cpython", "glibc", "openssl", "obstore", "botocore"):
        assert parts[name]["version"][0].isdigit(), name
    assert {"cpython", "glibc", "openssl", "botocore"} <= {path.stem for path in (root / "licences").iterdir()}


def test_without_apt_the_message_names_other_ways(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, BUNDLE, "--architecture", "arm64", "--output", tmp_path / "layer"],
        capture_output=True,
        check=False,
        text=True,
        env={"PATH": str(tmp_path)},
    )
    assert done.returncode == 1
    assert (
        "apt, which this machine does not have; build it on Debian, on a arm64 machine, or with Docker" in done.stderr
    )
    assert list(tmp_path.iterdir()) == []


def debian_python() -> str:
    """Debian's own interpreter, where it is one that can be carried."""
    program = "import sys; print(sys.version_info >= (3, 11))"
    found = shutil.which("python3", path="/usr/bin") or "false"
    shown = subprocess.run([found, "-c", program], capture_output=True, check=False, text=True).stdout
    return found if shown.strip() == "True" else ""


@pytest.mark.skipif(not debian_python(), reason="Debian's Python is not installed")
def test_reading_files_finds_the_tree_that_the_loader_finds() -> None:
    listed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package}_${Version}_\n"], capture_output=True, text=True, check=True
    )
    program = (
        "import sys, bundle; from pathlib import Path\n"
        "from bundling.interpreter import debian_interpreter, this_interpreter\n"
        "own = this_interpreter()\n"
        "read = debian_interpreter(Path('/'), 'x86_64', sys.stdin.read().split(), own.packages)\n"
        "one, other = bundle.tree(own), bundle.tree(read)\n"
        "print([name for name in one.keys() | other.keys() if one.get(name) != other.get(name)])\n"
    )
    packages = os.pathsep.join([str(BUNDLE.parent), *(path for path in sys.path if path.endswith("site-packages"))])
    done = subprocess.run(
        [debian_python(), "-c", program],
        input=listed.stdout,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": packages},
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


@pytest.fixture(scope="module")
def emulator(shared_folder: Path) -> Path:
    """Return a static emulator of arm64 that an unprivileged user can read."""
    target = shared_folder / "qemu-aarch64-static"
    installed = shutil.which(target.name)
    kept = Path(installed) if installed else cache_directory() / target.name
    if not kept.exists():
        folder = shared_folder / "qemu"
        interpreter.unpack_packages("x86_64", DOWNLOADS / "qemu", folder, ("qemu-user-static",))
        shutil.move(folder / "usr/bin" / target.name, kept)
        shutil.rmtree(folder)
    shutil.copy(kept, target)
    tried = subprocess.run(
        [
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "mount",
            "-t",
            "binfmt_misc",
            "none",
            "/proc/sys/fs/binfmt_misc",
        ],
        capture_output=True,
        check=False,
        text=True,
    )
    if tried.returncode:
        pytest.skip(f"no emulator can be registered for one container: {tried.stderr.strip()}")
    return target


@pytest.fixture
def arm64(foreign: Bundle, emulator: Path, shared_folder: Path, tmp_path: Path) -> Iterator[Callable[..., Container]]:
    """Start containers with a root filesystem for arm64."""
    root = shared_folder / "arm64-root"
    if not root.exists():
        interpreter.unpack_packages("arm64", DOWNLOADS / "busybox", tmp_path, ("busybox-static",))
        root_filesystems.open_to_all(root_filesystems.busybox(root, tmp_path, tmp_path / "bin/busybox"))
    running: list[Container] = []

    def start(**deployment: Any) -> Container:
        folder = shared_folder / f"arm64-{len(running)}"
        folder.mkdir(mode=0o755)
        layers = (root, foreign.folder)
        running.append(
            Container(Deployment(layers, foreign.facts["entrypoint"], emulator=emulator, **deployment), folder)
        )
        return running[-1]

    yield start
    for container in running:
        container.close()


def test_it_runs_in_a_root_filesystem_of_its_architecture(
    arm64: Callable[..., Container], s3: Any, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "of-arm64")
    s3.put_object(Bucket=name, Key="in/a", Body=b"of arm64")
    script = '#!/bin/sh\nbusybox uname -m; cat "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/out"'
    container = arm64(script=script, environment=credentials, configuration=to(f"{name}/out"))
    outcome = container.invoke(s3_event(name, "in/a"))
    assert not outcome.failed, container.log
    assert printed(outcome) == "aarch64\n"
    assert body(s3, name, "out/out") == b"of arm64"
    assert container.invoke({"script": "ZXhpdCAz"}).failed
