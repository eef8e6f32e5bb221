"""From layers in the store to root filesystems on disk."""

import asyncio
import hashlib
import os
import stat
import tarfile
from pathlib import Path

import pytest

from scar_pulumi.cloud.runner.image import StoredImage, StoredLayer, UnusableImageError, read_image
from scar_pulumi.cloud.runner.layers import Marks, unpack
from scar_pulumi.cloud.runner.root_filesystem import RootFilesystem, RootFilesystems
from tests.cloud.runner import images
from tests.cloud.runner.conftest import Configure, Local
from tests.cloud.runner.images import Entry, directory, link

is_root = os.geteuid() == 0


def _layer(folder: Path, content: bytes) -> StoredLayer:
    path = folder / hashlib.sha256(content).hexdigest()
    path.write_bytes(content)
    return StoredLayer(f"sha256:{path.name}", path, "")


def _unpack(folder: Path, *entries: Entry) -> Path:
    target = folder / "target"
    target.mkdir()
    unpack(_layer(folder, images.layer(entries)), target, "none")
    return target


def test_links_never_lead_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    target = _unpack(
        tmp_path,
        link("absolute", str(outside)),
        Entry("absolute/one", b"1"),
        link("relative", "../../outside"),
        Entry("relative/two", b"2"),
        link("chain", "absolute"),
        Entry("chain/three", b"3"),
        Entry("/leading/slash", b"4"),
    )
    assert not list(outside.iterdir())
    assert (target / str(outside)[1:] / "one").read_bytes() == b"1"
    assert (target / str(outside)[1:] / "three").read_bytes() == b"3"
    assert (target / "outside" / "two").read_bytes() == b"2"
    assert (target / "leading/slash").read_bytes() == b"4"


@pytest.mark.parametrize("name", ["../evil", "a/../../evil"])
def test_names_that_lead_outside_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnusableImageError, match="outside"):
        _unpack(tmp_path, Entry(name, b"x"))
    assert not (tmp_path / "evil").exists()


def test_a_file_written_over_a_link_replaces_the_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept")
    target = _unpack(tmp_path, link("name", str(outside)), Entry("name", b"new"))
    assert (outside.read_text(), (target / "name").read_bytes()) == ("kept", b"new")


def test_hard_links_stay_inside_and_share_their_file(tmp_path: Path) -> None:
    target = _unpack(tmp_path, Entry("a", b"x"), Entry("b", kind=tarfile.LNKTYPE, link="/a"))
    assert (target / "a").samefile(target / "b")
    (target.parent / "secret").write_text("s")
    (tmp_path / "second").mkdir()
    with pytest.raises(UnusableImageError, match="hard link"):
        _unpack(tmp_path / "second", Entry("c", kind=tarfile.LNKTYPE, link="/missing"))


def test_devices_are_left_out_and_privileged_bits_dropped(tmp_path: Path) -> None:
    target = _unpack(
        tmp_path,
        Entry("null", kind=tarfile.CHRTYPE),
        Entry("disk", kind=tarfile.BLKTYPE),
        Entry("pipe", kind=tarfile.FIFOTYPE),
        Entry("sudo", b"x", 0o6755),
        directory("sticky", 0o1777),
    )
    assert sorted(path.name for path in target.iterdir()) == ["pipe", "sticky", "sudo"]
    assert stat.S_IMODE((target / "sudo").stat().st_mode) == 0o755
    assert stat.S_IMODE((target / "sticky").stat().st_mode) == 0o1777


def test_times_modes_and_owners_are_kept_even_of_directories_that_cannot_be_written(tmp_path: Path) -> None:
    target = _unpack(tmp_path, directory("d", 0o555, 7, 8), Entry("d/f", b"x", 0o640, uid=5, gid=6))
    folder, file = (target / "d").stat(), (target / "d/f").stat()
    assert folder.st_mtime == file.st_mtime == 1_000_000_000
    if is_root:
        assert [stat.S_IMODE(x.st_mode) for x in (folder, file)] == [0o555, 0o640]
        assert [(x.st_uid, x.st_gid) for x in (folder, file)] == [(7, 8), (5, 6)]


