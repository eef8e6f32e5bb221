from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scar_pulumi.cli.console import Console
from scar_pulumi.deployments import Deployments, source_files
from scar_pulumi.engine import Changes, Step
from tests.components.oscar_service.cluster import Cluster
from tests.components.oscar_service.server import PASSWORD, USER, Server, running
from tests.world.deployed import resource

from .conftest import FUNCTION, OUTPUTS, FakeEngine, Scar, write_fdl, write_state

SAME = {"create": 0, "update": 0, "replace": 0, "delete": 0, "same": 0}


@pytest.fixture(autouse=True)
def buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """All buckets still exist, whatever the cloud."""
    monkeypatch.setattr(Deployments, "clients", Clients())


class Clients:
    authority_file = None

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


@pytest.mark.parametrize("verb", ["up", "refresh"])
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


@pytest.mark.parametrize("stack", ["local", "local-2", "prod"])
def test_destroy_says_what_goes_and_asks_whatever_the_stack(
    stack: str, scar: Scar, engine: FakeEngine, fdl: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked = scar("destroy", fdl, "--stack", stack)
    assert unasked.status == 2
    assert "to be deleted: function upper\nstays with its files: bucket pictures\n" in unasked.stderr
    assert (
        f"Destroy stack {stack} of project video? There is no terminal to ask on; confirm with --yes" in unasked.stderr
    )
    questions = at_a_terminal(monkeypatch, answer=False)
    assert scar("destroy", fdl, "--stack", stack).status == 1
    assert (engine.asked, questions) == ([], [f"Destroy stack {stack} of project video?"])
    at_a_terminal(monkeypatch, answer=True)
    assert scar("destroy", fdl, "--stack", stack).status == 0
    assert engine.asked == ["destroy"]


def test_destroy_names_the_buckets_that_go_with_their_files(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    answer = scar("destroy", fdl, "--config", "scar:deleteBuckets=true")
    assert "to be deleted: function upper, bucket pictures with all its files\n" in answer.stderr
    assert engine.asked == []


def test_up_deletes_no_bucket_with_its_files_unasked(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    answer = scar("up", fdl, "--config", "scar:deleteBuckets=true")
    assert answer.status == 2
    assert "buckets will be deleted with all their files: pictures (scar:deleteBuckets)" in answer.stderr
    assert engine.asked == []
    assert scar("up", fdl).status == 0


def test_a_stack_is_reached_by_its_project_when_its_file_is_gone(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    assert scar("up", fdl).status == 0
    renamed = fdl.rename(fdl.with_name("film.yaml"))
    gone = scar("destroy", fdl, "--yes")
    assert gone.status == 2
    assert f"{fdl}: there is no such file; its stack is that of --project video" in gone.stderr
    for verb in ("outputs", "refresh", "destroy"):
        assert scar(verb, "--project", "video", *(["--yes"] if verb == "destroy" else [])).status == 0
    assert engine.asked == ["up", "refresh", "destroy"]
    assert engine.directory == fdl.parent.resolve()
    assert "--project: not allowed with FILE" in scar("destroy", renamed, "--project", "video").stderr


def test_a_renamed_file_is_told_under_which_project_it_was_deployed(
    scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    write_state(directories / "state", "video", OUTPUTS)
    source_files.record("video", "local", fdl)
    engine.outputs = None
    told = scar("destroy", fdl.rename(fdl.with_name("film.yaml"))).stdout
    assert told == (
        "stack local of project film: nothing is deployed; "
        f"projects with a stack local: video (from {fdl}); --project NAME chooses one\n"
    )


def test_destroy_warns_of_what_another_file_has_deployed(
    scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    (directories / "other").mkdir()
    other = write_fdl(directories / "other" / "video.yaml", "lower")
    assert scar("up", fdl).status == 0
    answer = scar("destroy", other)
    assert answer.status == 2
    assert f"warning: stack local of project video was deployed from {fdl}, not from {other}" in answer.stderr
    assert engine.asked == ["up"]


@pytest.mark.parametrize("verb", ["up", "preview"])
def test_a_name_that_is_taken_is_told_with_its_project_file_and_stack(
    verb: str, scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    write_state(directories / "state", "clips", {}, "local-2", [resource("aws:lambda/function:Function", FUNCTION)])
    source_files.record("clips", "local-2", directories / "clips.yaml")
    answer = scar(verb, fdl)
    assert answer.status == 2
    holder = f"stack local-2 of project clips, deployed from {directories}/clips.yaml"
    assert f"function upper: the name is taken by {holder}; an account" in answer.stderr
    assert "`scar-pulumi destroy --project clips --stack local-2`" in answer.stderr
    assert "or give this one names of its own: --config scar:uniqueNames=true" in answer.stderr
    assert engine.asked == []
    assert scar(verb, fdl, "--config", "aws:region=eu-west-1").status == 0


def test_a_stack_whose_first_deployment_failed_can_be_refreshed(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    engine.outputs = {}
    assert scar("refresh", fdl).status == 0
    assert engine.asked == ["refresh"]


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
    assert "`scar-pulumi rm pictures --recursive` removes it" in scar("destroy", fdl, "--yes").stdout
    document = scar("destroy", fdl, "--stack", "local-2", "--yes", "--json").json
    assert document["changes"] == {**SAME, "delete": 9}
    command = "scar-pulumi rm pictures --recursive --stack local-2"
    assert document["remaining"] == [{"name": "pictures", "managed": True, "command": command}]


@pytest.fixture
def cluster() -> Iterator[Server]:
    """Serve a cluster elsewhere, whose MinIO has more buckets than the service's."""
    server = Cluster()
    for name in ("raw", "others"):
        server.minio.make(name)
    with running(server) as listening:
        yield listening


def with_a_service(endpoint: str) -> Mapping[str, Any]:
    paths = {"inputs": [{"provider": "minio.default", "path": "raw/in"}], "outputs": [{"path": "results/out"}]}
    service = {**paths, "runUrl": f"{endpoint}/run/sign", "jobUrl": f"{endpoint}/job/sign", "token": "t"}
    access = {"endpoint": endpoint, "user": USER, "password": PASSWORD, "verify": True}
    return {"functions": {}, "buckets": [], "oscar": {"mine": {**access, "services": {"sign": service}}}}


def test_destroy_names_the_buckets_that_stay_on_a_cluster_elsewhere(
    scar: Scar, engine: FakeEngine, fdl: Path, cluster: Server
) -> None:
    engine.outputs = with_a_service(cluster.endpoint)
    document = scar("destroy", fdl, "--stack", "prod", "--yes", "--json").json
    assert document["remaining"] == [{"name": "minio.mine/raw", "managed": True, "command": None}]
    said = scar("destroy", fdl, "--stack", "prod", "--yes").stdout
    assert said.startswith(f"bucket raw of cluster mine ({cluster.endpoint}) remains with its files")


def test_destroy_says_where_a_cluster_that_is_gone_may_have_kept_buckets(
    scar: Scar, engine: FakeEngine, fdl: Path
) -> None:
    engine.outputs = with_a_service("http://127.0.0.1:9")
    answer = scar("destroy", fdl, "--stack", "prod", "--yes", "--leave-unreachable")
    assert engine.leaves_unreachable
    assert (answer.status, answer.stdout) == (0, "")
    assert "cluster mine (http://127.0.0.1:9): may still have the buckets raw: cluster mine: http:" in answer.stderr


def test_configuration_for_this_once_reaches_the_engine(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    given = ("-c", "scar:deleteBuckets=true", "--config", "aws:region=eu-west-1")
    assert scar("destroy", fdl, "--yes", *given).status == 0
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


@pytest.mark.parametrize("stack", ["local", "prod"])
def test_the_verbs_find_what_a_program_without_fdl_has_deployed(
    stack: str, scar: Scar, engine: FakeEngine, directories: Path
) -> None:
    (directories / "Pulumi.yaml").write_text("name: project\n")
    component = "urn:pulumi:local::project::scar:index:LambdaContainerFunction::upper"
    made = {"arn": FUNCTION["arn"], "name": "upper", "imageUri": FUNCTION["image"]}
    engine.outputs, engine.resources = {}, [resource("aws:lambda/function:Function", made, parent=component)]
    write_state(directories / "state", "project", {}, stack, engine.resources)
    assert scar("outputs", "--stack", stack).stdout == "function upper\n"
    assert "to be deleted: function upper\n" in scar("destroy", "--stack", stack).stderr
    assert scar("jobs", "ls", "--stack", stack).stderr == "nothing of this stack uses AWS Batch, MapReduce or OSCAR\n"


def test_a_stack_with_names_of_its_own_keeps_them(scar: Scar, engine: FakeEngine, fdl: Path) -> None:
    engine.outputs = {**OUTPUTS, "uniqueNames": True}
    assert scar("up", fdl).status == 0
    assert engine.config["scar:uniqueNames"] == "true"
    assert scar("up", fdl, "--config", "scar:uniqueNames=false").status == 0
    assert engine.config["scar:uniqueNames"] == "false"


def test_names_of_its_own_make_room_for_a_second_stack_of_a_file(
    scar: Scar, engine: FakeEngine, fdl: Path, directories: Path
) -> None:
    made = resource("aws:lambda/function:Function", {"arn": FUNCTION["arn"]})
    write_state(directories / "state", "other", OUTPUTS, resources=[made])
    engine.outputs = None
    assert scar("up", fdl).status == 2
    assert scar("up", fdl, "--config", "scar:uniqueNames=true").status == 0
