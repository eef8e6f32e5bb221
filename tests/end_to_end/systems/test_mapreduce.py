"""MapReduces on the local cloud, from a file that is put to results that are exact: small shapes of M1 to M7."""

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from scar_pulumi.client.clients import Clients
from scar_pulumi.cloud import LocalCloud
from tests.end_to_end.conftest import APPLETS, Terminal, busybox_files, make_image
from tests.world.waiting import wait_for

pytestmark = pytest.mark.xdist_group("mapreduce")

MIB = 1 << 20
ETERNITY = 240
"""Seconds to wait for what takes a few on a machine that does nothing else."""

# The key is the first word. Names of files ask for trouble: it is the tasks' own, whatever the splits are.
MAP = r"""#!/bin/sh
set -eu
case "${INPUT_FILE_PATH##*/}" in
flaky*) test $(($(od -An -N1 -tu1 /dev/urandom) % 10)) -ne 0 || { echo unlucky >&2; exit 1; } ;;
slow*) sleep 2 ;;
wrong*) test "$MAPREDUCE_TASK" -ne 1 || { echo this is why >&2; exit 9; } ;;
plain*) cat "$INPUT_FILE_PATH"; exit ;;
esac
awk '{ print $1 "\t1" }' "$INPUT_FILE_PATH"
"""
# Of a row of two fields the mapper gives back the rows' own number, which no quoted line end divides.
ROWS = r"""#!/bin/sh
set -eu
grep -o 'row[0-9]*;' "$INPUT_FILE_PATH" | awk '{ print $0 "\t1" }'
"""
REDUCE = r"""#!/bin/sh
awk -F '\t' '
$1 != key { if (NR > 1) print key "\t" sum; key = $1; sum = 0 }
{ sum += $2 }
END { if (NR) print key "\t" sum }'
"""


def entry(name: str, mapper: str, **more: Any) -> dict[str, Any]:
    """Return an entry of `functions.aws` with small splits."""
    return {
        "name": name,
        "input": [{"path": f"mr-{name}/in"}],
        "output": [{"path": f"mr-{name}/out"}],
        "container": {"image_file": "busybox.tar"},
        "mapper": {"init_script": mapper, "memory": 512, "ephemeral_storage": 512},
        "reducer": {"init_script": "reduce.sh", "count": 3, "memory": 256},
        "format": {"max_record": 8},
        "split": {"size": 1, "max_parallel": 2},
        **more,
    }


