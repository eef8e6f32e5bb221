"""Base images on disk: every layout is read to the same image, every bad file is refused with what to do."""

import bz2
import gzip
import json
import lzma
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scar_components.images import ImageError
from scar_components.images.image import FileRange
from scar_components.images.local_base import read_archive
from tests.images import images


def quiet(_: str) -> None:
    pass


def unpacked(layer: Any) -> bytes:
    assert isinstance(layer.source, FileRange)
    return gzip.decompress(layer.source.read())


WRITERS: dict[str, Callable[[Path], Path]] = {
    "docker save, old": lambda path: images.docker_old(path / "i.tar"),
    "docker save, new": lambda path: images.docker_new(path / "i.tar"),
    "docker save, containerd": lambda path: images.docker_new(path / "i.tar", packed=True),
    "OCI directory": lambda path: images.oci_directory(path / "oci"),
    "OCI directory, uncompressed": lambda path: images.oci_directory(path / "oci", images.oci_files(packed=False)),
    "OCI archive": lambda path: _written(path / "i.tar", images.tar(images.oci_files())),
    "gzip": lambda path: _written(path / "i", gzip.compress(images.docker_new(path / "i.tar").read_bytes())),
    "xz": lambda path: _written(path / "i", lzma.compress(images.docker_new(path / "i.tar").read_bytes())),
    "bzip2": lambda path: _written(path / "i", bz2.compress(images.docker_new(path / "i.tar").read_bytes())),
    "unpacked docker save": lambda path: _unpacked(images.docker_new(path / "i.tar"), path / "unpacked"),
}


def _written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def _unpacked(archive: Path, folder: Path) -> Path:
    import tarfile

    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_layers_as_gzip(tmp_path: Path, layout: str) -> None:
    base = read_archive(WRITERS[layout](tmp_path), "x86_64", quiet)

    assert base.configuration == images.configuration(images.layers())
    assert [unpacked(layer) for layer in base.layers] == images.layers()
    for layer in base.layers:
        assert isinstance(layer.source, FileRange)
        assert images.described(layer.source.read()) == {"digest": layer.digest, "size": layer.size}


def test_links_between_equal_layers_are_followed(tmp_path: Path) -> None:
    first, second = images.layers()
    base = read_archive(images.docker_old(tmp_path / "i.tar", [first, second, first]), "x86_64", quiet)

    assert [unpacked(layer) for layer in base.layers] == [first, second, first]


def test_the_entry_of_an_index_that_fits_the_architecture_is_taken(tmp_path: Path) -> None:
    intel, arm = images.oci_files(), images.oci_files(architecture="arm64")
    entries = [
        {**json.loads(files["index.json"])["manifests"][0], "platform": {"os": system, "architecture": name}}
        for files, system, name in [
            (intel, "linux", "amd64"),
            (arm, "linux", "arm64"),
            (images.oci_files(images.layers(b"proof")), "unknown", "unknown"),
        ]
    ]
    nested = json.dumps({"schemaVersion": 2, "manifests": entries}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [images.described(nested)]}).encode()
    files = {**intel, **arm, images.blob_name(nested): nested, "index.json": index}
    path = images.oci_directory(tmp_path / "oci", files)

    assert read_archive(path, "x86_64", quiet).configuration["architecture"] == "amd64"
    assert read_archive(path, "arm64", quiet).configuration["architecture"] == "arm64"
    only_intel = json.dumps({"manifests": entries[:1]}).encode()
    (path / "index.json").write_bytes(only_intel)
    with pytest.raises(ImageError, match=r"no image for linux/arm64, only linux/amd64; choose another image"):
        read_archive(path, "arm64", quiet)


def _without(files: dict[str, bytes], name: str) -> dict[str, bytes]:
    return {key: value for key, value in files.items() if key != name}


def _first_layer(files: dict[str, bytes]) -> str:
    manifest = json.loads(files[images.oci_manifest_name(files)])
    return f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"


def _several(path: Path) -> Path:
    entries = [{"Config": "c", "Layers": [], "RepoTags": [f"tool:{number}"]} for number in (1, 2)]
    return _written(path / "i.tar", images.tar({"manifest.json": json.dumps(entries).encode()}))


