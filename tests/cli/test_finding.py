import json
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cli import _target
from scar_pulumi.client.clients import Clients
from scar_pulumi.deployments.source_files import file_of, files_of, forget, forget_local, note

from .conftest import FUNCTION, FakeEngine, Scar, write_fdl


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """No cloud answers: what is tested is which function is meant."""
    monkeypatch.setattr(_target, "open_clients", lambda *_: NoCloud())


class NoCloud(Clients):
    def client(self, service: str, region: str | None = None) -> Any:
        raise CalledError(service)


class CalledError(Exception):
    pass


def deploy(directories: Path, project: str, *functions: str, stack: str = "local") -> None:
    """Write the state that the engine leaves of a local stack."""
    outputs = {"functions": {name: {**FUNCTION, "arn": f"arn:{project}:{name}"} for name in functions}, "buckets": []}
    state = {"checkpoint": {"latest": {"resources": [{"type": "pulumi:pulumi:Stack", "outputs": outputs}]}}}
    file = directories / "state" / "pulumi" / ".pulumi" / "stacks" / project / f"{stack}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(state))


def chosen(monkeypatch: pytest.MonkeyPatch, scar: Scar, *arguments: object) -> str:
    """Return the ARN of the function that `logs` would read."""
    arns: list[str] = []

    original = _target.find_function

    def find(*given: Any) -> Any:
        function, _ = original(*given)
        arns.append(function.arn)
        raise CalledError

    monkeypatch.setattr("scar_pulumi.cli.logs.find_called", find)
    answer = scar("logs", *arguments)
    return arns[0] if arns else answer.stderr


def test_a_function_is_found_in_whichever_project_has_it(
    directories: Path, scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "lower")
    assert chosen(monkeypatch, scar, "upper") == "arn:video:upper"
    assert chosen(monkeypatch, scar, "lower") == "arn:audio:lower"


def test_a_stack_of_another_name_is_another_stack(
    directories: Path, scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(directories, "video", "upper", stack="local-2")
    assert "stack local: nothing is deployed" in chosen(monkeypatch, scar, "upper")
    assert chosen(monkeypatch, scar, "upper", "--stack", "local-2") == "arn:video:upper"


def test_of_two_functions_of_one_name_the_user_chooses(
    directories: Path, scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "upper")
    told = chosen(monkeypatch, scar, "upper")
    assert "several projects have such a function (audio, video); say which with --project" in told
    assert chosen(monkeypatch, scar, "upper", "--project", "audio") == "arn:audio:upper"
    fdl = write_fdl(directories / "video.yaml", "upper")
    assert chosen(monkeypatch, scar, "upper", "--fdl", fdl) == "arn:video:upper"


def test_the_project_one_stands_in_comes_first(directories: Path, scar: Scar, monkeypatch: pytest.MonkeyPatch) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "upper", "lower")
    (directories / "Pulumi.yaml").write_text("name: video\nruntime: python\n")
    assert chosen(monkeypatch, scar, "upper") == "arn:video:upper"
    assert chosen(monkeypatch, scar, "lower") == "arn:audio:lower"
    (directories / "Pulumi.yaml").write_text("name: [broken")
    assert "several projects" in chosen(monkeypatch, scar, "upper")


def test_an_unknown_function_is_told_with_those_of_all_projects(
    directories: Path, scar: Scar, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(directories, "video", "upper")
    deploy(directories, "audio", "lower")
    answer = scar("invoke", "uper")
    assert answer.status == 2
    assert "did you mean upper? (there are: lower, upper)" in answer.stderr
    assert scar("invoke", "upper", "--project", "none").status == 1


def test_the_file_of_a_deployment_is_remembered_until_it_is_gone(directories: Path) -> None:
    note("video", "local", directories / "a.yaml")
    note("video", "org/video/prod", directories / "b.yaml")
    assert file_of("video", "local") == directories / "a.yaml"
    assert list(files_of("org/video/prod")) == [directories / "b.yaml"]
    forget_local()
    assert (file_of("video", "local"), file_of("video", "org/video/prod")) == (None, directories / "b.yaml")
    forget("video", "org/video/prod")
    assert list(files_of("org/video/prod")) == []


def test_a_stack_in_the_cloud_is_found_by_the_file_it_was_deployed_from(
    directories: Path, scar: Scar, engine: FakeEngine, fdl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = chosen(monkeypatch, scar, "upper", "--stack", "prod")
    assert "`scar-pulumi up FILE --stack prod` does that" in told
    scar("up", fdl, "--stack", "prod", "--yes")
    assert chosen(monkeypatch, scar, "upper", "--stack", "prod") == FUNCTION["arn"]
