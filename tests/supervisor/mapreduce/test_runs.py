"""Whole runs: plan, map, reduce, commit, over the real S3 with real mappers, combiners and reducers."""

import ast
import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.mapreduce import marla, plan_stage
from tests.supervisor.mapreduce.conftest import SUMS, MapReduce, in_the_file
from tests.supervisor.objects import with_minio

Make = Callable[..., MapReduce]
LINES = in_the_file('END { print "lines\\t" NR }')
IDENTITY = "#!/bin/sh\nexec cat\n"
PYTHON = "#!/usr/bin/env python3\n"


def counted(text: bytes) -> dict[str, str]:
    return {word: str(count) for word, count in Counter(text.decode().split()).items()}


def test_words_are_counted_over_several_tasks(mapreduce: Make) -> None:
    text = b"the quick brown fox jumps over the lazy dog\nthe end\n" * 50
    deployed = mapreduce(section={"split": {"size": 300}, "reducers": 3})
    deployed.put("in/a b/é.txt", text)
    success = deployed.execute("in/a b/é.txt")
    assert deployed.result("in/a b/é.txt") == counted(text)
    assert success["records"] == 100
    assert success["bytes"] == len(text)
    assert success["pairs"] == success["pairs_combined"] == 11 * 50
    stored = json.loads(deployed.read("out/a b/é.txt/_SUCCESS"))
    assert stored == {**success, "files": ["part-00000", "part-00001", "part-00002"]}
    assert deployed.keys("out/a b/é.txt/") == ["_SUCCESS", "part-00000", "part-00001", "part-00002"]


