"""The supervisor layer: what is in it, and that the same things make the same layer."""

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import obstore
import pytest

from tests.supervisor.conftest import BUNDLE, Bundle, Launch
from tests.supervisor.container import Container, Deployment, printed
from tests.world.interpreters import other_interpreters


def build(*arguments: str, script: Path = BUNDLE, python: str = sys.executable, **environment: str) -> Any:
    done = subprocess.run(
        [python, script, *arguments],
        capture_output=True,
        check=False,
        text=True,
        env={**os.environ, **environment},
        cwd="/",
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_facts_describe_the_file(bundle: Bundle) -> None:
    packed = bundle.file.read_bytes()
    assert bundle.facts["digest"] == f"sha256:{hashlib.sha256(packed).hexdigest()}"
    assert bundle.facts["diff_id"] == f"sha256:{hashlib.sha256(gzip.decompress(packed)).hexdigest()}"
    assert bundle.facts["size"] == len(packed)
    assert set(bundle.facts) == {"digest", "diff_id", "size", "entrypoint", "inputs"}


def test_the_layer_is_small(bundle: Bundle) -> None:
    assert bundle.facts["size"] < 12 * 1024 * 1024


def test_the_same_things_make_the_same_bytes_wherever_they_lie(bundle: Bundle, tmp_path: Path) -> None:
    copy, folder = tmp_path / "some where" / "else", tmp_path / "made"
    shutil.copytree(BUNDLE.parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    folder.mkdir()
    other = {"PYTHONHASHSEED": "7", "PYTHONDONTWRITEBYTECODE": "1", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    facts = json.loads(build("--output", str(folder / "again"), script=copy / "bundle.py", **other))
    assert facts == bundle.facts
    assert (folder / "again").read_bytes() == bundle.file.read_bytes()
    assert [path.name for path in folder.iterdir()] == ["again"]


def test_the_fingerprint_is_that_of_the_layer(bundle: Bundle) -> None:
    assert build("--fingerprint") == bundle.facts["inputs"]


def test_the_fingerprint_changes_with_the_supervisor(bundle: Bundle, tmp_path: Path) -> None:
    shutil.copytree(BUNDLE.parent, tmp_path / "copy")
    with (tmp_path / "copy/supervisor/main.py").open("a") as file:
        file.write("# changed\n")
    assert build("--fingerprint", script=tmp_path / "copy/bundle.py") != bundle.facts["inputs"]


def test_everything_lies_in_one_folder_and_is_readable_by_anybody(bundle: Bundle) -> None:
    with tarfile.open(bundle.file) as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == sorted(member.name for member in members)
    for member in members:
        assert member.name == "opt/scar" or member.name.startswith("opt/scar/"), member.name
        assert (member.uid, member.gid, member.mtime) == (0, 0, 0)
        assert member.isdir() or member.isreg()
        assert member.mode == (0o755 if member.isdir() or member.name.endswith(("/ld.so", "/python")) else 0o644)


def test_the_python_code_names_no_folder_of_this_machine(bundle: Bundle) -> None:
    for path in bundle.folder.rglob("*"):
        if path.suffix in (".pyc", ".zip"):
            content = path.read_bytes()
            for folder in (str(BUNDLE.parents[1]), sys.prefix, sys.base_prefix + "/lib"):
                assert folder.encode() not in content, path


def test_every_module_in_the_layer_can_be_imported_in_an_empty_root(launch: Launch, bundle: Bundle) -> None:
    (archive,) = bundle.folder.rglob("python*.zip")
    with zipfile.ZipFile(archive) as packed:
        names = [name.removesuffix(".pyc").removesuffix("/__init__").replace("/", ".") for name in packed.namelist()]
    code = f"import obstore.store\nfor name in {names!r}: __import__(name)\nprint('all')"
    entrypoint = [*bundle.facts["entrypoint"][:-1], code]
    assert launch("empty", image={"Entrypoint": entrypoint}).output({}) == "all\n"


def test_every_third_party_file_is_in_the_sbom_with_its_licence(bundle: Bundle) -> None:
    root = bundle.folder / "opt/scar"
    document = json.loads((root / "sbom.json").read_text())
    told = {entry["value"] for part in document["components"] for entry in part["properties"]}
    held = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert {name for name in held - told if not name.startswith("licences/")} == {
        "sbom.json",
        "lib/page.html",
        "lib/marla.py",
    }
    licences = {path.stem for path in (root / "licences").iterdir()}
    names = {part["name"] for part in document["components"]}
    assert {"cpython", "glibc", "openssl", "obstore", "botocore"} <= names
    assert "botocore" in licences
    assert all(part["licenses"][0]["expression"] for part in document["components"])


def test_the_layer_has_only_what_it_needs(bundle: Bundle) -> None:
    names = {path.name.partition(".")[0] for path in bundle.folder.rglob("*") if path.is_file()}
    assert not names & {"_hashlib", "_ctypes", "_sqlite3", "_asyncio", "unicodedata", "boto3", "pip", "setuptools"}


@pytest.mark.parametrize(
    "python", other_interpreters() or [pytest.param("", marks=pytest.mark.skip("no other CPython"))]
)
def test_any_cpython_of_the_machine_can_be_put_into_a_layer(
    python: str, shared_folder: Path, root_filesystem: Any
) -> None:
    packages = str(Path(obstore.__file__).parents[1])
    file = shared_folder / f"other-{abs(hash(python))}.tar.gz"
    facts = json.loads(build("--output", str(file), python=python, PYTHONPATH=packages))
    folder = file.with_suffix(".unpacked")
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="tar")
    folder.chmod(0o755)
    function = shared_folder / f"{folder.name}.function"
    function.mkdir(mode=0o755)
    container = Container(Deployment((root_filesystem("busybox"), folder), facts["entrypoint"]), function)
    try:
        assert printed(container.run("echo $0 runs")).endswith("runs\n")
    finally:
        container.close()
