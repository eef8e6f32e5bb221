"""The local cloud's own state in one file: what is acknowledged is on the disk, and what is wrong with it is told."""

import asyncio
import errno
import json
import os
import resource
import sqlite3
import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud import database as module
from scar_pulumi.cloud.database import Database, StateError
from scar_pulumi.cloud.lambda_.functions import FunctionReference
from scar_pulumi.cloud.lambda_.store import Spool, SpooledEvent
from scar_pulumi.cloud.layout import STATE_VERSION, Layout
from scar_pulumi.cloud.oscar.store import Jobs, Services, StoredService
from tests.world.fake_cloud import FakeCloud, wait_for

TABLE = "CREATE TABLE IF NOT EXISTS numbers (number INTEGER PRIMARY KEY, text TEXT)"
INSERT = "INSERT INTO numbers (text) VALUES (?)"


@pytest.fixture
def numbers(database: Database) -> Database:
    database.define(TABLE)
    return database


@pytest.fixture
def own_path(tmp_path: Path) -> Path:
    return tmp_path / "own.sqlite"


def test_what_was_written_is_there_again_and_only_the_owner_can_read_it(own_path: Path) -> None:
    first = Database(own_path)
    first.define(TABLE)
    assert first.write(INSERT, "one") == 1
    modes = {stat.S_IMODE(path.stat().st_mode) for path in own_path.parent.glob("own.sqlite*")}
    assert modes == {0o600}
    asyncio.run(first.close())
    again = Database(own_path)
    assert again.rows("SELECT * FROM numbers") == [(1, "one")]
    assert again.row("SELECT * FROM numbers WHERE number = 2") is None
    asyncio.run(again.close())


def test_a_change_is_whole_or_not_there(numbers: Database) -> None:
    twice = "INSERT INTO numbers VALUES (1, 'half')"
    with pytest.raises(sqlite3.IntegrityError), numbers.transaction():
        numbers.write_all(twice, [(), ()])
    with numbers.transaction():
        numbers.write_all(INSERT, [("one",), ("two",)])
    assert numbers.rows("SELECT text FROM numbers") == [("one",), ("two",)]


