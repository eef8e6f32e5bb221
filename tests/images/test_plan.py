"""A plan holds the whole image, is the same each time, and costs nothing the second time."""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from scar_components.images import FileRange, ImageError, ImagePlan, layers, load_plan, plan_image, save_plan
from scar_components.images.layers import gunzip_chunks, gzip_chunks, stored_gzip
from tests.images import images


def layer_files(plan: ImagePlan, index: int) -> dict[str, tuple[int, int, bytes | None]]:
    """Mode, date and content of what is in a layer."""
    source = plan.layers[index].source
    assert isinstance(source, FileRange)
    with tarfile.open(fileobj=io.BytesIO(source.read()), mode="r:gz") as archive:
        members = archive.getmembers()
        assert all((member.uid, member.gid, member.uname) == (0, 0, "") for member in members)
        found = {}
        for member in members:
            file = archive.extractfile(member)
            found[member.name] = member.mode, int(member.mtime), file.read() if file else None
        return found


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "script.sh"
    path.write_bytes(b"#!/bin/sh\r\necho \xff\n")
    return path


def test_the_image_is_the_base_and_the_supervisor_and_the_script(tmp_path: Path, bundler: Path, script: Path) -> None:
    archive = images.docker_old(tmp_path / "base.tar")
    plan = plan_image(image_file=str(archive), script=str(script), bundle=bundler)

    manifest, config = json.loads(plan.manifest), json.loads(plan.config)
    base = images.configuration(images.layers())
    assert manifest["mediaType"] == "application/vnd.docker.distribution.manifest.v2+json"
    assert manifest["config"]["digest"] == images.digest(plan.config)
    assert [layer["digest"] for layer in manifest["layers"]] == [layer.digest for layer in plan.layers]
    assert {layer["mediaType"] for layer in manifest["layers"]} == {"application/vnd.docker.image.rootfs.diff.tar.gzip"}
    assert plan.digest == images.digest(plan.manifest)
    assert config["config"] == {
        "Entrypoint": ["/opt/scar/lib/ld.so", "/opt/scar/bin/supervisor"],
        "User": "",
        "WorkingDir": "/",
        "Env": ["PATH=/bin", "LANG=C.UTF-8"],
        "Labels": {"a": "b"},
    }
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in plan.layers]
    assert config["rootfs"]["diff_ids"][:2] == base["rootfs"]["diff_ids"]
    assert len(config["history"]) == 4
    assert config["created"] == base["created"]


def test_the_function_layer_keeps_what_the_base_wants_to_start(tmp_path: Path, bundler: Path, script: Path) -> None:
    archive = images.docker_old(tmp_path / "base.tar")
    with_script = layer_files(plan_image(image_file=str(archive), script=str(script), bundle=bundler), 3)
    without = layer_files(plan_image(image_file=str(archive), bundle=bundler), 3)

    image = {key: images.configuration([])["config"][key] for key in ("Entrypoint", "Cmd", "User", "WorkingDir", "Env")}
    assert with_script["opt/scar/function/script"] == (0o755, 0, script.read_bytes())
    assert json.loads(with_script["opt/scar/function/image.json"][2] or b"") == image
    assert set(without) == {"opt/scar/function", "opt/scar/function/image.json"}


def test_an_image_without_a_configuration_can_be_a_base(tmp_path: Path, bundler: Path) -> None:
    archive = images.docker_old(tmp_path / "base.tar", config=None, history=None)
    plan = plan_image(image_file=str(archive), bundle=bundler)

    document = layer_files(plan, 3)["opt/scar/function/image.json"][2] or b""
    assert json.loads(document) == {"Entrypoint": None, "Cmd": None, "User": "", "WorkingDir": "", "Env": []}


def test_a_base_of_nothing_is_the_supervisor_and_the_function_alone(bundler: Path, script: Path) -> None:
    plan = plan_image(image="scratch", script=str(script), bundle=bundler)
    config = json.loads(plan.config)
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["config"]["Entrypoint"] == ["/opt/scar/lib/ld.so", "/opt/scar/bin/supervisor"]
    assert config["rootfs"]["diff_ids"] == [layer.diff_id for layer in plan.layers]
    assert len(plan.layers) == 2
    assert set(layer_files(plan, 1)) == {
        "opt/scar/function",
        "opt/scar/function/image.json",
        "opt/scar/function/script",
    }


