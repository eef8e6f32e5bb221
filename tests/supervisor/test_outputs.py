"""Which files go where, and what is told of those that could not."""

import hashlib
from typing import Any

import pytest

from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed
from tests.supervisor.objects import body, bucket, keys, to
from tests.supervisor.unreliable import unreliable
from tests.world.waiting import wait_for

FILES = ("a.txt", "b.jpg", "result-c.txt", "sub/result-d.txt", "sub/deep/e.jpg", "a b/f+%.txt")
MAKE = "cd $TMP_OUTPUT_DIR && mkdir -p sub/deep 'a b'" + "".join(f" && echo x >'{file}'" for file in FILES)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ({}, ["a b/f+%.txt", "a.txt", "b.jpg", "result-c.txt", "sub/deep/e.jpg", "sub/result-d.txt"]),
        ({"suffix": ["jpg"]}, ["b.jpg", "sub/deep/e.jpg"]),
        ({"suffix": "jpg"}, ["b.jpg", "sub/deep/e.jpg"]),
        ({"prefix": ["result-"]}, ["result-c.txt"]),
        ({"prefix": ["result-", "sub/"], "suffix": [".txt"]}, ["result-c.txt", "sub/result-d.txt"]),
        (
            {"prefix": [], "suffix": []},
            ["a b/f+%.txt", "a.txt", "b.jpg", "result-c.txt", "sub/deep/e.jpg", "sub/result-d.txt"],
        ),
        ({"suffix": ["png"]}, []),
    ],
)
def test_outputs_are_chosen_by_prefix_and_suffix_and_keep_their_folders(
    launch: Launch, s3: Any, credentials: dict[str, str], output: dict[str, Any], expected: list[str]
) -> None:
    name = bucket(s3, "filters-" + hashlib.sha256(repr(output).encode()).hexdigest()[:12])
    entry = {"storage_provider": "s3.default", "path": f"{name}/res/", **output}
    assert launch("busybox", environment=credentials, configuration=to(entry)).run(MAKE).failed is False
    assert keys(s3, name) == ["res/" + key for key in expected]


def test_files_go_to_every_output_they_belong_to(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    one, two = bucket(s3, "several-one"), bucket(s3, "several-two")
    outputs = to(one, {"path": f"{two}/jpg", "suffix": ["jpg"]}, {"path": f"{two}//all/"})
    assert not launch(environment=credentials, configuration=outputs).run(MAKE).failed
    assert len(keys(s3, one)) == 6
    assert keys(s3, two) == [*sorted("all/" + key for key in keys(s3, one)), "jpg/b.jpg", "jpg/sub/deep/e.jpg"]


def test_each_event_can_have_a_folder_of_its_own(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "per-request")
    container = launch(environment=credentials, configuration=to({"path": f"{name}/res", "per_request": True}))
    for _ in range(2):
        assert not container.run("echo $AWS_LAMBDA_REQUEST_ID >$TMP_OUTPUT_DIR/a.txt").failed
    assert len(keys(s3, name)) == 2
    assert all(key == f"res/{body(s3, name, key).decode().strip()}/a.txt" for key in keys(s3, name))


def test_locked_linked_and_special_files_are_dealt_with(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "special-files")
    make = "echo 1 >locked; mkdir d; echo 2 >d/x; ln -s locked link; ln -s /none broken; mkfifo pipe; : >empty"
    script = f"cd $TMP_OUTPUT_DIR; {make}; chmod 0 locked d/x d"
    container = launch(environment=credentials, configuration=to(name))
    assert not container.run(script).failed
    assert keys(s3, name) == ["d/x", "empty", "link", "locked"]
    assert body(s3, name, "link") == b"1\n"
    wait_for(lambda: "pipe in the output folder is not a file" in container.log, 5, "the pipe is told of")


def test_outputs_of_a_failed_script_are_not_stored(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "failed-outputs")
    container = launch(environment=credentials, configuration=to(name))
    outcome = container.run("echo x >$TMP_OUTPUT_DIR/x; exit 1")
    assert "its outputs were not stored" in outcome.message
    assert keys(s3, name) == []


def test_an_unknown_storage_provider_is_named_before_anything_runs(launch: Launch) -> None:
    container = launch(configuration=to({"storage_provider": "floppy.one", "path": "a"}))
    outcome = container.run("echo ran")
    assert outcome.document["errorType"] == "ConfigurationInvalid"
    assert "'floppy.one'" in outcome.message
    assert "ran" not in container.log


def test_outputs_that_could_not_be_stored_fail_the_event_and_the_others_are_named(
    launch: Launch, s3: Any, s3_endpoint: str, credentials: dict[str, str]
) -> None:
    name = bucket(s3, "partly-stored")
    with unreliable(s3_endpoint) as (endpoint, faults):
        faults.refused = ("refused",)
        container = launch(environment={**credentials, "AWS_ENDPOINT_URL": endpoint}, configuration=to(f"{name}/out"))
        outcome = container.run("cd $TMP_OUTPUT_DIR; for f in a b refused-1 refused-2; do echo $f >$f; done")
    assert outcome.document["errorType"] == "OutputFailed"
    assert "2 of 4 outputs could not be stored" in outcome.message
    assert f"{name}/out/refused-1: " in outcome.message
    assert outcome.message.endswith(f"stored: {name}/out/a, {name}/out/b")
    assert keys(s3, name) == ["out/a", "out/b"]


def test_many_outputs_are_all_stored(launch: Launch, s3: Any, credentials: dict[str, str]) -> None:
    name = bucket(s3, "many-outputs")
    container = launch(environment=credentials, configuration=to(name))
    assert (
        printed(container.run("cd $TMP_OUTPUT_DIR; for i in $(seq 300); do echo $i >$i.txt; done; echo done"))
        == "done\n"
    )
    assert len(keys(s3, name)) == 300
