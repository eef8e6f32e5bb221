"""Tasks that are tried more than once count once, whoever is first and whatever the others print."""

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from supervisor.errors import ScriptFailed, SupervisorError
from supervisor.mapreduce.run import Work
from tests.supervisor.mapreduce.conftest import MapReduce, in_the_file
from tests.supervisor.unreliable import unreliable

Make = Callable[..., MapReduce]
TEXT = b"".join(b"w%d x\n" % (number % 17) for number in range(300))
RANDOM_PAIRS = (
    "#!/bin/sh\ncount=$(od -An -N1 -tu1 /dev/urandom)\nfor i in $(seq $count); do printf 'k%s\\t1\\n' $i; done\n"
)


def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have attempts begin as if no other had finished."""
    monkeypatch.setattr(Work, "find", lambda work, name: None)


def test_a_task_that_is_done_does_nothing(mapreduce: Make) -> None:
    deployed = mapreduce(section={"split": {"size": 500}})
    deployed.put("in/x", TEXT)
    first = deployed.execute("in/x")
    before = deployed.keys("")
    deployed.mapper = deployed.reducer = "#!/bin/sh\nexit 1\n"
    assert deployed.execute("in/x") == first
    assert deployed.keys("") == before


def test_of_two_attempts_the_first_counts_and_the_other_leaves_nothing(
    mapreduce: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = mapreduce(mapper=RANDOM_PAIRS, section={"split": {"size": 500}, "reducers": 2})
    deployed.put("in/x", TEXT)
    run = deployed.run_of("in/x")
    plan = deployed.plan(run)
    blind(monkeypatch)
    for stage, tasks in (("map", plan["tasks"]), ("reduce", plan["reduce_tasks"])):
        events = deployed.lines(tasks) * 3
        random.Random(3).shuffle(events)  # noqa: S311 the same order each time
        answers: dict[int, Any] = {}
        for event in events:
            answer = deployed.call(stage, event)
            assert answers.setdefault(event["task"], answer) == answer
    monkeypatch.undo()
    for name, value in deployed.environment.items():
        monkeypatch.setenv(name, value)
    success = deployed.call("commit", {"mapreduce": "commit", "run": run})
    assert deployed.total("in/x") == success["pairs"] == success["pairs_combined"]
    folder = f"work/{run['run'][:2]}/{run['run']}/"
    assert len(deployed.keys(f"{folder}d/")) <= plan["map_count"]
    assert len(deployed.keys(f"{folder}o/")) == 2


FAILS_TWICE = """#!/bin/sh
tries=$(cat tries-$MAPREDUCE_TASK 2>/dev/null || echo 0)
echo $((tries + 1)) >tries-$MAPREDUCE_TASK
[ $((MAPREDUCE_TASK % 3)) = 1 ] && [ $tries -lt 2 ] && { printf 'w0\\t1000\\n'; echo bad luck >&2; exit 3; }
"""


def test_a_mapper_that_fails_at_times_is_exact_when_it_is_tried_again(mapreduce: Make) -> None:
    mapper = FAILS_TWICE + in_the_file('{ for (i = 1; i <= NF; i++) print $i "\\t1" }').partition("\n")[2]
    deployed = mapreduce(mapper=mapper, section={"split": {"size": 200}, "reducers": 2})
    deployed.put("in/x", TEXT)
    for _ in range(6):  # three tasks fail twice each
        with pytest.raises(ScriptFailed, match=r"(?s)exit code 3.*bad luck"):
            deployed.execute("in/x")
    success = deployed.execute("in/x")
    assert deployed.result("in/x") == {word: str(count) for word, count in Counter(TEXT.decode().split()).items()}
    assert success["records"] == 300


def test_a_storage_that_fails_in_every_way_changes_nothing(
    mapreduce: Make, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = mapreduce(section={"split": {"size": 400}, "reducers": 2})
    deployed.put("in/x", TEXT)
    with unreliable(s3_endpoint) as (endpoint, faults):
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        faults.failing = 0.15
        for _ in range(30):
            try:
                success = deployed.execute("in/x")
                break
            except SupervisorError:
                continue
        assert sum(faults.ways.values()) > 10
    assert deployed.result("in/x") == {word: str(count) for word, count in Counter(TEXT.decode().split()).items()}
    assert success["records"] == 300
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000", "part-00001"]


def test_a_won_manifest_whose_answer_was_lost_is_still_won(mapreduce: Make) -> None:
    deployed = mapreduce()
    work = Work(deployed.function("map"), deployed.settings("map"), "0" * 32)
    document = {"attempt": "mine", "n": 1}
    assert work.settle("m/00000.json", document) == document
    assert work.settle("m/00000.json", document) == document  # the second PUT of a client that tries again
    assert work.settle("m/00000.json", {"attempt": "other", "n": 2}) == document
