"""Disks that are full or damaged: nothing is lost without a word."""

import socket
import time
from pathlib import Path

import pytest

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud import layout
from scar_pulumi.cloud.layout import write_fully
from tests.world.fake_cloud import FakeCloud


def test_a_damaged_snapshot_is_named_instead_of_taken_for_an_empty_cloud(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("kept")
    own_cloud.stop()
    state = next((own_cloud.state / "snapshots").glob("*/lambda.json"))
    content = state.read_bytes()
    _replace(state, content[:100])
    with pytest.raises(LocalCloudError, match=rf"{state}: the state is damaged .* scar-pulumi local reset"):
        own_cloud.start()
    _replace(state, content)
    own_cloud.start()
    assert own_cloud.client("lambda").list_functions()["Functions"][0]["FunctionName"] == "kept"


def test_an_object_for_which_there_is_no_room_is_refused(cloud: FakeCloud) -> None:
    cloud.client("s3").create_bucket(Bucket="small-room")
    status, _, body = cloud.http("PUT", "/small-room/huge", content_length=str(10**15))
    assert status == 507
    assert b"MB left; free some space" in body
    assert "Contents" not in cloud.client("s3").list_objects_v2(Bucket="small-room")


def test_a_full_disk_is_told_before_the_local_cloud_starts(
    own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "_RESERVE", 10**15)
    with pytest.raises(LocalCloudError, match=rf"the disk of {own_cloud.state} has only \d+ MB left"):
        own_cloud.start()


class _Filling:
    """Takes but three bytes at a time, as a file on a disk that fills up."""

    def __init__(self) -> None:
        self.content = b""

    def write(self, data: memoryview) -> int:
        self.content += bytes(data[:3])
        return min(3, len(data))


def test_what_is_written_in_part_is_written_again_to_the_end() -> None:
    file = _Filling()
    write_fully(file, b"0123456789")  # type: ignore[arg-type]
    assert file.content == b"0123456789"


def test_a_silent_server_on_its_port_is_told_at_once(own_cloud: FakeCloud) -> None:
    port = own_cloud.start().port
    own_cloud.kill()
    with socket.create_server(("127.0.0.1", port)):
        started = time.monotonic()
        assert own_cloud.status() is None
        with pytest.raises(LocalCloudError, match=f"port {port} is taken by another program"):
            own_cloud.start()
        assert time.monotonic() - started < 9


def _replace(path: Path, content: bytes) -> None:
    """Return a new file: the old one has other names, too."""
    path.unlink()
    path.write_bytes(content)