def test_nothing_is_acknowledged_before_it_is_flushed_and_all_who_wait_share_a_flush(
    numbers: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, released, flushes = threading.Event(), threading.Event(), []

    def flush(descriptor: int) -> None:
        flushes.append(descriptor)
        entered.set()
        assert released.wait(30)

    async def acknowledge(text: str) -> None:
        numbers.write(INSERT, text)
        await numbers.flushed()

    async def scenario() -> None:
        first = asyncio.create_task(acknowledge("first"))
        await asyncio.to_thread(entered.wait)
        later = [asyncio.create_task(acknowledge(str(number))) for number in range(50)]
        await asyncio.sleep(0.05)
        assert len(numbers.rows("SELECT * FROM numbers")) == 51
        assert not any(task.done() for task in (first, *later))
        released.set()
        await asyncio.gather(first, *later)
        await numbers.flushed()

    monkeypatch.setattr(module, "flush_file", flush)
    asyncio.run(scenario())
    assert len(flushes) == 2


def test_after_a_failed_flush_nothing_is_acknowledged_any_more(own_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is ill")

    opened = Database(own_path)
    opened.define(TABLE)
    opened.write(INSERT, "one")
    with monkeypatch.context() as patch:
        patch.setattr(module, "flush_file", fail)
        with pytest.raises(StateError, match=rf"{own_path}: .*the disk is ill; see that its disk is sound"):
            asyncio.run(opened.flushed())
    with pytest.raises(StateError, match="the disk is ill"):
        asyncio.run(opened.flushed())
    with pytest.raises(StateError, match="the disk is ill"):
        asyncio.run(opened.close())


def test_the_log_goes_to_the_main_file_and_does_not_grow_for_ever(numbers: Database, tmp_path: Path) -> None:
    async def write() -> None:
        for _ in range(30):
            for _ in range(100):
                numbers.write(INSERT, "x" * 1000)
            await numbers.flushed()

    asyncio.run(write())
    wait_for(lambda: (tmp_path / "state.sqlite").stat().st_size > 2_000_000)
    assert (tmp_path / "state.sqlite-wal").stat().st_size < 20_000_000


def test_a_full_disk_is_told_and_leaves_no_half(numbers: Database, tmp_path: Path) -> None:
    numbers.write(INSERT, "first")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = (tmp_path / "state.sqlite-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1000, before[1]))
    try:
        with pytest.raises(StateError, match=rf"{tmp_path}/state\.sqlite: .*make room on its disk"):
            numbers.write(INSERT, "too long" * 10_000)
        with pytest.raises(StateError, match="make room on its disk"), numbers.transaction():
            numbers.write(INSERT, "too long" * 10_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    numbers.write(INSERT, "last")
    assert numbers.rows("SELECT text FROM numbers") == [("first",), ("last",)]


def test_a_mistake_in_a_statement_is_not_taken_for_a_full_disk(numbers: Database) -> None:
    numbers.write("INSERT INTO numbers VALUES (1, 'one')")
    with pytest.raises(sqlite3.IntegrityError):
        numbers.write("INSERT INTO numbers VALUES (1, 'again')")


def test_what_a_kill_cut_short_in_the_log_is_left_out(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.client("s3").create_bucket(Bucket="kept")
    own_cloud.kill()
    with (own_cloud.state / "state.sqlite-wal").open("ab") as file:
        file.write(b"half a frame" * 100)
    own_cloud.start()
    assert [bucket["Name"] for bucket in own_cloud.client("s3").list_buckets()["Buckets"]] == ["kept"]


@pytest.mark.parametrize(("start", "end"), [(0, None), (4096, 8192)])
def test_a_damaged_file_is_named_with_what_to_do(own_cloud: FakeCloud, start: int, end: int | None) -> None:
    own_cloud.start()
    own_cloud.stop()
    file = own_cloud.state / "state.sqlite"
    before = file.read_bytes()
    garbage = os.urandom(len(before[start:end]))
    file.write_bytes(before[:start] + garbage + before[start:][len(garbage) :])
    with pytest.raises(LocalCloudError, match=r"state\.sqlite: the state is damaged .*scar-pulumi local reset"):
        own_cloud.start()
    file.write_bytes(before)
    own_cloud.start()


def test_the_version_of_a_state_can_be_told_without_opening_it(own_path: Path) -> None:
    opened = Database(own_path)
    opened.define(TABLE)
    assert int.from_bytes(own_path.read_bytes()[60:64]) == STATE_VERSION
    asyncio.run(opened.close())


def test_a_state_of_former_formats_is_told_apart_and_left_alone(own_cloud: FakeCloud) -> None:
    _write_former_state(own_cloud.state)
    before = _content(own_cloud.state)
    with pytest.raises(LocalCloudError) as caught:
        own_cloud.start()
    assert str(caught.value) == (
        f"{own_cloud.state}: this state was written by an older version of scar-pulumi, and this one cannot read it; "
        "install that version again, or delete everything in the local cloud with: scar-pulumi local reset"
    )
    assert _content(own_cloud.state) == before
    own_cloud.reset()
    assert own_cloud.start().port
    assert own_cloud.client("s3").list_buckets()["Buckets"] == []


def test_a_state_of_a_newer_version_is_told_apart_and_left_alone(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.stop()
    own_cloud.stored(f"PRAGMA user_version = {STATE_VERSION + 1}")
    before = _content(own_cloud.state)
    with pytest.raises(LocalCloudError, match=r"written by a newer version .* with: scar-pulumi local reset$"):
        own_cloud.start()
    assert _content(own_cloud.state) == before


def test_a_folder_that_a_kill_left_without_a_database_is_no_former_state(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "state")
    layout.create()
    layout.database.touch()
    layout.create()
    opened = Database(layout.database)
    layout.create()
    asyncio.run(opened.close())
    layout.create()


def test_no_service_acknowledges_what_cannot_be_flushed(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.function("called")
    own_cloud.trigger("watched", "called")
    requests = _acknowledged(own_cloud)
    assert [name for name, request in requests.items() if _succeeds(request)] == list(requests)
    (own_cloud.state / "broken-disk").touch()
    assert [name for name, request in requests.items() if _succeeds(request)] == []


def test_jobs_and_services_of_oscar_are_acknowledged_after_the_flush(database: Database, tmp_path: Path) -> None:
    flushes: list[int] = []

    async def flushed() -> None:
        flushes.append(len(database.rows("SELECT name FROM oscar_services UNION ALL SELECT name FROM oscar_jobs")))

    database.flushed = flushed  # type: ignore[method-assign]
    services, jobs = Services(database), Jobs(database, tmp_path / "jobs")
    service = StoredService("cluster", {"name": "mine"}, "sha256:0")
    asyncio.run(services.put(service))
    job = jobs.create("cluster", "mine", b"event")
    asyncio.run(jobs.flushed())
    asyncio.run(services.remove(service))
    assert flushes == [1, 2, 1]
    assert jobs.event(job) == b"event"
    assert Jobs(database, tmp_path / "jobs").unfinished() == [job]


def test_a_repeated_request_id_is_one_event(database: Database) -> None:
    spool = Spool(database)
    reference = FunctionReference("000000000000", "us-east-1", "called", "live")
    younger = SpooledEvent("young", reference, 2.0)
    for event in (younger, SpooledEvent("old", reference, 1.0), younger):
        spool.put(event, b"\0payload of " + event.request_id.encode())
    tried = spool.tried(younger)
    assert list(spool.restore()) == [SpooledEvent("old", reference, 1.0), tried]
    assert (tried.attempts, spool.payload(tried)) == (1, b"\0payload of young")
    spool.remove(tried)
    assert [event.request_id for event in spool.restore()] == ["old"]


def _write_former_state(root: Path) -> None:
    """Return a state as versions before the database left it: a file format for each subject."""
    request = {"method": "PUT", "path": "/kept", "query": "", "headers": [], "body": ""}
    event = {"request_id": "1", "function": {"name": "called"}, "created": 1.0}
    job = {"cluster": "mine", "service": "upper", "name": "upper-1", "created": 1.0, "status": "Pending"}
    files: dict[str, str] = {
        "port": "0",
        "journal/3.log": json.dumps(request) + "\n",
        "events/MQ==.0.event": json.dumps(event) + "\n{}",
        "http-apis.json": json.dumps({"apis": {}, "domains": {}}),
        "image-functions.json": json.dumps(["called"]),
        "oscar/services/mine/upper.json": json.dumps({"definition": {"name": "upper"}, "image": "sha256:0"}),
        "oscar/jobs/mine/upper/upper-1/job.json": json.dumps(job),
        "snapshots/3/s3.json": "{}",
    }
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    (root / "batch").mkdir()
    with sqlite3.connect(root / "batch" / "batch.sqlite") as batch:
        batch.execute("CREATE TABLE jobs (id TEXT)")
    batch.close()


def _content(root: Path) -> dict[str, bytes]:
    """Return all that a state directory holds but for the locks, which say nothing."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def _acknowledged(cloud: FakeCloud) -> dict[str, Callable[[], Any]]:
    """Return a request for each kind of what the local cloud promises to keep."""
    functions, batch, apis = cloud.client("lambda"), cloud.client("batch"), cloud.client("apigatewayv2")
    return {
        "configuration": lambda: cloud.client("iam").create_user(UserName=os.urandom(4).hex()),
        "event": lambda: functions.invoke(FunctionName="called", InvocationType="Event", Payload=b"1"),
        "policy of Batch": lambda: batch.create_scheduling_policy(name=os.urandom(4).hex()),
        "HTTP API": lambda: apis.create_api(Name="any", ProtocolType="HTTP"),
    }


def _succeeds(call: Callable[[], Any]) -> bool:
    try:
        call()
    except (ClientError, BotoCoreError):
        return False
    return True
