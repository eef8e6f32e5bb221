from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cli.console import Console
from scar_pulumi.deployments import Deployments
from scar_pulumi.engine import Changes, Step

from .conftest import OUTPUTS, FakeEngine, Scar, write_fdl

SAME = {"create": 0, "update": 0, "replace": 0, "delete": 0, "same": 0}


@pytest.fixture(autouse=True)
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """All buckets still exist, whatever the cloud."""
    monkeypatch.setattr(Deployments, "clients", Clients())


class Clients:
    def client(self, *_: object) -> Any:
        return self

    def head_bucket(self, **_: object) -> None:
        return None


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, answer: bool) -> list[str]:
    questions: list[str] = []

    def confirm(_: Console, question: str) -> bool:
        questions.append(question)
        return answer

    monkeypatch.setattr(Console, "interactive", True)
    monkeypatch.setattr(Console, "confirm", confirm)
    return questions


def test_up_says_what_it_did_and_what_to_try(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    answer = scar("up", fdl)
    assert answer.status == 0
    assert answer.stdout == "function upper  pictures/in (*.jpg) → pictures/out\nbucket pictures\n"
    assert "2 created, 1 unchanged" in answer.stderr
    assert "scar-pulumi put pictures/in FILE" in answer.stderr
    assert engine.asked == ["up"]


def test_up_in_json_has_the_changes_and_the_outputs(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    document = scar("up", fdl, "--json").json
    assert document["changes"] == {**SAME, "create": 2, "same": 1}
    assert document["outputs"] == OUTPUTS


def test_a_preview_lists_every_resource_and_the_digests_of_images(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    urn = "urn:pulumi:local::video::pulumi-python:dynamic:Resource::upper-image"
    digest = "sha256:" + "0" * 64
    engine.steps = (
        Step("create", "pulumi-python:dynamic:Resource", "upper-image", urn, {"digest": digest}),
        Step("same", "aws:iam/role:Role", "upper-role", "urn:role", {"name": "upper"}),
    )
    assert scar("preview", fdl, "--json").json == {
        "changes": {**SAME, "create": 2, "same": 1},
        "resources": [
            {
                "urn": urn,
                "type": "pulumi-python:dynamic:Resource",
                "name": "upper-image",
                "op": "create",
                "digest": digest,
            },
            {"urn": "urn:role", "type": "aws:iam/role:Role", "name": "upper-role", "op": "same"},
        ],
        "seconds": {"preview": 1.0},
    }
    assert scar("preview", fdl).stdout == "2 to create\n"
    engine.changes = Changes(same=3)
    assert scar("preview", fdl).stdout == "no changes\n"


@pytest.mark.parametrize("verb", ["up", "destroy", "refresh"])
def test_in_a_script_other_stacks_than_local_ones_need_yes(
    verb: str, scar: Scar, engine: FakeEngine, fdl: Path
) -> None:
    answer = scar(verb, fdl, "--stack", "prod")
    assert answer.status == 2
    assert "--yes" in answer.stderr
    assert engine.asked == []
    assert scar(verb, fdl, "--stack", "prod", "--yes").status == 0
    assert engine.asked == [verb]


@pytest.mark.parametrize("verb", ["up", "destroy", "refresh"])
def test_in_a_script_local_stacks_need_no_yes(verb: str, scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    assert scar(verb, fdl, "--stack", "local-2").status == 0
    assert engine.asked == [verb]


def test_at_a_terminal_up_shows_the_changes_and_asks(
    scar: Scar, engine: FakeEngine, fdl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = at_a_terminal(monkeypatch, answer=False)
    answer = scar("up", fdl, "--stack", "prod")
    assert (answer.status, engine.asked) == (1, ["preview"])
    assert "nothing was changed" in answer.stderr
    assert questions == ["2 to create. Up stack prod of project video?"]
    at_a_terminal(monkeypatch, answer=True)
    assert scar("up", fdl, "--stack", "prod").status == 0
    assert engine.asked == ["preview", "preview", "up"]


def test_at_a_terminal_destroy_asks_even_on_a_local_stack(
    scar: Scar, engine: FakeEngine, fdl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions = at_a_terminal(monkeypatch, answer=False)
    assert scar("up", fdl).status == 0
    assert scar("destroy", fdl).status == 1
    assert (engine.asked, len(questions)) == (["up"], 1)


def test_another_file_does_not_silently_delete_what_the_first_one_deployed(
    scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    (directories / "other").mkdir()
    other = write_fdl(directories / "other" / "video.yaml", "lower")
    assert scar("up", fdl).status == 0
    refused = scar("up", other)
    assert refused.status == 2
    assert f"was deployed from {fdl}" in refused.stderr
    assert "will be deleted: upper" in refused.stderr
    assert engine.asked == ["up"]
    assert scar("up", other, "--yes").status == 0


def test_a_renamed_file_with_the_same_functions_is_no_matter(
    scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    (directories / "other").mkdir()
    moved = directories / "other" / "video.yaml"
    assert scar("up", fdl).status == 0
    fdl.rename(moved)
    assert scar("up", moved).status == 0


def test_destroy_says_which_buckets_remain_and_how_to_remove_them(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    engine.changes = Changes(delete=9)
    assert "`scar-pulumi rm pictures --recursive` removes it" in scar("destroy", fdl).stdout
    document = scar("destroy", fdl, "--stack", "local-2", "--json").json
    assert document["changes"] == {**SAME, "delete": 9}
    command = "scar-pulumi rm pictures --recursive --stack local-2"
    assert document["remaining"] == [{"name": "pictures", "managed": True, "command": command}]


def test_configuration_for_this_once_reaches_the_engine(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    assert scar("destroy", fdl, "-c", "scar:deleteBuckets=true", "--config", "aws:region=eu-west-1").status == 0
    assert engine.config == {"scar:deleteBuckets": "true", "aws:region": "eu-west-1"}


@pytest.mark.parametrize("assignment", ["scar:deleteBuckets", "deleteBuckets=true", "=true", ""])
def test_configuration_that_is_no_full_key_and_value_is_refused(
    scar: Scar, engine: FakeEngine, fdl: Path, assignment: str
) -> None:
    answer = scar("up", fdl, "--config", assignment)
    assert answer.status == 2
    assert "KEY=VALUE" in answer.stderr
    assert engine.asked == []


def test_destroying_nothing_is_fine(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    engine.outputs = None
    answer = scar("destroy", fdl)
    assert (answer.status, answer.stdout) == (0, "stack local of project video: nothing is deployed\n")
    assert scar("destroy", fdl, "--json").json == {"changes": SAME, "remaining": [], "seconds": {}}
    assert engine.asked == []


@pytest.mark.parametrize("outputs", [None, {}])
def test_outputs_of_what_is_not_deployed_say_how_to_deploy_it(
    outputs: Any, scar: Scar, engine: FakeEngine, fdl: Path
) -> None:
    engine.outputs = outputs
    answer = scar("outputs", fdl, "--stack", "local-2")
    assert answer.status == 1
    assert f"`scar-pulumi up {fdl} --stack local-2` deploys it" in answer.stderr


def test_outputs_are_the_document(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    assert scar("outputs", fdl, "--json").json == OUTPUTS