def _truncated(path: Path) -> Path:
    data = images.docker_old(path / "i.tar").read_bytes()
    return _written(path / "i.tar", data[: len(data) // 2])


def _damaged_gzip(path: Path) -> Path:
    data = bytearray(images.docker_new(path / "i.tar", packed=True).read_bytes())
    start = data.index(b"\x1f\x8b\x08")
    data[start + 40 : start + 60] = bytes(20)
    return _written(path / "i.tar", bytes(data))


def _oci_with(path: Path, change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Path:
    return images.oci_directory(path / "oci", change(images.oci_files()))


def _wrong_layer(path: Path) -> Path:
    data = images.docker_old(path / "i.tar").read_bytes()
    return _written(path / "i.tar", data.replace(b"basebase", b"BASEbase", 1))


def _zstd(path: Path) -> Path:
    zstd = b"\x28\xb5\x2f\xfd" + bytes(100)
    return images.docker_new(path / "i.tar", [zstd])


def _two_manifests(path: Path) -> Path:
    one, two = images.oci_files(), images.oci_files(images.layers(b"two"))
    entries = [json.loads(files["index.json"])["manifests"][0] for files in (one, two)]
    return images.oci_directory(path / "oci", {**one, **two, "index.json": json.dumps({"manifests": entries}).encode()})


BAD: dict[str, tuple[Callable[[Path], Path], str]] = {
    "not a tar": (lambda path: _written(path / "i.tar", b"hello" * 1000), "is not a tar archive; make one with"),
    "empty": (lambda path: _written(path / "i.tar", b""), "is not a tar archive"),
    "compressed, not a tar": (
        lambda path: _written(path / "i.tar", gzip.compress(b"x" * 5000)),
        "is not a tar archive",
    ),
    "compressed and truncated": (
        lambda path: _written(path / "i.tar", gzip.compress(images.docker_new(path / "j.tar").read_bytes())[:-100]),
        r"cannot be decompressed \(.*\); write or download it again",
    ),
    "truncated": (_truncated, "is truncated; write or download it again"),
    "a root filesystem": (
        lambda path: _written(path / "i.tar", images.tar({"./etc/passwd": b""})),
        "is a root filesystem, not an image; import it",
    ),
    "some other tar": (
        lambda path: _written(path / "i.tar", images.tar({"x": b""})),
        "is not an image: it has no manifest.json",
    ),
    "an empty directory": (lambda path: path, "is not an image: it has no manifest.json"),
    "several images": (_several, r"has 2 images \(tool:1, tool:2\); save only one"),
    "several manifests": (_two_manifests, "has 2 images; save only"),
    "windows": (
        lambda path: images.docker_old(path / "i.tar", os="windows"),
        "image for windows, but Lambda runs Linux",
    ),
    "wrong architecture": (
        lambda path: images.docker_old(path / "i.tar", architecture="arm64"),
        "is for arm64, but the function is for x86_64; set architecture to 'arm64' or use an amd64 image",
    ),
    "unknown architecture": (
        lambda path: images.docker_new(path / "i.tar", architecture="riscv64"),
        "is for riscv64, but the function is for x86_64; use an amd64 image",
    ),
    "wrong layer": (_wrong_layer, "layer sha256:.* is damaged"),
    "damaged gzip": (_damaged_gzip, "damaged"),
    "zstd": (_zstd, "zstd layers, which Lambda does not accept; convert it"),
    "missing layer": (
        lambda path: _oci_with(path, lambda f: _without(f, _first_layer(f))),
        "layer blobs/.* is missing",
    ),
    "missing manifest": (
        lambda path: _oci_with(path, lambda f: _without(f, images.oci_manifest_name(f))),
        "blobs/sha256/.* is missing",
    ),
    "manifest with another digest": (
        lambda path: _oci_with(path, lambda f: {**f, images.oci_manifest_name(f): b"{}"}),
        "is damaged; save the image again",
    ),
    "escaping name": (
        lambda path: _oci_with(
            path, lambda f: {**f, "index.json": b'{"manifests": [{"digest": "sha256:../../etc/passwd"}]}'}
        ),
        "only sha256 is supported",
    ),
    "index that is no JSON": (lambda path: _oci_with(path, lambda f: {**f, "index.json": b"{"}), "is not JSON"),
    "index that is a list": (lambda path: _oci_with(path, lambda f: {**f, "index.json": b"[]"}), "not a JSON object"),
    "layers that don't fit": (
        lambda path: images.docker_new(path / "i.tar", rootfs={"type": "layers", "diff_ids": []}),
        "its configuration does not match its 2 layers",
    ),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_file_is_refused_with_what_to_do(tmp_path: Path, kind: str) -> None:
    make, message = BAD[kind]
    path = make(tmp_path)

    with pytest.raises(ImageError, match=message) as caught:
        read_archive(path, "x86_64", quiet)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_damaged_layer_is_found_even_when_the_cache_has_a_good_one(tmp_path: Path) -> None:
    (tmp_path / "good").mkdir()
    read_archive(images.docker_old(tmp_path / "good" / "i.tar"), "x86_64", quiet)

    with pytest.raises(ImageError, match="is damaged"):
        read_archive(_wrong_layer(tmp_path), "x86_64", quiet)


@pytest.mark.skipif(shutil.which("zstd") is None, reason="zstd decompresses it")
def test_an_archive_compressed_with_zstd_is_read_as_the_plain_one(tmp_path: Path) -> None:
    plain = images.docker_new(tmp_path / "i.tar")
    subprocess.run(["zstd", "-q", str(plain)], check=True)
    found, same = (read_archive(path, "x86_64", quiet) for path in (tmp_path / "i.tar.zst", plain))
    assert [layer.digest for layer in found.layers] == [layer.digest for layer in same.layers]
    (tmp_path / "bad.zst").write_bytes((tmp_path / "i.tar.zst").read_bytes()[:-50])
    with pytest.raises(ImageError, match=r"cannot be decompressed \(zstd refuses it\)"):
        read_archive(tmp_path / "bad.zst", "x86_64", quiet)
