"""Image files are looked at before anything is deployed."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from scar_pulumi.fdl import Fdl

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
