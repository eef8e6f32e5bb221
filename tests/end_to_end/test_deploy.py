import pytest

from .conftest import Project, Terminal

pytestmark = pytest.mark.xdist_group("main_job")

UPPER = (
    'tr a-z A-Z < "$INPUT_FILE_PATH" > "$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"; echo "did $INPUT_FILE_PATH"'
)
SAME = {"create": 0, "update": 0, "replace": 0, "delete": 0}


def changed(changes: dict[str, int]) -> dict[str, int]:
    return {key: changes[key] for key in SAME}


def test_a_file_that_lands_in_a_bucket_becomes_a_result(project: Project, terminal: Terminal) -> None:
    project.function("upper", UPPER, "uppercase/in", "uppercase/out")
    answer = terminal.up(project.write())
    assert answer["changes"]["create"] > 0
    assert set(answer["outputs"]["functions"]) == {"upper"}
    assert [bucket["name"] for bucket in answer["outputs"]["buckets"]] == ["uppercase"]

    (project.folder / "hello.txt").write_text("hello")
    terminal.scar("put", "uppercase/in", project.folder / "hello.txt")
    assert terminal.wait_for_keys("uppercase/out", 1) == ["out/hello.txt"]
    terminal.scar("get", "uppercase/out", project.folder / "results")
    results = list((project.folder / "results").rglob("hello.txt"))
    assert [result.read_text() for result in results] == ["HELLO"]
    logged = terminal.scar("logs", "upper").stdout
    assert "did /tmp/" in logged
    assert "REPORT RequestId" in logged


def test_the_second_up_changes_nothing_and_one_edit_only_what_it_concerns(project: Project, terminal: Terminal) -> None:
    one = project.function("one", UPPER, "edits/one", "edits/out")
    project.function("two", UPPER, "edits/two", "edits/out")
    first = terminal.up(project.write())
    assert changed(terminal.up(project.fdl)["changes"]) == SAME

    one["memory"] = 512
    assert changed(terminal.up(project.write())["changes"]) == {**SAME, "update": 1}

    (project.folder / "two.sh").write_text("#!/bin/sh\ntrue\n")
    assert changed(terminal.up(project.fdl)["changes"]) == {**SAME, "update": 2}

    project.functions.remove(one)
    removed = terminal.up(project.write())
    before, after = first["outputs"]["functions"], removed["outputs"]["functions"]
    assert set(before) - set(after) == {"one"}
    # The function's component with its seven children and its permission go; the bucket's notification loses a rule.
    assert changed(removed["changes"]) == {**SAME, "update": 1, "delete": 8}


def test_a_preview_lists_every_resource_and_the_digest_before_anything_exists(
    project: Project, terminal: Terminal
) -> None:
    project.function("peek", UPPER, "peek-bucket/in", "peek-bucket/out")
    preview = terminal.scar("preview", project.write(), "--json").json
    created = terminal.up(project.fdl)
    assert preview["changes"]["create"] == len(preview["resources"]) == created["changes"]["create"]
    digests = [resource["digest"] for resource in preview["resources"] if "digest" in resource]
    assert [created["outputs"]["functions"]["peek"]["image"].split("@")[1]] == digests


def test_buckets_and_objects_survive_destroy_and_are_adopted_by_the_next_up(
    project: Project, terminal: Terminal
) -> None:
    project.function("keep", UPPER, "keepers/in", "keepers/out")
    terminal.up(project.write())
    (project.folder / "a.txt").write_text("a")
    terminal.scar("put", "keepers/in", project.folder / "a.txt")
    terminal.wait_for_keys("keepers/out", 1)

    destroyed = terminal.scar("destroy", project.fdl, "--yes")
    assert "keepers" in destroyed.stdout + destroyed.stderr
    assert "scar-pulumi rm keepers" in destroyed.stdout + destroyed.stderr
    assert set(terminal.keys("keepers")) == {"in/a.txt", "out/a.txt"}

    again = terminal.up(project.fdl)
    assert again["outputs"]["buckets"] == [{"name": "keepers", "managed": True}]
    assert set(terminal.keys("keepers")) == {"in/a.txt", "out/a.txt"}


def test_functions_chain_through_their_buckets(project: Project, terminal: Terminal) -> None:
    project.function("first", UPPER, "chain/a", "chain/b")
    append = 'cp "$INPUT_FILE_PATH" "$TMP_OUTPUT_DIR/x"; echo -n "!" >> "$TMP_OUTPUT_DIR/x"'
    project.function("second", append, "chain/b", "chain/c")
    terminal.up(project.write())
    (project.folder / "word.txt").write_text("go")
    terminal.scar("put", "chain/a", project.folder / "word.txt")
    assert terminal.wait_for_keys("chain/c", 1) == ["c/x"]
    terminal.scar("get", "chain/c", project.folder / "results")
    assert next((project.folder / "results").rglob("x")).read_text() == "GO!"


def test_two_hundred_objects_at_once_each_run_once(project: Project, terminal: Terminal) -> None:
    project.function("count", UPPER, "burst/in", "burst/out")
    terminal.up(project.write())
    folder = project.folder / "files"
    folder.mkdir()
    for number in range(200):
        (folder / f"f{number:03}.txt").write_text(f"n{number}")
    terminal.scar("put", "burst/in", *sorted(folder.iterdir()))
    terminal.wait_for_keys("burst/out", 200, seconds=180)
    reports = terminal.scar("logs", "count").stdout.count("REPORT RequestId")
    assert reports == 200


@pytest.mark.parametrize("name", ["a b+c%d.txt", "100%.txt", "naïve-日本.txt", "q?x=#1.txt"])
def test_odd_keys_arrive_and_leave_as_they_are(project: Project, terminal: Terminal, name: str) -> None:
    project.function("odd", UPPER, "odd-keys/in", "odd-keys/out")
    terminal.up(project.write())
    (project.folder / name).write_text("odd")
    terminal.scar("put", "odd-keys/in", project.folder / name)
    key = f"out/{name}"
    assert key in terminal.wait_for_keys(f"odd-keys/{key}", 1)
    terminal.scar("rm", "odd-keys", "--recursive", "--yes")
