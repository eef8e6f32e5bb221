"""The disk below /tmp: each event has a folder of its own, and what events leave elsewhere never fills it for good."""

from pathlib import Path
from typing import Any

import pytest

from supervisor import disk
from supervisor.log import Log
from tests.supervisor import container as containers
from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed, s3_event
from tests.supervisor.objects import bucket


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers get a /tmp of one megabyte."""
    world = containers._world()
    at = world.index("--tmpfs")
    monkeypatch.setattr(containers, "_world", lambda: [*world[:at], "--size", str(1 << 20), *world[at:]])


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_reported(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "large-for-disk")
    s3.put_object(Bucket=name, Key="large", Body=b"x" * (2 << 20))
    container = launch(environment=credentials)
    outcome = container.run("seq 1 1000000 >$TMP_OUTPUT_DIR/x || exit 1")
    assert outcome.document["errorType"] == "OutOfDisk"
    outcome = container.invoke(s3_event(name, "large"))
    assert outcome.document["errorType"] == "OutOfDisk"
    assert "raise the function's ephemeral_storage" in outcome.message
    assert not container.run("echo x >$TMP_OUTPUT_DIR/x").failed


def test_temporary_files_go_to_a_folder_that_is_emptied_after_the_event(launch: Launch) -> None:
    container = launch()
    script = "f=$(mktemp) && case $f in $TMPDIR/*) echo inside;; esac; echo x >$TMPDIR/y; ls -A /tmp | wc -l"
    for _ in range(2):
        assert printed(container.run(script)) == "inside\n1\n"


@pytest.mark.parametrize("image", [False, True])
def test_a_folder_that_the_user_chose_is_left_alone(launch: Launch, image: bool) -> None:
    chosen: dict[str, Any] = {"environment": {"TMPDIR": "/mnt/scratch"}}
    container = launch(**({"image": {"Env": ["TMPDIR=/mnt/scratch"]}} if image else chosen))
    assert printed(container.run("echo $TMPDIR")) == "/mnt/scratch\n"


def test_an_images_tmp_is_no_choice(launch: Launch) -> None:
    container = launch(image={"Env": ["TMPDIR=/tmp/"]})
    assert printed(container.run("echo $TMPDIR")).startswith("/tmp/scar-")


def write(name: str, kilobytes: int) -> str:
    return f"busybox dd if=/dev/zero of={name} bs=1024 count={kilobytes} 2>/dev/null"


@pytest.mark.usefixtures("small_disk")
def test_events_that_leave_files_in_tmp_do_not_fill_a_warm_environment(launch: Launch) -> None:
    container = launch()
    for number in range(8):
        assert not container.run(f"{write(f'/tmp/left-{number}', 320)} || exit 1").failed
    assert "/tmp is emptied for the next event; /tmp has 1.0 MB: 0.9 MB were left by earlier events: " in container.log
    assert "/tmp/left-2 (0.3 MB)" in container.log


@pytest.mark.usefixtures("small_disk")
def test_the_log_says_who_filled_the_disk_and_the_next_event_has_room(launch: Launch) -> None:
    container = launch()
    assert printed(container.run(f"mkdir -p /tmp/cache/deep; {write('/tmp/cache/deep/model', 600)}; ls /tmp/cache"))
    big = write("$TMP_OUTPUT_DIR/big", 700)
    assert container.run(f"{big} || exit 1").document["errorType"] == "OutOfDisk"
    assert (
        "/tmp has 1.0 MB: 0.4 MB are this event's, 0.6 MB were left by earlier events: /tmp/cache (0.6 MB)"
        in container.log
    )
    assert not container.run(f"{big} || exit 1").failed


@pytest.mark.usefixtures("small_disk")
def test_files_in_tmp_stay_while_there_is_room(launch: Launch) -> None:
    container = launch()
    assert not container.run("echo kept >/tmp/cache").failed
    assert printed(container.run("cat /tmp/cache")) == "kept\n"


def test_what_cannot_be_emptied_is_not_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk, "TMP", str(tmp_path))
    monkeypatch.setattr(disk, "is_nearly_full", lambda: True)
    (tmp_path / "left").write_bytes(b"x")
    assert disk.clear_leftovers(Log())  # a folder of the machine, which others fill
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr("os.path.ismount", lambda _: True)
    assert not disk.clear_leftovers(Log())


def test_what_a_killed_predecessor_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "TMP", str(tmp_path))
    (tmp_path / "scar-0123/input").mkdir(parents=True)
    (tmp_path / "scar-event-01").write_bytes(b"{}")
    (tmp_path / "of-the-user").symlink_to("/")
    disk.clear_own(Log())
    assert [path.name for path in tmp_path.iterdir()] == ["of-the-user"]
