"""Image files are looked at before anything is deployed."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl, FdlError

LAMBDA = "functions:\n  aws:\n  - lambda:\n      name: a\n      container: {image_file: image.tar}\n"


def archive(path: Path) -> Path:
    """Return an archive that begins with a manifest and ends with a layer."""
    with tarfile.open(path, "w") as tar:
        for name, content in (("manifest.json", b"[]"), ("layer.tar", b"x" * 100_000)):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_a_whole_image_is_taken(tmp_path: Path, load_text: Callable[[str], Fdl]) -> None:
    file = archive(tmp_path / "image.tar")
    assert load_text(LAMBDA).functions[0].image_file == file


@pytest.mark.parametrize("kept", [60_000, 1700])
def test_a_layer_that_is_cut_off_is_told_with_the_place_of_its_image(
    tmp_path: Path, mistakes: Callable[[str], list[str]], kept: int
) -> None:
    file = archive(tmp_path / "image.tar")
    file.write_bytes(file.read_bytes()[:kept])
    said = "functions.aws[0].lambda.container.image_file: 'image.tar' is truncated; write or download it again"
    assert mistakes(LAMBDA) == [f"5:31 {said}"]


def test_a_file_of_a_long_path_is_told_by_its_name(mistakes: Callable[[str], list[str]]) -> None:
    folder = "/".join(["images"] * 20)
    (said,) = mistakes(LAMBDA.replace("image.tar", f"{folder}/image.tar"))
    assert "/images/image.tar' does not exist" in said


@pytest.mark.parametrize(("architecture", "said"), [("amd64", []), ("arm64", ["is for arm64"]), ("s390x", [])])
def test_an_archive_for_another_architecture_is_told(
    tmp_path: Path, load_text: Callable[[str], Fdl], architecture: str, said: list[str]
) -> None:
    with tarfile.open(tmp_path / "image.tar", "w") as tar:
        files = {"manifest.json": [{"Config": "c.json", "Layers": []}], "c.json": {"architecture": architecture}}
        for name, document in files.items():
            content = json.dumps(document).encode()
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    try:
        problems = load_text(LAMBDA).warnings
    except FdlError as error:
        problems = error.problems
    assert [one in problem.message for one, problem in zip(said, problems, strict=True)] == [True] * len(said)


@pytest.mark.parametrize("compression", ["zstd", "gzip"])
def test_compressed_archives_are_read_when_they_are_deployed(
    tmp_path: Path, load_text: Callable[[str], Fdl], compression: str
) -> None:
    file = archive(tmp_path / "plain.tar")
    content = gzip.compress(file.read_bytes()) if compression == "gzip" else b"\x28\xb5\x2f\xfd..."
    (tmp_path / "image.tar").write_bytes(content)
    assert load_text(LAMBDA).warnings == ()