@pytest.mark.parametrize("damage", [lambda x: x[:-30], lambda x: b"\x1f\x8b" + x[2:-9] + b"123456789"])
def test_broken_layers_are_errors_even_with_the_right_digest(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    content = damage(images.layer([Entry("a", os.urandom(100_000))]))
    (tmp_path / "target").mkdir()
    with pytest.raises(UnusableImageError, match="cannot be unpacked"):
        unpack(_layer(tmp_path, content), tmp_path / "target", "none")


def _three_layers(store: images.Store) -> StoredImage:
    lower = [
        directory("d"),
        Entry("d/old", b"1"),
        directory("e"),
        Entry("e/gone", b"2"),
        Entry("f", b"3"),
        link("l", "f"),
    ]
    middle = [Entry("d/.wh..wh..opq"), Entry("d/new", b"4"), Entry("e/.wh.gone"), Entry("f", b"5")]
    upper = [Entry(".wh.e"), directory("e"), Entry("e/again", b"6"), Entry(".wh.l")]
    digest = store.add([images.layer(lower), images.layer(middle, compress=False), images.layer(upper)], Cmd=["x"])
    return read_image(store, digest)


async def _acquire(store: images.Store, folder: Path, marks: Marks, image: StoredImage) -> RootFilesystem:
    roots = RootFilesystems(folder, store, marks)
    try:
        return await roots.acquire(image)
    finally:
        roots.close()


def test_layers_merged_by_hand_are_what_overlayfs_would_show(store: images.Store, tmp_path: Path) -> None:
    merged = asyncio.run(_acquire(store, tmp_path / "x", "none", _three_layers(store))).merged
    assert merged is not None
    found = {str(path.relative_to(merged)): path.read_bytes() for path in merged.rglob("*") if path.is_file()}
    assert {name: found[name] for name in found if not name.startswith("etc/")} == {
        "d/new": b"4",
        "e/again": b"6",
        "f": b"5",
    }
    assert {"proc", "dev", "tmp", "etc"} <= {path.name for path in merged.iterdir()}


def test_overlayfs_shows_the_same_removals(local: Local, function: Configure, store: images.Store, base: bytes) -> None:
    image = _three_layers(store)
    layers = [base, *(layer.path.read_bytes() for layer in image.layers)]
    digest = store.add(layers, Entrypoint=["/bin/runtime"])
    listed = local.answer(function(image=digest, environment={"PATH": "/bin"}), "cd /; find d e f l 2>/dev/null; true")
    assert sorted(listed.split()) == ["d", "d/new", "e", "e/again", "f"]


def test_a_layer_that_an_image_has_twice_counts_where_it_is_highest(
    local: Local, function: Configure, store: images.Store, base: bytes
) -> None:
    twice = images.layer([Entry("f", b"twice"), Entry(".wh.g")])
    between = images.layer([Entry("f", b"between"), Entry("g", b"hidden"), Entry("h", b"shown")])
    digest = store.add([base, twice, between, twice], Entrypoint=["/bin/runtime"])
    answer = local.answer(function(image=digest, environment={"PATH": "/bin"}), "cd /; cat f h; ls g 2>/dev/null; true")
    assert answer == "twiceshown"


@pytest.mark.skipif(not is_root, reason="needs the marks that only root may set")
def test_images_share_the_directories_of_their_layers(store: images.Store, base: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        roots = RootFilesystems(tmp_path / "x", store, "trusted")
        digests = [store.add([base, images.layer([Entry(f"f{n}", b"x")])], Cmd=["x"]) for n in range(20)]
        found = await asyncio.gather(*(roots.acquire(read_image(store, digest)) for digest in digests))
        assert len({root.layers[0] for root in found}) == 1
        assert len({root.layers[1] for root in found}) == 20
        roots.close()

    asyncio.run(scenario())


def test_layers_go_with_the_last_image_that_has_them(store: images.Store, base: bytes, tmp_path: Path) -> None:
    async def scenario() -> None:
        roots = RootFilesystems(tmp_path / "x", store, "none")
        shared = images.layer([Entry("shared", b"x")])
        first = read_image(store, store.add([shared, images.layer([Entry("first", b"1")])], Cmd=["x"]))
        second = read_image(store, store.add([shared, images.layer([Entry("second", b"2")])], Cmd=["x"]))
        of_first, of_second = [await roots.acquire(image) for image in (first, second)]
        store.delete(first.digest)
        await roots.collect({first.digest})
        assert of_first.layers[1].exists()
        await roots.collect(())
        assert not of_first.layers[1].exists()
        assert of_first.merged is not None
        assert not of_first.merged.exists()
        assert all(layer.exists() for layer in of_second.layers)
        store.delete(second.digest)
        await roots.collect(())
        assert not of_second.layers[0].exists()
        roots.close()

    asyncio.run(scenario())


def test_layers_that_another_process_uses_are_not_removed(store: images.Store, tmp_path: Path) -> None:
    """Locks belong to open files: a second store in this process is as good as one in another."""

    async def scenario() -> None:
        one, other = (RootFilesystems(tmp_path / "x", store, "none") for _ in "ab")
        image = read_image(store, store.add([images.layer([Entry("kept", b"x")])], Cmd=["x"]))
        root = await one.acquire(image)
        await other.acquire(image)
        store.delete(image.digest)
        await one.collect(())
        assert root.layers[0].exists()
        other.close()
        await one.collect(())
        assert not root.layers[0].exists()
        one.close()

    asyncio.run(scenario())


def test_many_at_once_unpack_a_layer_once(store: images.Store, tmp_path: Path) -> None:
    async def scenario() -> None:
        stores = [RootFilesystems(tmp_path / "x", store, "none") for _ in range(4)]
        content = images.layer([Entry(f"file{n}", os.urandom(2000)) for n in range(500)])
        image = read_image(store, store.add([content], Cmd=["x"]))
        found = await asyncio.gather(*(roots.acquire(image) for roots in stores for _ in range(3)))
        assert len({root.layers for root in found}) == 1
        assert len(list((found[0].layers[0]).iterdir())) == 500
        assert not list((tmp_path / "x").rglob("partial-*"))
        for roots in stores:
            roots.close()

    asyncio.run(scenario())


def test_of_a_multi_platform_image_the_functions_platform_is_run(store: images.Store) -> None:
    import json

    wanted = store.add([images.layer([Entry("a")])], Cmd=["x"])
    entries = [
        {"digest": "sha256:other", "platform": {"os": "linux", "architecture": "arm64"}},
        {"digest": wanted, "platform": {"os": "linux", "architecture": "amd64"}},
    ]
    index = store.put(json.dumps({"manifests": entries}).encode())
    assert read_image(store, index).digest == wanted
    with pytest.raises(UnusableImageError, match="linux/riscv"):
        read_image(store, index, "riscv")


def test_an_image_can_be_unpacked_before_its_first_event(
    store: images.Store, base: bytes, tmp_path: Path, function: Configure
) -> None:
    digest = store.add([base, images.layer([Entry("early", b"x")])], Entrypoint=["/bin/runtime"])
    local = Local(store, tmp_path / "runner")
    try:
        local.run(local.runner.prepare(digest))
        assert list((tmp_path / "runner").rglob("early"))
        with pytest.raises(UnusableImageError):
            local.run(local.runner.prepare("sha256:" + "0" * 64))
    finally:
        local.close()
