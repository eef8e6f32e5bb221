"""Why a program failed is told apart: its memory, its disk, its time, or itself."""

from pathlib import Path
from typing import Any

import pytest

from supervisor import process
from supervisor.errors import OutOfDisk, OutOfMemory, ScriptFailed
from tests.supervisor.conftest import Launch
from tests.supervisor.container import s3_event
from tests.supervisor.objects import bucket


@pytest.mark.parametrize("code", [-9, 137])
def test_a_kill_that_the_kernel_counts_is_for_want_of_memory(tmp_path: Path, code: int) -> None:
    now = process.oom_kills()
    assert now, "no kernel counts here"
    before = {path: count - 1 for path, count in now.items()}
    assert process.failure_cause("sh", code, "", before, str(tmp_path))[0] is OutOfMemory
    assert process.failure_cause("sh", code, "", now, str(tmp_path))[0] is ScriptFailed


@pytest.mark.parametrize(
    ("printed", "kind"),
    [
        ("numpy: Cannot allocate memory", OutOfMemory),
        ("Traceback: MemoryError", OutOfMemory),
        ("write error: No space left on device", OutOfDisk),
        ("nothing special", ScriptFailed),
    ],
)
def test_what_the_program_says_of_itself_counts(tmp_path: Path, printed: str, kind: type) -> None:
    found, told = process.failure_cause("sh", 1, printed, {}, str(tmp_path))
    assert found is kind
    assert "exit code 1" in told


def test_the_output_folder_is_not_blamed_for_another_file_system_that_is_full(tmp_path: Path) -> None:
    _, told = process.failure_cause("sh", 1, "dd: /dev/shm/x: No space left on device", {}, str(tmp_path))
    assert f"if that was in {tmp_path}" in told


@pytest.fixture
def small_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers get a /tmp of one megabyte."""
    from tests.supervisor import container

    world = container._world()
    at = world.index("--tmpfs")
    monkeypatch.setattr(container, "_world", lambda: [*world[:at], "--size", str(1 << 20), *world[at:]])


@pytest.mark.usefixtures("small_disk")
def test_a_full_disk_is_told(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "large-for-disk")
    s3.put_object(Bucket=name, Key="large", Body=b"x" * (2 << 20))
    container = launch(environment=credentials)
    outcome = container.run("seq 1 1000000 >$TMP_OUTPUT_DIR/x || exit 1")
    assert outcome.document["errorType"] == "OutOfDisk"
    outcome = container.invoke(s3_event(name, "large"))
    assert outcome.document["errorType"] == "OutOfDisk"
    assert "raise the function's ephemeral_storage" in outcome.message
    assert not container.run("echo x >$TMP_OUTPUT_DIR/x").failed
