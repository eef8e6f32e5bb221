"""What is wrong is told with place and cause, and a run that fails publishes nothing and removes nothing."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.errors import (
    BadPair,
    BadRecord,
    ConfigurationInvalid,
    EventInvalid,
    InputChanged,
    InputFailed,
    OutputFailed,
    ScriptFailed,
    SumsDiffer,
)
from supervisor.mapreduce import commit_stage, programs
from supervisor.mapreduce.objects import Bucket
from tests.supervisor.mapreduce.conftest import MapReduce, in_the_file

Make = Callable[..., MapReduce]
Planned = tuple[MapReduce, dict[str, Any], dict[str, Any]]


def planned(deployed: MapReduce, text: bytes = b"a b\nc d\n", key: str = "in/x") -> Planned:
    deployed.put(key, text)
    run = deployed.run_of(key)
    return deployed, run, deployed.plan(run)


def do(deployed: MapReduce, plan: dict[str, Any], *stages: str) -> None:
    for stage in stages:
        for event in deployed.lines(plan["tasks" if stage == "map" else "reduce_tasks"]):
            deployed.call(stage, event)


def commit(deployed: MapReduce, run: dict[str, Any]) -> Any:
    return deployed.call("commit", {"mapreduce": "commit", "run": run})


def failed(deployed: MapReduce, run: dict[str, Any], **error: str) -> Any:
    return deployed.call("commit", {"mapreduce": "failed", "run": run, "error": error})


def folder(run: dict[str, Any]) -> str:
    return f"work/{run['run'][:2]}/{run['run']}/"


def test_a_printed_line_that_is_no_pair_is_told_with_input_range_and_line(mapreduce: Make) -> None:
    mapper = in_the_file('{ print NR == 2 ? "no pair" : $1 "\\t1" }')
    deployed, run, plan = planned(mapreduce(mapper=mapper, section={"split": {"size": 12}}), b"abc\n" * 9)
    with pytest.raises(BadPair) as found:
        do(deployed, plan, "map")
    place = f"s3://{deployed.bucket}/in/x bytes 0-11: line 2 of what the mapper printed"
    assert str(found.value) == f"{place} has no tab between key and value: 'no pair'"
    document = failed(deployed, run, Error="States.ExceedToleratedFailureThreshold", Cause="too many")
    assert (document["error"], document["message"]) == ("BadPair", f"map task 0: {found.value}")
    assert deployed.keys("out/x/") == ["_FAILED"]
    assert json.loads(deployed.read("out/x/_FAILED")) == document


def test_lines_that_are_no_pairs_are_counted_where_they_are_to_be_skipped(mapreduce: Make) -> None:
    mapper = in_the_file('{ print NR == 2 ? "no pair" : $1 "\\t1" }')
    deployed = mapreduce(mapper=mapper, section={"split": {"size": 12}, "bad_pairs": "skip"})
    deployed.put("in/x", b"abc\n" * 9)
    success = deployed.execute("in/x")
    assert (success["records"], success["pairs"], success["bad_pairs"], deployed.total("in/x")) == (9, 6, 3, 6)


def test_a_mapper_that_fails_is_told_with_its_last_lines(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce(mapper="#!/bin/sh\necho this is why >&2\nexit 7\n"))
    with pytest.raises(ScriptFailed, match=r"(?s)exit code 7.*this is why"):
        do(deployed, plan, "map")
    document = failed(deployed, run, Error="ScriptFailed", Cause=json.dumps({"errorType": "X", "errorMessage": "y"}))
    assert document["tasks"][0]["stage"] == "map"
    assert "this is why" in document["tasks"][0]["message"]
    assert (document["error"], document["message"]) == ("X", "y")


def test_a_failure_that_another_attempt_has_mended_is_not_told(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce(mapper="#!/bin/sh\nexit 7\n"))
    with pytest.raises(ScriptFailed):
        do(deployed, plan, "map")
    deployed.mapper = in_the_file('{ print $1 "\\t1" }')
    do(deployed, plan, "map")
    assert failed(deployed, run, Error="States.Timeout", Cause="late")["tasks"] == []


def test_an_input_that_is_replaced_before_it_is_read_is_told_and_the_new_one_is_right(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce(section={"split": {"size": 4}}))
    first, *others = deployed.lines(plan["tasks"])
    deployed.call("map", first)
    deployed.put("in/x", b"new new\n")
    with pytest.raises(InputChanged, match="in/x: the input changed while it was read"):
        deployed.call("map", others[0])
    assert failed(deployed, run, Error="States.ExceedToleratedFailureThreshold")["error"] == "InputChanged"
    assert deployed.keys("out/") == []  # what is said there is said of the new object
    deployed.execute("in/x")
    assert deployed.result("in/x") == {"new": "2"}
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000"]


def test_an_input_that_is_put_back_at_once_is_read_on(mapreduce: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed, run, plan = planned(mapreduce())
    deployed.put("in/x", b"another\n")
    monkeypatch.setattr(time, "sleep", lambda _: deployed.put("in/x", b"a b\nc d\n"))
    do(deployed, plan, "map")
    assert deployed.keys(folder(run) + "m/") == ["00000.json"]


def test_an_input_that_is_replaced_before_the_commit_is_not_published(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")
    deployed.put("in/x", b"new\n")
    with pytest.raises(InputChanged):
        commit(deployed, run)
    assert deployed.keys("out/") == []


def test_an_input_that_is_deleted_before_the_commit_is_published(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")
    deployed.s3.delete_object(Bucket=deployed.bucket, Key="in/x")
    assert commit(deployed, run)["records"] == 2


def test_a_bucket_that_cannot_be_asked_for_the_input_publishes_nothing(
    mapreduce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")

    def unreachable(*_: Any) -> None:
        raise InputFailed("unreachable")

    monkeypatch.setattr(Bucket, "head", unreachable)
    with pytest.raises(InputFailed, match="unreachable"):
        commit(deployed, run)
    assert deployed.keys("out/") == []


def test_an_image_without_its_combiner_is_told(mapreduce: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed, _, plan = planned(mapreduce(combiner="any"))
    monkeypatch.setattr(programs, "COMBINER", "/no/such/combiner")
    with pytest.raises(ConfigurationInvalid, match="the image has no /no/such/combiner"):
        do(deployed, plan, "map")


@pytest.mark.parametrize(
    ("document", "change", "message"),
    [
        ("m/00000.json", {"bytes": 3}, "8 bytes of the input, 7 read as records and header"),
        ("m/00000.json", {"pairs_out": 5}, "7 pairs out of the map tasks, 4 into the reducers"),
        ("r/00000.json", {"pairs_in": 9}, "4 pairs out of the map tasks, 9 into the reducers"),
    ],
)
def test_sums_that_differ_publish_nothing(mapreduce: Make, document: str, change: dict[str, int], message: str) -> None:
    deployed, run, plan = planned(mapreduce(section={"split": {"size": 4}}))
    do(deployed, plan, "map", "reduce")
    found = json.loads(deployed.read(folder(run) + document))
    deployed.put(folder(run) + document, json.dumps({**found, **change}).encode())
    with pytest.raises(SumsDiffer, match=f"{message}; nothing is published"):
        commit(deployed, run)
    assert deployed.keys("out/") == []


@pytest.mark.parametrize(("stage", "name"), [("reduce", "m/00001.json"), ("commit", "r/00001.json")])
def test_a_missing_manifest_is_counted(mapreduce: Make, stage: str, name: str) -> None:
    deployed, run, plan = planned(mapreduce(section={"split": {"size": 4}, "reducers": 2}))
    do(deployed, plan, "map", *(["reduce"] if stage == "commit" else []))
    deployed.s3.delete_object(Bucket=deployed.bucket, Key=folder(run) + name)
    with pytest.raises(SumsDiffer, match=r"1 of 2 (map|reduce) tasks have a manifest"):
        commit(deployed, run) if stage == "commit" else do(deployed, plan, "reduce")


def test_pairs_that_were_damaged_in_the_work_bucket_are_noticed(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce(), b"".join(b"w%d\n" % number for number in range(999)))
    do(deployed, plan, "map")
    (name,) = deployed.keys(folder(run) + "d/")
    content = bytearray(deployed.read(f"{folder(run)}d/{name}"))
    content[len(content) // 2] ^= 1
    deployed.put(f"{folder(run)}d/{name}", bytes(content))
    with pytest.raises(InputFailed, match="arrives damaged: its checksum is"):
        do(deployed, plan, "reduce")


@pytest.mark.parametrize("size", [4, 1000])
def test_a_quote_that_is_never_closed_fails_the_plan(mapreduce: Make, size: int) -> None:
    deployed = mapreduce(section={"format": {"type": "csv"}, "split": {"size": size}})
    with pytest.raises(BadRecord, match=r"in/x: the quote that was opened in the record at byte 12 is never closed"):
        planned(deployed, b'a,b\n1,"x\ny"\n2,"never\nclosed\n')


def test_a_record_beyond_the_limit_fails_with_its_byte(mapreduce: Make) -> None:
    section = {"format": {"type": "lines", "max_record": 10}, "split": {"size": 8}}
    deployed, _, plan = planned(mapreduce(section=section), b"short\n" + b"x" * 50 + b"\n")
    with pytest.raises(BadRecord, match="in/x: the record at byte 6 is longer than 10 bytes; raise the format's max"):
        do(deployed, plan, "map")


def test_two_reducers_with_a_file_of_the_same_name_are_refused(mapreduce: Make) -> None:
    deployed = mapreduce(reducer="#!/bin/sh\necho x >$TMP_OUTPUT_DIR/same\n", section={"reducers": 2})
    _, run, plan = planned(deployed)
    do(deployed, plan, "map", "reduce")
    with pytest.raises(OutputFailed, match="reducers 0 and 1 both wrote same; name files after"):
        commit(deployed, run)
    assert deployed.keys("out/") == []


@pytest.mark.parametrize("name", ["part-00000", "_SUCCESS", "_FAILED", "_COMMITTING"])
def test_a_reducer_cannot_write_a_name_of_the_run_itself(mapreduce: Make, name: str) -> None:
    deployed, _, plan = planned(mapreduce(reducer=f"#!/bin/sh\necho x >$TMP_OUTPUT_DIR/{name}\n"))
    do(deployed, plan, "map")
    with pytest.raises(ScriptFailed, match=f"wrote {name} to its output folder; choose another name"):
        do(deployed, plan, "reduce")


WITH_FILES = (
    "#!/bin/sh\ncat\n[ $MAPREDUCE_PARTITIONS = 3 ] && echo x >$TMP_OUTPUT_DIR/extra-$MAPREDUCE_PARTITION\ntrue\n"
)


def test_a_new_version_replaces_the_whole_result_and_nothing_of_the_users(mapreduce: Make) -> None:
    deployed = mapreduce(reducer=WITH_FILES, section={"reducers": 3})
    deployed.put("in/x", b"a b c\n")
    deployed.execute("in/x")
    deployed.put("out/x/notes.txt", b"the user's")
    assert len(deployed.keys("out/x/")) == 8
    deployed.put("in/x", b"d\n")
    deployed.section["reducers"] = 1
    deployed.execute("in/x")
    assert deployed.keys("out/x/") == ["_SUCCESS", "notes.txt", "part-00000"]
    assert deployed.parts("in/x") == [b"d\t1\n"]


def test_a_failed_run_leaves_the_previous_result(mapreduce: Make) -> None:
    deployed = mapreduce()
    deployed.put("in/x", b"a\n")
    first = deployed.execute("in/x")
    deployed.mapper = "#!/bin/sh\nexit 1\n"
    _, run, plan = planned(deployed, b"b\n")
    with pytest.raises(ScriptFailed):
        do(deployed, plan, "map")
    failed(deployed, run, Error="States.ExceedToleratedFailureThreshold")
    assert deployed.keys("out/x/") == ["_FAILED", "_SUCCESS", "part-00000"]
    assert json.loads(deployed.read("out/x/_SUCCESS"))["run"] == first["run"]
    assert deployed.result("in/x") == {"a": "1"}


def test_a_commit_that_was_cut_off_is_completed_by_the_next(mapreduce: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    deployed = mapreduce(section={"reducers": 3})
    deployed.put("in/x", b"a b c\n")
    deployed.execute("in/x")
    deployed.section["reducers"] = 2
    _, run, plan = planned(deployed, b"d e\n")
    do(deployed, plan, "map", "reduce")

    def cut_off(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(commit_stage, "_success", cut_off)
        patch.setattr(Bucket, "copy_to", cut_off)
        with pytest.raises(KeyboardInterrupt):
            commit(deployed, run)
    assert "_SUCCESS" not in deployed.keys("out/x/")
    commit(deployed, run)
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000", "part-00001"]
    assert deployed.result("in/x") == {"d": "1", "e": "1"}


def being_published(deployed: MapReduce, **more: Any) -> None:
    """Leave the note of another run that is being published."""
    note = {"run": "f" * 32, "time": time.time(), "files": ["part-00007"], **more}
    deployed.put("out/x/_COMMITTING", json.dumps(note).encode())
    for name in note["files"]:
        deployed.put(f"out/x/{name}", b"unfinished")


def test_while_another_run_of_the_input_is_published_a_commit_waits(
    mapreduce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, run, plan = planned(mapreduce(seconds=1.0))
    do(deployed, plan, "map", "reduce")
    being_published(deployed)
    with pytest.raises(OutputFailed, match=r"run f* is being published; try again"):
        commit(deployed, run)
    assert deployed.keys("out/x/") == ["_COMMITTING", "part-00007"]
    deployed.seconds = 60.0

    def look(_: float) -> None:
        """Have the other run end."""
        deployed.put("out/x/_SUCCESS", json.dumps({"run": "f" * 32, "files": ["part-00007"]}).encode())
        deployed.s3.delete_object(Bucket=deployed.bucket, Key="out/x/_COMMITTING")

    monkeypatch.setattr(time, "sleep", look)
    commit(deployed, run)
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000"]


def test_the_result_of_a_newer_version_stays_when_an_older_run_comes_late(
    mapreduce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")
    being_published(deployed)

    def look(_: float) -> None:
        """Have the newer version be put and published meanwhile."""
        for name in ("_COMMITTING", "part-00007"):
            deployed.s3.delete_object(Bucket=deployed.bucket, Key=f"out/x/{name}")
        deployed.put("in/x", b"newer\n")
        deployed.execute("in/x")

    monkeypatch.setattr(time, "sleep", look)
    with pytest.raises(InputChanged):
        commit(deployed, run)
    assert deployed.result("in/x") == {"newer": "1"}
    assert "_COMMITTING" not in deployed.keys("out/x/")


@pytest.mark.parametrize("more", [{"ended": True}, {"time": 1.0}])
def test_what_another_run_left_unfinished_is_removed(mapreduce: Make, more: dict[str, Any]) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")
    being_published(deployed, **more)
    commit(deployed, run)
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000"]


def test_a_run_that_fails_while_it_is_published_gives_way(mapreduce: Make) -> None:
    deployed, run, plan = planned(mapreduce())
    do(deployed, plan, "map", "reduce")
    being_published(deployed, run="0" * 32)
    failed(deployed, {**run, "run": "0" * 32}, Error="Lambda.Unknown", Cause="killed")
    commit(deployed, run)
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000"]


@pytest.mark.parametrize(
    ("stage", "event", "message"),
    [
        ("map", {"mapreduce": "reduce"}, "asks for 'reduce'; this function does map"),
        ("map", {"anything": 1}, "asks for None; this function does map"),
        ("map", {"mapreduce": "map", "run": "../../x", "task": 0}, "'../../x' is not the id of a run"),
        ("map", {"mapreduce": "map", "run": "0" * 32, "task": -1}, "the event's task is -1"),
        ("map", {"mapreduce": "map", "run": "0" * 32, "task": "1"}, "the event's task is '1'"),
        ("commit", {"mapreduce": "commit", "run": {"run": 1}}, "does not describe a run"),
        ("plan", {"mapreduce": "plan"}, "does not describe a run"),
        ("plan", {"some": "event"}, "the event names no object"),
    ],
)
def test_an_event_that_is_malformed_is_refused(
    mapreduce: Make, stage: str, event: dict[str, Any], message: str
) -> None:
    with pytest.raises(EventInvalid) as found:
        mapreduce().call(stage, event)
    assert message in str(found.value)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"work": ""}, "work: '' is not BUCKET or BUCKET/PREFIX"),
        ({"combiner": "x"}, "combiner: 'x' is not one of none, reducer, script"),
        ({"reducers": 0}, "reducers: 0 is not a whole number above 0"),
        ({"split": {"size": "64"}}, "size: '64' is not a whole number"),
        ({"split": 64}, "split: 64 is not an object"),
        ({"format": {"type": "csv", "quote": "''"}}, "quote: \"''\" is not one ASCII character"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_refused(mapreduce: Make, section: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationInvalid) as found:
        mapreduce(section=section).call("plan", {"mapreduce": "plan"})
    assert message in str(found.value)
