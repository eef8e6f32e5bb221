import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import scar_pulumi.cloud
import scar_pulumi.engine
from scar_pulumi.cloud import Status
from scar_pulumi.deployments.source_files import file_of, record

from .conftest import Scar


class FakeCloud:
    """Remembers what was asked of it."""

    running: Status | None = None
    asked: list[str]

    def start(self, progress: Callable[[str], None]) -> Status:
        progress("starting the local cloud")
        FakeCloud.running = Status(1, 2, "http://127.0.0.1:2", 0.0, "1", {"images": 3})
        return FakeCloud.running

    def stop(self) -> None:
        FakeCloud.running = None

    def status(self) -> Status | None:
        return self.running

    def reset(self) -> None:
        FakeCloud.asked.append("reset")

    def logs(self, follow: bool = False) -> Iterator[str]:
        yield from ("one", "two")


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> type[FakeCloud]:
    FakeCloud.running, FakeCloud.asked = None, []
    monkeypatch.setattr(scar_pulumi.cloud, "LocalCloud", FakeCloud, raising=False)
    return FakeCloud


def test_details_of_the_local_cloud_are_short_lines(
    scar: Scar, cloud: type[FakeCloud], monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = {"executor": "bubblewrap", "containers": [], "events": {"background": {"running": 0, "waiting": 2}}}
    details = {"journal_bytes": 7, "jobs": {"succeeded": 1, "failed": 0}, "requests": {}, "runner": runner}
    cloud.running = Status(1, 2, "http://127.0.0.1:2", 0.0, "1", details)
    assert scar("local", "status").stdout.splitlines()[1:] == [
        "journal bytes: 7",
        "jobs: succeeded 1, failed 0",
        "requests: none",
        "runner:",
        "  executor: bubblewrap",
        "  containers: none",
        "  events:",
        "    background: running 0, waiting 2",
    ]


def test_the_local_cloud_starts_tells_about_itself_and_stops(scar: Scar) -> None:
    assert scar("local", "status", "--json").json == {"running": False}
    started = scar("local", "start", "--json")
    assert started.stderr == "starting the local cloud\n"
    assert (started.json["endpoint"], started.json["pid"]) == ("http://127.0.0.1:2", 1)
    assert "images: 3" in scar("local", "status").stdout
    assert scar("local", "stop").stdout == "stopped\n"
    assert scar("local", "stop").stdout == "was not running\n"


def test_its_log_is_lines_or_one_document(scar: Scar) -> None:
    assert scar("local", "logs").stdout == "one\ntwo\n"
    assert scar("local", "logs", "--json").json == {"lines": ["one", "two"]}


def test_nothing_is_deleted_unasked(scar: Scar, cloud: type[FakeCloud], directories: Path) -> None:
    state = directories / "state" / "pulumi"
    state.mkdir(parents=True)
    record("video", "local", directories / "a.yaml")
    record("video", "prod", directories / "a.yaml")
    refused = scar("local", "reset")
    assert (refused.status, cloud.asked, state.exists()) == (2, [], True)
    assert scar("local", "reset", "--yes").status == 0
    assert (cloud.asked, state.exists()) == (["reset"], False)
    assert (file_of("video", "local"), file_of("video", "prod")) == (None, directories / "a.yaml")


def test_a_shell_can_evaluate_the_environment(scar: Scar, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {"AWS_ENDPOINT_URL": "http://127.0.0.1:2", "ODD": 'it\'s $HOME; "x"', "PULUMI_STACK": "local-2"}
    monkeypatch.setattr(scar_pulumi.engine, "find_engine", lambda progress: progress("building"), raising=False)
    monkeypatch.setattr(scar_pulumi.engine, "stack_environment", lambda *_: values, raising=False)
    monkeypatch.setenv("AWS_PROFILE", "mine")
    answer = scar("local", "env", "--stack", "local-2")
    assert answer.stderr == "building\nstarting the local cloud\n"
    script = f'{answer.stdout}\nprintf "%s\\n" "$AWS_ENDPOINT_URL" "$ODD" "$PULUMI_STACK" "${{AWS_PROFILE-unset}}"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [*values.values(), "unset"]
    assert scar("local", "env", "--json").json["environment"] == values