def test_the_digest_is_the_same_from_other_directories_caches_and_layouts(
    tmp_path: Path, bundler: Path, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digests = set()
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        monkeypatch.setenv("SCAR_CACHE_DIR", str(folder / "cache"))
        copy = folder / "renamed.sh"
        copy.write_bytes(script.read_bytes())
        archive = images.docker_old(folder / "base.tar")
        digests |= {plan_image(image_file=str(archive), script=str(copy), bundle=bundler).digest for _ in range(2)}
        # The same uncompressed layers in the newer layout.
        newer = images.docker_new(folder / "newer.tar")
        digests.add(plan_image(image_file=str(newer), script=str(copy), bundle=bundler).digest)
    assert len(digests) == 1


def test_a_combiner_lies_beside_the_script(tmp_path: Path, bundler: Path, script: Path) -> None:
    archive = images.docker_old(tmp_path / "base.tar")
    combiner = tmp_path / "combine.awk"
    combiner.write_text("{ print }")
    plan = plan_image(image_file=str(archive), script=str(script), combiner=str(combiner), bundle=bundler)
    files = layer_files(plan, 3)
    assert files["opt/scar/function/script"] == (0o755, 0, script.read_bytes())
    assert files["opt/scar/function/combiner"] == (0o755, 0, combiner.read_bytes())


def test_whatever_differs_between_functions_changes_the_digest(tmp_path: Path, bundler: Path, script: Path) -> None:
    archive = str(images.docker_old(tmp_path / "base.tar"))
    other = str(images.docker_old(tmp_path / "other.tar", images.layers(b"other")))
    changed = tmp_path / "changed.sh"
    changed.write_bytes(script.read_bytes() + b"#")
    digests = [
        plan_image(image_file=archive, bundle=bundler).digest,
        plan_image(image_file=archive, script=str(script), bundle=bundler).digest,
        plan_image(image_file=archive, script=str(changed), bundle=bundler).digest,
        plan_image(image_file=other, script=str(changed), bundle=bundler).digest,
    ]
    assert len(set(digests)) == 4


def test_twenty_functions_on_one_base_compress_it_once(
    tmp_path: Path, bundler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = str(images.docker_old(tmp_path / "base.tar"))
    compressed: list[int] = []

    def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
        compressed.append(1)
        return gzip_chunks(chunks)

    monkeypatch.setattr(layers, "gzip_chunks", counted)

    def one(number: int) -> str:
        script = tmp_path / f"{number}.sh"
        script.write_text(f"echo {number}")
        return plan_image(image_file=archive, script=str(script), bundle=bundler).digest

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(one, range(20)))) == 20
    assert len(compressed) == 2  # layers
    assert (bundler.parent / "runs.txt").read_text() == "run\n"


def test_processes_that_plan_at_once_agree_and_share(tmp_path: Path, bundler: Path, cache: Path) -> None:
    archive = str(images.docker_old(tmp_path / "base.tar", [images.tar({"big": os.urandom(8 << 20)})]))
    code = (
        "import sys, pathlib, scar_components.images as i;"
        "print(i.plan_image(image_file=sys.argv[1], bundle=pathlib.Path(sys.argv[2])).digest)"
    )
    command = [sys.executable, "-c", code, archive, str(bundler)]
    planners = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    digests = [planner.communicate(timeout=60)[0] for planner in planners]

    assert len(set(digests)) == 1
    assert digests[0].startswith("sha256:")
    assert len(list((cache / "layers").glob("*.tar.gz"))) == 1
    assert not list(cache.rglob(".new-*"))
    assert (bundler.parent / "runs.txt").read_text() == "run\n"


def test_a_changed_base_is_noticed_and_a_lost_cache_is_made_again(tmp_path: Path, bundler: Path, cache: Path) -> None:
    archive = images.docker_old(tmp_path / "base.tar")
    first = plan_image(image_file=str(archive), bundle=bundler)
    for path in (cache / "layers").glob("*.gz"):
        path.unlink()
    again = plan_image(image_file=str(archive), bundle=bundler)
    images.docker_old(archive, images.layers(b"new!"))

    assert again == first
    assert layer_files(again, 0) == layer_files(first, 0)
    assert plan_image(image_file=str(archive), bundle=bundler).digest != first.digest