@pytest.mark.parametrize("size", [1, 24, 331])
@pytest.mark.parametrize("length", [1, 23, 24, 25, 48, 100, 330])
def test_sizes_around_the_borders_of_splits_are_exact(mapreduce: Make, size: int, length: int) -> None:
    text = "".join(f"{number},é😀\n" for number in range(60)).encode()[:length]
    deployed = mapreduce(mapper=LINES, section={"split": {"size": max(size, length // 12)}})
    deployed.put("in/x", text)
    success = deployed.execute("in/x")
    assert success["records"] == deployed.total("in/x") == len(io.BytesIO(text).readlines())


def test_an_empty_object_is_a_success_of_zeros(mapreduce: Make) -> None:
    deployed = mapreduce()
    deployed.put("in/x", b"")
    success = deployed.execute("in/x")
    assert [success[name] for name in ("records", "bytes", "pairs", "map_tasks", "output_bytes")] == [0] * 5
    assert deployed.keys("out/x/") == ["_SUCCESS"]


def test_a_task_without_a_record_does_not_run_the_mapper(mapreduce: Make) -> None:
    deployed = mapreduce(mapper=in_the_file('END { print "runs\\t1" }'), section={"split": {"size": 10}})
    deployed.put("in/x", b"x" * 35 + b"\nshort\n")
    success = deployed.execute("in/x")
    assert (success["map_tasks"], success["records"], deployed.total("in/x")) == (5, 2, 2)


ROWS = [["id", "text"], *([str(number), f'a "quoted"\nand, {"x" * (number % 9)} é'] for number in range(40))]
FIRST_FIELDS = f"""{PYTHON}import csv, os
with open(os.environ["INPUT_FILE_PATH"], newline="") as file:
    for row in csv.reader(file, **DIALECT):
        print("rows", len(row) == 2 and row[1].count("\\n") == 1 and 1 or 1000, sep="\\t")
"""


@pytest.mark.parametrize("scan", ["planner", "tasks"])
@pytest.mark.parametrize("escape", [None, "\\"])
def test_quoted_csv_with_a_header_is_split_at_records(
    mapreduce: Make, monkeypatch: pytest.MonkeyPatch, scan: str, escape: str | None
) -> None:
    if scan == "tasks":
        monkeypatch.setattr(plan_stage, "SCANNED_HERE", 100)
    text = io.StringIO()
    dialect = {"escapechar": escape, "doublequote": escape is None}
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n", **dialect).writerows(ROWS)  # type: ignore[arg-type]
    form = {"type": "csv", "header": "skip", **({"escape": escape} if escape else {})}
    deployed = mapreduce(
        mapper=FIRST_FIELDS.replace("DIALECT", repr(dialect)), section={"split": {"size": 64}, "format": form}
    )
    deployed.put("in/x.csv", text.getvalue().encode())
    success = deployed.execute("in/x.csv")
    assert success["records"] == deployed.total("in/x.csv") == 40
    assert success["header"] == len(b'"id","text"\r\n')


@pytest.mark.parametrize("combiner", [SUMS, PYTHON + "import sys\nsys.stdout.writelines(sys.stdin)\n"])
def test_a_combiner_sees_sorted_pairs_and_changes_no_result(mapreduce: Make, combiner: str) -> None:
    text = b"the quick brown fox jumps over the lazy dog\nthe end\n" * 50
    deployed = mapreduce(combiner=combiner, section={"split": {"size": 700}, "reducers": 2})
    deployed.put("in/x", text)
    success = deployed.execute("in/x")
    assert deployed.result("in/x") == counted(text)
    assert success["pairs"] == 550
    assert success["pairs_combined"] == (550 if "python" in combiner else 9 * success["map_tasks"])


def test_one_key_with_most_of_the_pairs_is_one_pair_a_task_after_the_combiner(mapreduce: Make) -> None:
    text = b"".join(b"hot " * 9 + b"cold%d\n" % number for number in range(200))
    deployed = mapreduce(combiner=SUMS, section={"split": {"size": 1000}, "reducers": 4})
    deployed.put("in/x", text)
    success = deployed.execute("in/x")
    assert deployed.result("in/x") == counted(text)
    assert success["pairs"] == 2000
    assert success["pairs_combined"] <= 200 + success["map_tasks"]
    plain = mapreduce(section={"split": {"size": 1000}, "reducers": 4})
    plain.put("in/x", text)
    skewed = plain.execute("in/x")
    assert skewed["skew"] > 3 > success["skew"]
    note = "the key 'hot' has 1800 of 2000 pairs, which one reducer has to take; a combiner reduces them"
    assert (success["notes"], skewed["notes"]) == ([], [note])
    assert plain.result("in/x") == counted(text)


def test_a_range_partition_orders_all_parts(mapreduce: Make) -> None:
    words = [f"w{number * 7919 % 9973:05}é" for number in range(3000)]
    deployed = mapreduce(
        mapper=WORD_AND_NUMBER, reducer=IDENTITY, section={"partition": "range", "reducers": 4, "split": {"size": 4000}}
    )
    deployed.put("in/x", "".join(f"{word}\n" for word in words).encode())
    success = deployed.execute("in/x")
    parts = [part.decode().splitlines() for part in deployed.parts("in/x")]
    assert [line.partition("\t")[0] for part in parts for line in part] == sorted(words)
    assert success["skew"] < 1.2
    assert all(parts)


WORD_AND_NUMBER = in_the_file('{ print $1 "\\t" NR }')


@pytest.mark.parametrize("reducers", [1, 3, 7])
def test_a_range_partition_with_few_or_equal_keys_loses_none(mapreduce: Make, reducers: int) -> None:
    deployed = mapreduce(section={"partition": "range", "reducers": reducers, "split": {"size": 20}})
    text = b"same same same\nother same\n\x01odd\x02 same\n"
    deployed.put("in/x", text)
    assert deployed.execute("in/x")["pairs_combined"] == 7
    assert deployed.result("in/x") == counted(text)


JSON_MAPPER = f"""{PYTHON}import json, os, sys
for line in open(os.environ["INPUT_FILE_PATH"], encoding="utf-8"):
    print(json.dumps([line.strip() + "\\twith\\ntab", {{"n": 1}}]))
"""
JSON_REDUCER = f"""{PYTHON}import json, sys, itertools
pairs = map(json.loads, sys.stdin)
for key, group in itertools.groupby(pairs, lambda pair: pair[0]):
    print(json.dumps([key, sum(value["n"] for _, value in group)]))
"""


def test_json_pairs_carry_any_key_and_value(mapreduce: Make) -> None:
    deployed = mapreduce(
        mapper=JSON_MAPPER, reducer=JSON_REDUCER, section={"pairs": "json", "split": {"size": 30}, "reducers": 2}
    )
    deployed.put("in/x", "é\nж\n日本\n".encode() * 20)
    deployed.execute("in/x")
    found = dict(json.loads(line) for part in deployed.parts("in/x") for line in part.splitlines())
    assert found == {f"{letter}\twith\ntab": 20 for letter in ("é", "ж", "日本")}


MARLA = [
    """
def mapper(chunk):
    pairs = []
    for line in chunk.split("\\n"):
        data = line.strip().split(",")
        if len(data) == 6:
            pairs.append((data[5], 1))
    return pairs

def reducer(pairs):
    results = []
    for name, value in pairs:
        if results and results[-1][0] == name:
            results[-1][1] = int(results[-1][1]) + int(value)
        else:
            results.append([name, int(value)])
    return results
""",
    """
def mapper(chunk, Names, Values):
    print("this belongs into the log")
    for line in chunk.split("\\n"):
        data = line.strip().split(",")
        if len(data) == 6:
            Names.append(data[5])
            Values.append(1)

def reducer(Pairs, Results):
    for name, value in Pairs:
        if Results and Results[-1][0] == name:
            Results[-1][1] = int(Results[-1][1]) + int(value)
        else:
            Results.append([name, int(value)])
""",
]


@pytest.mark.parametrize("program", MARLA)
def test_functions_of_marla_run_unchanged(mapreduce: Make, program: str) -> None:
    deployed = mapreduce(
        mapper=program, reducer=program, section={"pairs": "marla", "split": {"size": 700}, "reducers": 3}
    )
    countries = ["Österreich", "日本", "Ελλάδα", "United States", "España"]
    rows = [f"{number},1.5,-2,city,state,{countries[number % 5]}" for number in range(400)]
    deployed.put("in/zips.csv", "\n".join(rows).encode())
    success = deployed.execute("in/zips.csv")
    lines = [line for part in deployed.parts("in/zips.csv") for line in part.decode().splitlines()]
    assert sorted(lines) == sorted(f"{country},80" for country in countries)
    assert success["records"] == 400


def test_the_program_that_calls_marla_functions_is_python_3_6() -> None:
    ast.parse(Path(marla.__file__).read_text(), feature_version=(3, 6))


def test_a_marla_name_with_very_many_pairs_is_reduced_in_steps(mapreduce: Make) -> None:
    mapper = MARLA[0].replace("pairs.append((data[5], 1))", "pairs += [(data[5], 1)] * 60")
    mapper = mapper.partition("def reducer")[0] + "def reducer(pairs):\n    return pairs\n"  # combines nothing
    deployed = mapreduce(mapper=mapper, reducer=MARLA[0], section={"pairs": "marla", "split": {"size": 10_000}})
    deployed.put("in/x", b"1,2,3,4,5,one\n" * 4000 + b"1,2,3,4,5,two\n" * 10)
    assert deployed.execute("in/x")["pairs_combined"] == 240_600
    assert deployed.parts("in/x") == [b"one,240000\ntwo,600\n"]


@pytest.mark.parametrize("kind", ["lines", "csv", "whole"])
def test_what_cannot_be_split_goes_to_one_mapper_as_it_is(mapreduce: Make, kind: str) -> None:
    text = gzip.compress(b"a b\n" * 100) + b'"\n'  # gzip ignores what follows
    key, form = "in/x" if kind == "whole" else "in/x.gz", {"type": kind, "header": "skip"}
    mapper = "#!/bin/sh\necho \"$(gzip -dc <$INPUT_FILE_PATH | wc -l)\" | sed 's/^ */lines\\t/'\n"
    deployed = mapreduce(mapper=mapper, section={"split": {"size": 10}, "format": form})
    deployed.put(key, text)
    success = deployed.execute(key)
    assert (success["map_tasks"], success["bytes"], deployed.total(key)) == (1, len(text), 100)


def test_files_of_reducers_are_published_beside_the_parts(mapreduce: Make) -> None:
    reducer = (
        "#!/bin/sh\ncat; mkdir $TMP_OUTPUT_DIR/d; echo $MAPREDUCE_PARTITIONS >$TMP_OUTPUT_DIR/d/$MAPREDUCE_PARTITION\n"
    )
    deployed = mapreduce(reducer=reducer, section={"reducers": 2})
    deployed.put("in/x", b"a b c d\n")
    deployed.execute("in/x")
    assert deployed.keys("out/x/") == ["_SUCCESS", "d/0", "d/1", "part-00000", "part-00001"]
    assert deployed.read("out/x/d/1") == b"2\n"


def test_programs_know_their_place_in_the_run(mapreduce: Make) -> None:
    names = ["RUN", "SOURCE", "TASK", "TASKS", "RANGE"]
    mapper = "#!/bin/sh\n" + "".join(f'printf "%s\\t%s\\n" {name} "$MAPREDUCE_{name}"\n' for name in names)
    deployed = mapreduce(mapper=mapper, reducer=IDENTITY, section={"split": {"size": 6}})
    deployed.put("in/é x", b"12345\n12345\n")
    success = deployed.execute("in/é x")
    found = sorted(deployed.parts("in/é x")[0].decode().splitlines())
    wanted = [*(f"RUN\t{success['run']}" for _ in range(2)), *(f"SOURCE\ts3://{deployed.bucket}/in/é x",) * 2]
    wanted += ["RANGE\t0-5", "RANGE\t6-11", "TASK\t0", "TASK\t1", "TASKS\t2", "TASKS\t2"]
    assert found == sorted(wanted)


def test_a_reducer_need_not_read_all_pairs(mapreduce: Make) -> None:
    deployed = mapreduce(reducer="#!/bin/sh\nhead -n 1\n", section={"split": {"size": 5000}})
    deployed.put("in/x", b"".join(b"w%d\n" % number for number in range(30_000)))
    assert deployed.execute("in/x")["pairs_combined"] == 30_000
    assert deployed.parts("in/x") == [b"w0\t1\n"]


def test_the_objects_of_earlier_inputs_do_not_mix(mapreduce: Make) -> None:
    deployed = mapreduce()
    deployed.put("in/a.csv", b"x\n")
    deployed.put("in/a.txt", b"y\n")
    deployed.execute("in/a.csv")
    deployed.execute("in/a.txt")
    assert (deployed.result("in/a.csv"), deployed.result("in/a.txt")) == ({"x": "1"}, {"y": "1"})


def test_two_inputs_with_files_of_the_same_name_share_no_results(mapreduce: Make) -> None:
    deployed = mapreduce(inputs=("in", "more/of it"))
    for number, folder in enumerate(deployed.inputs):
        deployed.put(f"{folder}/a/x", b"w%d\n" % number)
        deployed.execute(f"{folder}/a/x")
    for number, folder in enumerate(deployed.inputs):
        assert deployed.read(f"out/{deployed.bucket}/{folder}/a/x/part-00000") == b"w%d\t1\n" % number


def test_results_go_to_another_storage_too(mapreduce: Make, s3_endpoint: str) -> None:
    deployed = mapreduce(output="minio.mine", providers=with_minio(s3_endpoint))
    deployed.put("in/x", b"a b a\n")
    deployed.execute("in/x")
    assert deployed.result("in/x") == {"a": "2", "b": "1"}
    assert deployed.keys("out/x/") == ["_SUCCESS", "part-00000"]


def test_values_of_one_key_beyond_a_batch_stand_out(mapreduce: Make) -> None:
    mapper = in_the_file('{ for (i = 0; i < 9000; i++) print "hot\\t" i "." NR; print "cold" NR "\\t1" }')
    deployed = mapreduce(mapper=mapper, reducer="#!/bin/sh\nwc -l\n", section={"reducers": 3, "split": {"size": 30}})
    deployed.put("in/x", b"x\n" * 60)
    success = deployed.execute("in/x")
    assert sum(map(int, deployed.parts("in/x"))) == success["pairs"] == 540_060
    assert success["notes"][0].startswith("the key 'hot' has 540000 of 540060 pairs")


def test_a_mapper_that_prints_nothing_is_not_combined(mapreduce: Make) -> None:
    mapper = "#!/bin/sh\nrm $INPUT_FILE_PATH\n"
    deployed = mapreduce(mapper=mapper, combiner="#!/bin/sh\necho an end without a tab\n", reducer="#!/bin/sh\nwc -l\n")
    deployed.put("in/x", b"a\n")
    success = deployed.execute("in/x")
    assert (success["records"], success["pairs"]) == (1, 0)
    assert deployed.parts("in/x") == [b"0\n"]


def test_every_line_of_a_text_without_keys_belongs_to_the_empty_key(mapreduce: Make) -> None:
    deployed = mapreduce(
        mapper="#!/bin/sh\nsed 's/^/\t/' $INPUT_FILE_PATH\n", reducer=IDENTITY, section={"reducers": 3}
    )
    deployed.put("in/x", b"b\n\na\n\tc\n")
    deployed.execute("in/x")
    assert b"".join(deployed.parts("in/x")) == b"\t\n\t\tc\n\ta\n\tb\n"