class World:
    """A local cloud of this module's own with three MapReduces."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal, self.folder = terminal, folder
        self.fdl = folder / "mapreduce.yaml"
        for name, script in (("map.sh", MAP), ("rows.sh", ROWS), ("reduce.sh", REDUCE)):
            (folder / name).write_text(script)
        batch = {"batch": {"memory": 512, "compute_resources": {"max_v_cpus": 2}}}
        entries = [
            {"mapreduce": entry("lines", "map.sh")},
            {"mapreduce": entry("rows", "rows.sh", format={"type": "csv", "header": "skip", "max_record": 8})},
            {"mapreduce": entry("jobs", "map.sh", combiner="reducer", engine="batch", split=1), **batch},
        ]
        self.fdl.write_text(yaml.safe_dump({"functions": {"aws": entries}}))
        terminal.up(self.fdl)
        self._work = {one["name"]: one["workBucket"] for one in terminal.scar("ls", "--json").json["mapreduces"]}

    @property
    def clients(self) -> Clients:
        """Clients for the cloud's present port."""
        return Clients(LocalCloud(self.terminal.state / "local").environment())

    def file(self, name: str, content: bytes) -> Path:
        """Write a file to be put."""
        path = self.folder / name
        path.write_bytes(content)
        return path

    def invoke(self, mapreduce: str, file: Path, *more: str) -> Any:
        """Run a MapReduce over a file, and return the run's document."""
        return self.terminal.scar("invoke", mapreduce, "--file", file, *more, "--json").json["run"]

    def results(self, mapreduce: str, name: str) -> dict[str, int]:
        """Return what all parts of a result say together; a key that two parts have fails the test."""
        s3 = self.clients.client("s3")
        bucket, prefix = f"mr-{mapreduce}", f"out/{name}/"
        keys = [one["Key"] for one in s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", ())]
        found: dict[str, int] = {}
        for key in (key for key in keys if "/part-" in key):
            for line in s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode().splitlines():
                word, _, count = line.partition("\t")
                assert word not in found, (key, word)
                found[word] = int(count)
        return found

    def marker(self, mapreduce: str, name: str, marker: str = "_SUCCESS") -> Any:
        """Return a document beside the results; None where there is none."""
        s3 = self.clients.client("s3")
        try:
            return json.load(s3.get_object(Bucket=f"mr-{mapreduce}", Key=f"out/{name}/{marker}")["Body"])
        except s3.exceptions.NoSuchKey:
            return None

    def mapped(self, mapreduce: str, run: str) -> int:
        """Return how many map tasks of a run are done."""
        pages = self.clients.client("s3").list_objects_v2(Bucket=self._work[mapreduce], Prefix=f"{run[:2]}/{run}/m/")
        return int(pages["KeyCount"])

    def ended(self, run: str) -> Any:
        """Return a run that has ended; None while it runs."""
        found = self.terminal.scar("jobs", "show", run, "--json").json["job"]
        return found if found["status"] != "RUNNING" else None

    def executions(self, mapreduce: str) -> list[Mapping[str, Any]]:
        """Return the executions of a state machine."""
        states = self.clients.client("stepfunctions")
        arn = f"arn:aws:states:us-east-1:000000000000:stateMachine:{mapreduce}"
        found: list[Mapping[str, Any]] = states.list_executions(stateMachineArn=arn)["executions"]
        return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("mapreduce")
    with pytest.MonkeyPatch.context() as patch:
        applets = ("awk", "grep", "od", "sed")
        patch.setattr("tests.end_to_end.conftest.APPLETS", (*APPLETS, *applets))
        make_image(folder / "busybox.tar", busybox_files())
    terminal = Terminal(tmp_path_factory.mktemp("state"))
    try:
        yield World(terminal, folder)
    finally:
        terminal.scar("local", "stop", check=False)


def lines(size: int, seed: int, *, end: str = "\n", words: int = 500) -> bytes:
    """Return exactly so many bytes of lines, whose first words have letters of one to four bytes."""
    chosen = random.Random(seed)  # noqa: S311 - the same each time
    letters = "abcxyzßéжकλ日本語😀"
    known = ["".join(chosen.choices(letters, k=chosen.randint(1, 8))) for _ in range(words)]
    found = bytearray()
    while len(found) < size:
        found += f"{chosen.choice(known)} {'.' * chosen.randint(0, 60)}{end}".encode()
    # The last line has no end, and is cut where a letter begins.
    text = bytes(found[:size]).decode(errors="ignore").encode()
    return text + b"." * (size - len(text))


def first_words(content: bytes) -> dict[str, int]:
    """Count as one program would that reads it all."""
    return dict(Counter(line.split()[0] for line in content.decode().split("\n") if line.split()))


def test_every_record_around_the_borders_of_splits_is_counted_once(world: World) -> None:
    sizes = (0, 1, MIB - 1, MIB, MIB + 1, 2 * MIB, 2 * MIB + 7)
    contents = {f"{size}-{len(end)}.txt": lines(size, size, end=end) for size in sizes for end in ("\n", "\r\n")}
    files = [world.file(name, content) for name, content in contents.items()]
    world.terminal.scar("put", "mr-lines/in", *files)
    for name, content in contents.items():
        success = wait_for(lambda name=name: world.marker("lines", name), ETERNITY, name)  # type: ignore[misc]
        assert world.results("lines", name) == first_words(content)
        assert (success["bytes"], success["map_tasks"]) == (len(content), -(-len(content) // MIB))


def test_quoted_line_ends_separators_and_quotes_do_not_divide_rows(world: World) -> None:
    chosen = random.Random(7)  # noqa: S311 - the same each time
    inner = ["a,b", 'say ""so""', "one\ntwo", "\r\n\r\n", "é;日本", "\n" * 900, ""]
    rows = [f'"row{number};{"".join(chosen.choices(inner, k=6))}",{number}\r\n' for number in range(3000)]
    content = ("number,text\r\n" + "".join(rows)).encode()
    assert len(content) > 2 * MIB
    run = world.invoke("rows", world.file("quoted.csv", content))
    assert world.results("rows", "quoted.csv") == {f"row{number};": 1 for number in range(3000)}
    assert (run["records"], run["bytes"]) == (3000, len(content))


def test_a_quote_that_is_never_closed_fails_the_run_with_its_place(world: World) -> None:
    content = b'a,b\n1,"open\n' + b"2,x\n" * 10
    answer = world.terminal.scar("invoke", "rows", "--file", world.file("open.csv", content), check=False)
    assert answer.status == 1
    assert "the quote that was opened in the record at byte 4 is never closed" in answer.stderr
    assert world.marker("rows", "open.csv") is None
    assert world.marker("rows", "open.csv", "_FAILED")["error"] == "BadRecord"


def test_the_same_event_five_times_is_one_run(world: World) -> None:
    content = lines(MIB, 5)
    run = world.invoke("lines", world.file("again.txt", content))
    before = len(world.executions("lines"))
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {"bucket": {"name": "mr-lines"}, "object": {"key": "in/again.txt"}},
    }
    invoke = world.clients.client("lambda").invoke

    def send(_: int) -> Any:
        answer = invoke(FunctionName="lines-plan", Payload=json.dumps({"Records": [record]}))
        return json.load(answer["Payload"])["runs"]

    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(send, range(5))) == [[run["id"]]] * 5
    assert len(world.executions("lines")) == before
    assert world.invoke("lines", world.folder / "again.txt")["id"] == run["id"]


def test_content_that_comes_back_after_another_has_its_own_results_again(world: World) -> None:
    first, second = lines(1000, 21), lines(1000, 22)
    runs = [world.invoke("lines", world.file("back.txt", content))["id"] for content in (first, second, first)]
    assert (runs[0] == runs[2], runs[0] == runs[1]) == (True, False)
    assert world.results("lines", "back.txt") == first_words(first)
    world.terminal.scar("rm", "mr-lines/out/back.txt", "--recursive", "--yes")
    world.terminal.scar("put", "mr-lines/in", world.folder / "back.txt")
    wait_for(lambda: world.marker("lines", "back.txt"), ETERNITY, "the results that were removed")
    assert world.results("lines", "back.txt") == first_words(first)


def test_a_key_with_nine_of_ten_pairs_is_counted_and_said_as_skew(world: World) -> None:
    content = b"".join(b"hot %d\n" % n if n % 10 else b"k%d x\n" % n for n in range(150_000))
    for mapreduce in ("lines", "jobs"):
        run = world.invoke(mapreduce, world.file("skewed.txt", content))
        assert world.results(mapreduce, "skewed.txt") == first_words(content)
        assert run["pairs"] == 150_000
        # With a combiner, each task has one pair of the hot key.
        assert run["skew"] > 2.5 if mapreduce == "lines" else run["skew"] < 1.5
        assert [("'hot'" in note) for note in run["notes"]] == ([True] if mapreduce == "lines" else [])


def test_a_mapper_that_fails_now_and_then_is_tried_again(world: World) -> None:
    content = lines(4 * MIB, 9)
    run = world.invoke("lines", world.file("flaky.txt", content))
    assert run["status"] == "SUCCEEDED"
    assert world.results("lines", "flaky.txt") == first_words(content)


def test_a_mapper_that_fails_for_good_says_why_and_publishes_nothing(world: World) -> None:
    world.invoke("lines", world.file("wrongly.txt", b""))
    assert world.marker("lines", "wrongly.txt")["records"] == 0
    file = world.file("wrongly.txt", lines(2 * MIB + 5, 3))
    answer = world.terminal.scar("invoke", "lines", "--file", file, check=False)
    assert answer.status == 1
    assert "map task 1" in answer.stderr
    failed = world.marker("lines", "wrongly.txt", "_FAILED")
    assert "this is why" in failed["message"]
    shown = world.terminal.scar("jobs", "show", failed["run"], "--json").json["job"]
    assert (shown["status"], shown["stage"], shown["tasks"]["map"]) == (
        "FAILED",
        "failed",
        {"done": 2, "failed": 1, "total": 3},
    )
    assert "this is why" in shown["failures"][0]["message"]
    (listed,) = (
        one for one in world.terminal.scar("jobs", "ls", "lines", "--json").json["jobs"] if one["id"] == failed["run"]
    )
    assert listed["reason"].startswith("ScriptFailed: map task 1: ")
    log = world.terminal.scar("jobs", "logs", failed["run"]).stdout
    assert "this is why" in log
    # The result of the version before stays as it is.
    assert world.marker("lines", "wrongly.txt")["records"] == 0


def test_lines_that_are_no_pairs_fail_the_run_with_their_place(world: World) -> None:
    answer = world.terminal.scar("invoke", "lines", "--file", world.file("plain.txt", b"a\t1\nno pair\n"), check=False)
    assert answer.status == 1
    failed = world.marker("lines", "plain.txt", "_FAILED")
    assert failed["error"] == "BadPair"
    assert "mr-lines/in/plain.txt" in failed["message"]
    assert "no pair" in failed["message"]


def test_an_input_that_is_replaced_meanwhile_fails_its_run_and_the_new_one_is_right(world: World) -> None:
    old, new = lines(6 * MIB, 1), lines(3 * MIB, 2)
    first = world.invoke("lines", world.file("slow.txt", old), "--async")
    wait_for(lambda: world.mapped("lines", first["id"]) >= 1, ETERNITY, "a task that is done")
    second = world.invoke("lines", world.file("slow.txt", new))
    assert second["status"] == "SUCCEEDED"
    assert world.results("lines", "slow.txt") == first_words(new)
    ended = wait_for(lambda: world.ended(first["id"]), ETERNITY, "the end of the first run")
    assert ended["status"] == "FAILED"
    assert "InputChanged" in ended["reason"]
    assert world.marker("lines", "slow.txt")["run"] == second["id"]


@pytest.mark.parametrize("mapreduce", ["lines", "jobs"])
def test_a_run_goes_on_after_kills_of_the_cloud(world: World, mapreduce: str) -> None:
    content = lines(5 * MIB, 11)
    name = f"slow-{mapreduce}.txt"
    run = world.invoke(mapreduce, world.file(name, content), "--async")
    for done in (0, 1, 3):
        wait_for(lambda done=done: world.mapped(mapreduce, run["id"]) >= done, ETERNITY, f"{done} tasks")  # type: ignore[misc]
        os.kill(world.terminal.scar("local", "status", "--json").json["pid"], signal.SIGKILL)
        world.terminal.scar("local", "start")
    ended = wait_for(lambda: world.ended(run["id"]), ETERNITY, "the end of the run")
    assert ended["status"] == "SUCCEEDED", ended
    assert world.results(mapreduce, name) == first_words(content)
    assert world.marker(mapreduce, name)["run"] == run["id"]


def test_a_run_is_cancelled_and_resumed_without_doing_anything_twice(world: World) -> None:
    content = lines(12 * MIB, 13)
    run = world.invoke("lines", world.file("slow-cancelled.txt", content), "--async")
    wait_for(lambda: world.mapped("lines", run["id"]) >= 1, ETERNITY, "a task that is done")
    answer = world.terminal.scar("jobs", "cancel", run["id"], "--reason", "enough", "--json").json
    assert answer["cancelled"] == [run["id"]]
    stopped = world.ended(run["id"])
    assert (stopped["status"], stopped["stage"]) == ("ABORTED", "failed")
    assert 1 <= stopped["tasks"]["map"]["done"] < 12
    assert world.marker("lines", "slow-cancelled.txt", "_FAILED")["message"] == "enough"
    resumed = world.terminal.scar("jobs", "resume", run["id"], "--wait", "--json").json["run"]
    assert (resumed["id"], resumed["status"], resumed["resumed"]) == (run["id"], "SUCCEEDED", 1)
    assert world.results("lines", "slow-cancelled.txt") == first_words(content)
    assert world.marker("lines", "slow-cancelled.txt", "_FAILED") is None
    again = world.terminal.scar("jobs", "resume", run["id"], check=False)
    assert (again.status, "has succeeded" in again.stderr) == (2, True)


def test_runs_and_jobs_are_in_one_list(world: World) -> None:
    world.invoke("lines", world.file("listed.txt", b"a b\n"))
    listed = world.terminal.scar("jobs", "ls", "lines", "--json").json["jobs"]
    newest = listed[0]
    assert (newest["kind"], newest["function"], newest["inputs"]) == ("mapreduce", "lines", ["mr-lines/in/listed.txt"])
    table = world.terminal.scar("jobs", "ls").stdout
    assert newest["id"] in table
    assert world.terminal.scar("jobs", "show", "lines", "--json").json["job"]["id"] == newest["id"]


def test_wrong_calls_are_refused_before_anything_is_put(world: World) -> None:
    answer = world.terminal.scar("invoke", "lines", "--data", "x", check=False)
    assert (answer.status, "invoke it with --file" in answer.stderr) == (2, True)
    answer = world.terminal.scar("invoke", "lines", "--file", world.folder / "gone", check=False)
    assert (answer.status, "no such file" in answer.stderr) == (2, True)
    answer = world.terminal.scar("jobs", "resume", "0" * 32, check=False)
    assert (answer.status, "no such run" in answer.stderr) == (2, True)
