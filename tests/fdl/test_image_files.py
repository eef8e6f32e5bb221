"""Image files are looked at before anything is deployed."""

import bz2
import gzip
import io
import json
import lzma
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl, FdlError
from tests.images import images

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


FORMS: dict[str, Callable[[Path, str], object]] = {
    "docker save, old": lambda path, name: images.docker_old(path, architecture=name),
    "docker save, new": lambda path, name: images.docker_new(path, architecture=name),
    "OCI archive": lambda path, name: path.write_bytes(images.tar(images.oci_files(architecture=name))),
    "OCI directory": lambda path, name: images.oci_directory(path, images.oci_files(architecture=name)),
    "gzip": lambda path, name: path.write_bytes(gzip.compress(docker(path, name))),
    "xz": lambda path, name: path.write_bytes(lzma.compress(docker(path, name))),
    "bzip2": lambda path, name: path.write_bytes(bz2.compress(docker(path, name))),
    "OCI archive, gzip": lambda path, name: path.write_bytes(
        gzip.compress(images.tar(images.oci_files(architecture=name)))
    ),
}


def docker(path: Path, architecture: str) -> bytes:
    return images.docker_old(path, architecture=architecture).read_bytes()


def refusals(load_text: Callable[[str], Fdl], text: str) -> list[str]:
    try:
        load_text(text)
    except FdlError as error:
        return [problem.message for problem in error.problems]
    return []


@pytest.mark.parametrize("architecture", ["amd64", "arm64", "s390x"])
@pytest.mark.parametrize("form", FORMS)
def test_an_image_for_another_architecture_is_told_whatever_its_form(
    tmp_path: Path, load_text: Callable[[str], Fdl], form: str, architecture: str
) -> None:
    FORMS[form](tmp_path / "image.tar", architecture)
    for name, platform in (("x86_64", "amd64"), ("arm64", "arm64")):
        said = [f"'image.tar' is for {architecture}, and the function for {name}"]
        found = refusals(load_text, LAMBDA + f"      architectures: [{name}]\n")
        assert found == ([] if platform == architecture else said)


def test_the_way_out_of_a_wrong_architecture_is_told(tmp_path: Path, mistakes: Callable[[str], list[str]]) -> None:
    docker(tmp_path / "image.tar", "arm64")
    (said,) = mistakes(LAMBDA)
    assert said.endswith("; set lambda.architectures to [arm64], or use another image")


def test_an_index_with_the_right_architecture_among_others_is_taken(
    tmp_path: Path, load_text: Callable[[str], Fdl]
) -> None:
    platforms = [{"platform": {"architecture": name}, "digest": "sha256:0"} for name in ("arm64", "amd64")]
    images.oci_directory(tmp_path / "image.tar", {"index.json": json.dumps({"manifests": platforms}).encode()})
    assert refusals(load_text, LAMBDA) == []


def test_a_compressed_archive_that_is_cut_off_is_told(tmp_path: Path, mistakes: Callable[[str], list[str]]) -> None:
    content = gzip.compress(docker(tmp_path / "whole.tar", "amd64"))
    (tmp_path / "image.tar").write_bytes(content[: len(content) // 2])
    (said,) = mistakes(LAMBDA)
    assert "functions.aws[0].lambda.container.image_file: cannot be decompressed (" in said
    assert said.endswith("; write or download it again")


@pytest.mark.parametrize("content", [b'{"not": "a list"}', b"[]", b"[{}]", b"not JSON", b'[{"Config": "gone.json"}]'])
def test_an_image_that_cannot_be_understood_is_told_when_it_is_deployed(
    tmp_path: Path, load_text: Callable[[str], Fdl], content: bytes
) -> None:
    (tmp_path / "image.tar").write_bytes(images.tar({"manifest.json": content}))
    assert refusals(load_text, LAMBDA) == []
