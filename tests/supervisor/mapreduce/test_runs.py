"""Whole runs: plan, map, reduce, commit, over the real S3 with real mappers."""

import json
from collections import Counter
from collections.abc import Callable

from tests.supervisor.mapreduce.conftest import MapReduce

Make = Callable[..., MapReduce]


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
    assert json.loads(deployed.read("out/a b/é.txt/_SUCCESS")) == success
    assert deployed.keys("out/a b/é.txt/") == ["_SUCCESS", "part-00000", "part-00001", "part-00002"]