def test_a_base_that_changes_after_the_plan_is_not_pushed_by_mistake(tmp_path: Path, bundler: Path) -> None:
    archive = images.docker_new(tmp_path / "base.tar", packed=True)
    plan = plan_image(image_file=str(archive), bundle=bundler)
    archive.write_bytes(archive.read_bytes())

    source = plan.layers[0].source
    assert isinstance(source, FileRange)
    with pytest.raises(ImageError, match="has changed since it was examined; run again"):
        source.read()


def test_a_plan_reaches_another_process_whole(plan: ImagePlan) -> None:
    save_plan(plan)

    assert load_plan(plan.digest) == plan
    with pytest.raises(ImageError, match="its plan is not in the cache"):
        load_plan("sha256:" + "0" * 64)


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (5 << 20) + 17])
def test_gzip_is_valid_and_reproducible(size: int) -> None:
    data = os.urandom(size // 2) + bytes(size - size // 2)
    chunks = [data[start : start + (1 << 20)] for start in range(0, size, 1 << 20)]
    packed = b"".join(gzip_chunks(chunks))

    assert gzip.decompress(packed) == data
    assert b"".join(gunzip_chunks([packed])) == data
    assert packed == b"".join(gzip_chunks(chunks))
    with pytest.raises(EOFError):
        b"".join(gunzip_chunks([packed[:-3]]))


def test_a_compressed_layer_is_one_member_of_the_same_bytes_on_every_machine() -> None:
    words = b"".join(hashlib.sha256(number.to_bytes(4)).digest()[: number % 33] * 3 for number in range(60_000))
    packed = b"".join(gzip_chunks([words[: 1 << 20], words[1 << 20 :]]))

    member = zlib.decompressobj(wbits=31)
    assert member.decompress(packed) == words
    assert (member.eof, member.unused_data) == (True, b"")
    assert hashlib.sha256(packed).hexdigest() == "14c926813d02c206204d0ee2bb9aa03f227a76758005b1bcf8c6362e11ddf68f"


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "no base": ({"image_file": None}, "exactly one of them names the base"),
    "two bases": ({"image": "debian:12"}, "exactly one of them names the base"),
    "no such file": ({"image_file": "/nowhere/x.tar"}, "image_file /nowhere/x.tar: no such file or directory"),
    "no such script": ({"script": "/nowhere/s.sh"}, "script /nowhere/s.sh: cannot be read .*; check the path"),
    "a directory as script": ({"script": "/tmp"}, "script /tmp: cannot be read"),
    "unknown architecture": ({"architecture": "sparc"}, "architecture 'sparc': is unknown; use x86_64 or arm64"),
    "no bundle for it": (
        {"architecture": "arm64", "image_file": "arm.tar"},
        "supervisor: cannot be bundled: .*arm64 cannot be made here; run on arm64",
    ),
    "supervised already": ({"image_file": "supervised.tar"}, "already contains the supervisor; use the image that"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_refused_before_anything_is_pushed(
    tmp_path: Path, bundler: Path, mistake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images.docker_old(tmp_path / "arm.tar", architecture="arm64")
    images.docker_old(tmp_path / "supervised.tar", config={"Entrypoint": ["/opt/scar/lib/ld.so"]})
    arguments, message = MISTAKES[mistake]
    good: dict[str, Any] = {"image_file": str(images.docker_old(tmp_path / "base.tar")), "bundle": bundler}

    with pytest.raises(ImageError, match=message):
        plan_image(**good | arguments)


def test_an_image_beyond_lambdas_limit_is_refused(
    tmp_path: Path, bundler: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scar_components.images.manifests.LAMBDA_IMAGE_BYTES", 100_000)
    archive = images.docker_old(tmp_path / "base.tar")

    with pytest.raises(ImageError, match="Lambda's maximum is 10 GB, make it smaller"):
        plan_image(image_file=str(archive), bundle=bundler)


@pytest.mark.parametrize("size", [0, 1, 0xFFFF, 0x10000, 3 * 0xFFFF])
def test_the_functions_layer_is_gzip_that_depends_on_no_zlib(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytes(number % 251 for number in range(size))
    packed = stored_gzip(data)
    assert gzip.decompress(packed) == data
    assert len(packed) == 10 + size + 5 * max(1, -(-size // 0xFFFF)) + 8
    monkeypatch.setattr("zlib.compressobj", None)
    monkeypatch.setattr("zlib.compress", None)
    assert stored_gzip(data) == packed
