"""The files of a run: names of inputs, which outputs go where, and that nothing is left behind."""

import hashlib
from typing import Any

import pytest

from supervisor.files import file_name
from tests.supervisor.conftest import Launch
from tests.supervisor.container import printed, variables
from tests.supervisor.objects import body, bucket, keys, to
from tests.supervisor.unreliable import unreliable
from tests.world.waiting import wait_for


def test_nothing_of_an_event_is_left_for_the_next_one(launch: Launch) -> None:
    container = launch(
        script="env; ls -A /tmp; cat $TMP_OUTPUT_DIR/* 2>/dev/null; echo x >$TMP_OUTPUT_DIR/x; cd /tmp; ls -A | wc -l"
    )
    first = variables(container, {"a": 1})
    second = variables(container, {"b": 2})
    assert first["TMP_OUTPUT_DIR"] != second["TMP_OUTPUT_DIR"]
    assert container.output({}).splitlines()[-1] == "1"  # only the folder of the event itself
    changing = {"INPUT_FILE_PATH", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR", "TMPDIR", "AWS_LAMBDA_REQUEST_ID"}
    assert {name for name in first.keys() | second.keys() if first.get(name) != second.get(name)} == changing


def test_files_that_the_script_locked_are_removed_too(launch: Launch) -> None:
    container = launch()
    locked = "cd $TMP_INPUT_DIR && mkdir -p a/b && echo 1 >a/b/c && ln -s / a/root && mkfifo a/p && chmod 0 a/b/c a/b a"
    assert not container.run(locked).failed
    assert printed(container.run("ls -A /tmp | wc -l")) == "1\n"
    assert "cannot be removed" not in container.log


def test_folders_of_failed_and_timed_out_events_are_removed_too(launch: Launch) -> None:
    container = launch()
    assert container.run("echo x >$TMP_OUTPUT_DIR/x; exit 3").failed
    assert container.run("echo x >$TMP_OUTPUT_DIR/x; sleep 100", seconds=0.5).failed
    assert printed(container.run("ls -A /tmp | wc -l")) == "1\n"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("a/b/c.txt", "c.txt"),
        ("a b+c%.txt", "a b+c%.txt"),
        ("a/..", "_.."),
        ("a/.", "_."),
        ("x/", "x"),
        ("", "_"),
        ("-rf", "-rf"),
        ("a\0b", "a_b"),
        ("日本.txt", "日本.txt"),
    ],
)
def test_keys_become_safe_file_names(key: str, name: str) -> None:
    assert file_name(key) == name


def test_long_names_are_shortened_differently_and_keep_their_ending() -> None:
    names = [file_name("日" * 200 + letter + ".tiff") for letter in "ab"]
    assert len(set(names)) == 2
    assert all(len(name.encode()) <= 255 and name.endswith(".tiff") and name.startswith("日日") for name in names)


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
