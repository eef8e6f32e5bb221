"""Starting, stopping, finding and losing the daemon."""

import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud import LocalCloud, client
from scar_pulumi.cloud.client import clean_environment
from tests.world.fake_cloud import FakeCloud, wait_for

# Starting is quick and works whatever the daemon's own parts need.
_NEEDED_TO_START = {"", ".client", ".layout", ".ministack_environment"}


def test_starting_imports_nothing_of_the_daemon() -> None:
    program = "import sys; from scar_pulumi.cloud import LocalCloud; print(LocalCloud and ' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    prefix = "scar_pulumi.cloud"
    assert {name.removeprefix(prefix) for name in loaded if name.startswith(prefix)} == _NEEDED_TO_START
    assert loaded.isdisjoint({"asyncio", "boto3", "botocore", "docker", "h11", "hypercorn", "ministack", "pulumi"})


def test_two_starts_at_once_give_one_daemon(own_cloud: FakeCloud) -> None:
    started: list[int] = []
    threads = [
        threading.Thread(target=lambda: started.append(LocalCloud(own_cloud.state).start().pid)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(started) == 4
    assert len(set(started)) == 1


def test_the_daemon_outlives_the_process_that_started_it(own_cloud: FakeCloud) -> None:
    program = (
        "import sys; from pathlib import Path; from scar_pulumi.cloud import LocalCloud, client;"
        "client.COMMAND = tuple(sys.argv[2:]); print(LocalCloud(Path(sys.argv[1])).start().pid)"
    )
    command = [sys.executable, "-c", program, str(own_cloud.state), *client.COMMAND]
    result = subprocess.run(command, check=True, capture_output=True, text=True, start_new_session=True)
    status = own_cloud.status()
    assert status
    assert status.pid == int(result.stdout)
    assert os.getsid(status.pid) == status.pid


def test_the_port_and_the_data_survive_a_stop(own_cloud: FakeCloud) -> None:
    port = own_cloud.start().port
    own_cloud.client("s3").create_bucket(Bucket="kept")
    own_cloud.stop()
    assert own_cloud.status() is None
    assert own_cloud.start().port == port
    assert [bucket["Name"] for bucket in own_cloud.client("s3").list_buckets()["Buckets"]] == ["kept"]


def test_another_server_on_its_port_is_not_mistaken_for_it(
    own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = own_cloud.start().port
    own_cloud.kill()
    with http.server.ThreadingHTTPServer(("127.0.0.1", port), http.server.BaseHTTPRequestHandler) as other:
        thread = threading.Thread(target=other.serve_forever)
        thread.start()
        try:
            assert own_cloud.status() is None
            with pytest.raises(LocalCloudError, match=f"port {port} is taken by another program"):
                own_cloud.start()
            assert int((own_cloud.state / "port").read_text()) == port, "the addresses of what is deployed have it"
            monkeypatch.setenv("SCAR_LOCAL_PORT", str(_free_port()))
            assert (moved := own_cloud.start().port) != port
        finally:
            other.shutdown()
            thread.join()
    monkeypatch.delenv("SCAR_LOCAL_PORT")
    own_cloud.stop()
    assert own_cloud.start().port == moved


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def test_each_folder_has_its_own_port_that_no_outgoing_connection_takes(own_cloud: FakeCloud, tmp_path: Path) -> None:
    first = own_cloud.start().port
    other = FakeCloud(tmp_path / "another")
    try:
        second = other.start().port
    finally:
        other.stop()
    assert first != second
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert max(first, second) < max(lowest, 30_000)


def test_a_stale_process_id_is_never_signalled(own_cloud: FakeCloud) -> None:
    own_cloud.start()
    own_cloud.kill()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            known = json.loads((own_cloud.state / "daemon.json").read_text())
            (own_cloud.state / "daemon.json").write_text(json.dumps({**known, "pid": bystander.pid}))
            (own_cloud.state / "daemon.lock").write_text(str(bystander.pid))
            own_cloud.stop()
            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_a_daemon_that_hangs_is_stopped_all_the_same(own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = own_cloud.start().pid
    monkeypatch.setattr(client, "_STOP_SECONDS", 0.3)
    os.kill(pid, signal.SIGSTOP)
    own_cloud.stop()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or "Z" in Path(f"/proc/{pid}/stat").read_text().split()[2])


def test_reset_leaves_nothing_but_the_port(own_cloud: FakeCloud) -> None:
    port = own_cloud.start().port
    own_cloud.function("some")
    own_cloud.client("s3").create_bucket(Bucket="gone")
    locked = own_cloud.state / "runner" / "image" / "locked"
    locked.mkdir(parents=True)
    (locked / "file").touch()
    locked.chmod(0)
    own_cloud.reset()
    assert own_cloud.status() is None
    assert own_cloud.start().port == port
    assert own_cloud.client("s3").list_buckets()["Buckets"] == []
    assert own_cloud.client("lambda").list_functions()["Functions"] == []
    status = own_cloud.status()
    assert status
    assert status.details["images"]["blobs"] == 0


def test_a_state_directory_that_cannot_be_used_is_named(own_cloud: FakeCloud) -> None:
    own_cloud.state.mkdir()
    (own_cloud.state / "snapshots").write_text("in the way")
    with pytest.raises(LocalCloudError, match="snapshots"):
        own_cloud.start()


def test_a_daemon_that_breaks_while_starting_is_explained(
    own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "COMMAND", (sys.executable, "-c", "raise SystemExit('no wheels')"))
    with pytest.raises(LocalCloudError, match=r"(?s)status 1\..*server\.log:\n  no wheels"):
        own_cloud.start()


def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LocalCloudError, match=r"pip install 'scar-pulumi\[local\]'"):
        own_cloud.start()


def test_a_cloud_that_was_never_started_has_no_environment(own_cloud: FakeCloud) -> None:
    with pytest.raises(LocalCloudError, match="never started"):
        own_cloud.environment()
    assert own_cloud.status() is None
    assert list(own_cloud.logs()) == []
    own_cloud.stop()


def test_the_environment_leads_to_the_local_cloud_only(cloud: FakeCloud) -> None:
    environment = cloud.environment()
    status = cloud.status()
    assert status
    assert environment["AWS_ENDPOINT_URL"] == status.endpoint
    assert environment["AWS_CONFIG_FILE"] == environment["AWS_SHARED_CREDENTIALS_FILE"] == "/dev/null"
    assert "AWS_PROFILE" not in environment


def test_nothing_of_the_users_accounts_gets_into_the_daemon(
    own_cloud: FakeCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "PULUMI_CONFIG_PASSPHRASE", "MY_SECRET"):
        monkeypatch.setenv(name, "secret")
    assert "secret" not in clean_environment().values()
    status = own_cloud.start()
    assert b"secret" not in Path(f"/proc/{status.pid}/environ").read_bytes()
    names = own_cloud.notes()[0]["start"]
    assert not {"AWS_SESSION_TOKEN", "AWS_PROFILE", "PULUMI_ACCESS_TOKEN", "MY_SECRET"} & set(names)


def test_nothing_listens_beyond_loopback(cloud: FakeCloud) -> None:
    status = cloud.status()
    assert status
    cloud.client("sqs").create_queue(QueueName="any")
    cloud.client("iot").create_thing(thingName="any")
    sockets = _sockets_of(_process_tree(status.pid))
    listening = {
        (table, address)
        for table in ("tcp", "tcp6", "udp", "udp6")
        for inode, address, state in _table(table)
        if inode in sockets and (state == "0A" or table.startswith("udp"))
    }
    assert listening == {("tcp", f"0100007F:{status.port:04X}")}


def test_only_the_owner_gets_at_the_state(own_cloud: FakeCloud) -> None:
    own_cloud.state.mkdir(mode=0o755)
    own_cloud.start()
    own_cloud.client("s3").create_bucket(Bucket="private")
    assert own_cloud.state.stat().st_mode & 0o077 == 0
    secrets = [*own_cloud.state.glob("journal/*"), own_cloud.state / "server.log", own_cloud.state / "daemon.json"]
    assert [path for path in secrets if path.stat().st_mode & 0o077] == []


def test_the_log_can_be_followed(cloud: FakeCloud) -> None:
    lines = cloud.logs(follow=True)
    assert "local cloud" in next(lines)


def _process_tree(root: int) -> set[int]:
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
    tree = {root}
    while more := {pid for pid, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def _sockets_of(pids: set[int]) -> set[str]:
    found = set()
    for pid in pids:
        for path in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = str(path.readlink())
            except FileNotFoundError:
                continue
            if target.startswith("socket:["):
                found.add(target[8:-1])
    return found


def _table(name: str) -> list[tuple[str, str, str]]:
    lines = Path(f"/proc/net/{name}").read_text().splitlines()[1:]
    return [(columns[9], columns[1], columns[3]) for columns in map(str.split, lines)]
