"""What `doctor` finds on this machine, and what it says of what is missing."""

import datetime
import json
import socket
import sys
from pathlib import Path

import pytest

from scar_foundation import aws_session
from scar_foundation.limits import GIB
from scar_pulumi.deployments.doctor import Finding, examine, judged_clock, judged_concurrency
from scar_pulumi.engine import find_engine

NOW = datetime.datetime(2026, 12, 1, 12, 0, 0, tzinfo=datetime.UTC)
_ENGINE = find_engine(print)
"""Found or made before each test gets a cache of its own."""


def found(stack: str = "local") -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in examine(stack):
        findings.setdefault(finding.subject, []).append(finding)
    return findings


@pytest.fixture(autouse=True)
def no_account(directories: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away the user's accounts and programs, so that a test gives back what it is about."""
    monkeypatch.setattr(aws_session, "_sessions", {})
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(directories / "home"))
    monkeypatch.setenv("DOCKER_CONFIG", str(directories / "docker"))
    monkeypatch.delenv("SCAR_LOCAL_PORT", raising=False)
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{directories / 'backend'}")


def test_nothing_is_made_by_looking(directories: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    findings = found()
    assert [one.verdict for one in findings["python"]] == ["ok"]
    assert f"Python {sys.version_info.major}.{sys.version_info.minor}" in findings["python"][0].found
    assert findings["engine"][0].verdict in ("warn", "fail"), "this cache has no engine"
    assert findings["local cloud"][0].verdict == "warn", "and no MiniStack"
    assert findings["port"] == [Finding("port", "ok", "chosen at the first start")]
    assert findings["executor"][0].verdict == "ok"
    assert not (directories / "state" / "local").exists()
    assert not list((directories / "cache").glob("engine/*/pulumi"))


def test_an_engine_on_the_path_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{_ENGINE.command.parent}:/usr/bin:/bin")
    assert found()["engine"] == [Finding("engine", "ok", f"Pulumi {_ENGINE.version} from PATH")]


def test_a_port_that_another_program_has_taken_is_told(directories: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (directories / "state" / "local").mkdir(parents=True)
        (directories / "state" / "local" / "port").write_text(str(port))
        (finding,) = found()["port"]
    assert (finding.verdict, finding.found) == ("fail", f"{port} is taken by another program")
    assert "SCAR_LOCAL_PORT" in finding.advice
    assert found()["port"][0].verdict == "ok", "the program has ended"


@pytest.mark.parametrize(("free", "verdict"), [(6 * GIB, "ok"), (2 * GIB, "warn"), (GIB // 2, "fail")])
def test_a_disk_that_is_nearly_full_is_told(monkeypatch: pytest.MonkeyPatch, free: int, verdict: str) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": free})())
    assert [one.verdict for one in found()["disk"]] == [verdict] * 2


def test_an_account_that_cannot_be_reached_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{_ENGINE.command.parent}:/usr/bin:/bin")
    findings = found("dev")
    assert findings["region"][0].advice.startswith("set AWS_REGION")
    assert findings["credentials"][0].verdict == "fail"
    assert "aws configure" in findings["credentials"][0].advice
    assert findings["clock"] == [Finding("clock", "warn", "unknown without credentials")]
    assert findings["quotas"] == [Finding("quotas", "warn", "unknown without credentials and region")]


def test_an_account_that_answers_is_named(clients: object, directories: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{_ENGINE.command.parent}:/usr/bin:/bin")
    environment = clients._environment  # type: ignore[attr-defined]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    (directories / "backend").mkdir()
    findings = found("dev")
    assert findings["credentials"][0].found.startswith("account 000000000000 as arn:aws:")
    assert findings["region"] == [Finding("region", "ok", "us-east-1")]
    assert findings["clock"][0].verdict == "ok"
    assert "calls at once" in findings["quotas"][0].found
    assert findings["backend"][0].verdict == "ok"
    assert f"file://{directories / 'backend'}" in findings["backend"][0].found
    assert {one.verdict for one in findings["plugins"]} == {"warn"}


def test_logins_are_listed_without_their_secrets(directories: Path) -> None:
    logins = {
        "auths": {"https://index.docker.io/v1/": {"auth": "c2VjcmV0"}, "ghcr.io": {}},
        "credHelpers": {"quay.io": "x"},
    }
    (directories / "docker").mkdir()
    (directories / "docker" / "config.json").write_text(json.dumps(logins))
    (finding,) = found()["registries"]
    assert finding == Finding("registries", "ok", "signed in to docker.io, ghcr.io, quay.io")
    (directories / "docker" / "config.json").write_text("{")
    (finding,) = found()["registries"]
    assert (finding.verdict, finding.advice) == ("fail", "correct or remove it")


@pytest.mark.parametrize(
    ("seconds", "verdict", "said"),
    [
        (0, "ok", "right"),
        (-30, "ok", "30 s behind AWS"),
        (90, "warn", "90 s ahead of AWS"),
        (-400, "fail", "400 s behind"),
    ],
)
def test_a_clock_that_aws_refuses_is_told(seconds: int, verdict: str, said: str) -> None:
    finding = judged_clock({"date": "Tue, 01 Dec 2026 12:00:00 GMT"}, NOW + datetime.timedelta(seconds=seconds))
    assert finding.verdict == verdict
    assert said in finding.found


def test_a_new_account_s_few_calls_at_once_are_told() -> None:
    assert judged_concurrency({"ConcurrentExecutions": 10, "UnreservedConcurrentExecutions": 10}).verdict == "warn"
    assert judged_concurrency({"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": 900}).verdict == "ok"
