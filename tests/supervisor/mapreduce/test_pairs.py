"""Pairs come out of a task as they went in: sorted by key, each as often as it was printed, whatever is in them."""

import json
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from supervisor.errors import BadPair
from supervisor.mapreduce.blocks import Spool, located, merged, unpacked
from supervisor.mapreduce.pairs import Json, PairReader, Text, contract, printed
from supervisor.mapreduce.programs import PairSink
from supervisor.mapreduce.shuffle import Layout, Sorter, partition_of

unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEYS = some.text(alphabet=some.sampled_from('aé😀 ,\x01\x08\x0b"\\'), max_size=4)
VALUES = some.text(alphabet=some.sampled_from('aé\t \x01"9'), max_size=4)
LINES = some.lists(some.tuples(KEYS, VALUES), max_size=60)


def sorter_of(folder: Path, lines: list[bytes], layout: Layout, budget: int = 1 << 26) -> Sorter:
    """Return a sorter that has taken what a program printed, in blocks of odd sizes."""
    sorter = Sorter(str(folder), layout, budget)
    sink = PairSink(PairReader(Text(), "it", sorter.add, skip=False))
    whole = b"".join(line + b"\n" for line in lines)
    for at in range(0, len(whole), 7):
        sink.write(whole[at : at + 7])
    sink.close()
    return sorter


def stored(sorter: Sorter, folder: Path, partition: int | None = None) -> list[bytes]:
    """Return the lines of a partition, or of all, as a reducer reads them."""
    blocks = sorter.write(str(folder / "blocks"))
    spool = Spool(str(folder))
    spool.write((folder / "blocks").read_bytes())
    sources = [one for one in located(spool, blocks) if partition in (None, one.block.partition)]
    batches, counted = merged(sources, str(folder), 1 << 20)
    return b"".join(printed(batches, Text(), counted=counted)).split(b"\n")[:-1]


def key(line: bytes) -> bytes:
    return line.partition(b"\t")[0]


@unhurried
@given(pairs=LINES, repeat=some.integers(1, 3), partitions=some.integers(0, 3))
def test_pairs_are_stored_once_each_and_keys_lie_together(
    pairs: list[tuple[str, str]], repeat: int, partitions: int, tmp_path: Path
) -> None:
    lines = [f"{name}\t{value}".encode() for name, value in pairs] * repeat
    found: list[bytes] = []
    for partition in range(max(1, partitions)):
        part = stored(sorter_of(tmp_path, lines, Layout(partitions, 4)), tmp_path, partition)
        keys = [key(line) for line in part]
        assert keys == sorted(keys, key=lambda name: name + b"\t")
        if partitions:
            assert all(partition_of(name.decode("latin-1"), partitions) == partition for name in keys)
        found += part
    assert Counter(found) == Counter(lines)


@pytest.mark.parametrize("repeating", [True, False])
@pytest.mark.parametrize("layout", [Layout(3), Layout(0, 8)])
def test_what_does_not_fit_into_memory_is_merged_from_the_disk(
    tmp_path: Path, layout: Layout, *, repeating: bool
) -> None:
    lines = [f"k{number * 7919 % 997}\t{'1' if repeating else number}".encode() for number in range(120_000)]
    sorter = sorter_of(tmp_path, lines, layout, budget=60_000)
    found = [line for part in range(3) for line in stored(sorter, tmp_path, part)]
    assert Counter(found) == Counter(lines)
    assert not list(tmp_path.glob("pairs-*"))


def test_more_spills_than_are_merged_at_once_take_several_passes(tmp_path: Path) -> None:
    sorter = Sorter(str(tmp_path), Layout(1), 1)
    lines = [f"k{number:03}\tv" for number in range(300)]
    for line in lines:  # each is a spill of its own
        sorter.add([line], len(line))
    assert stored(sorter, tmp_path) == [line.encode() for line in lines]


def test_a_pair_that_was_printed_very_often_is_written_in_pieces() -> None:
    pieces = list(printed([["k\tv\t1000000"]], Text(), counted=True))
    assert len(pieces) > 1
    assert b"".join(pieces) == b"k\tv\n" * 1_000_000


JSON_VALUES = some.recursive(
    some.none() | some.booleans() | some.integers() | some.text(max_size=5),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


@unhurried
@given(name=some.text(some.characters(exclude_categories=())), value=JSON_VALUES, ascii_only=some.booleans())
def test_json_pairs_of_any_text_are_the_same_for_the_reducer(name: str, value: object, *, ascii_only: bool) -> None:
    text = json.dumps([name, value], ensure_ascii=ascii_only, separators=(" ,  ", ":"))
    line = f"  {text} ".encode("utf-8", "backslashreplace").decode("latin-1")
    pair = Json().pair(line)
    assert "\n" not in pair
    assert json.loads(Json().printed(pair).encode("latin-1")) == [name, value]


@unhurried
@given(names=some.lists(some.text(some.characters(exclude_categories=(), max_codepoint=0x2000), max_size=4)))
def test_json_pairs_are_in_the_order_of_their_keys(names: list[str]) -> None:
    pairs = sorted(Json().pair(json.dumps([name, 1])) for name in names)
    of = Json()
    found = [json.loads(of.printed(pair).encode("latin-1"))[0] for pair in pairs]
    assert found == sorted(names)


def test_two_spellings_of_a_json_key_are_one_key() -> None:
    pairs = [
        Json().pair(line.encode().decode("latin-1")) for line in ('["é",1]', '["\\u00e9", 2]', '[ "\\u00E9" , 3 ]')
    ]
    assert len({pair.partition("\t")[0] for pair in pairs}) == 1


BAD_LINES = [
    ("text", "no tab here", "has no tab between key and value: 'no tab here'"),
    ("text", "", "has no tab between key and value: ''"),
    ("json", "[1, 2]", "is no JSON array of two with a text first"),
    ("json", '["a"]', "is no JSON array of two"),
    ("json", '["a", 1', "Expecting ',' delimiter"),
    ("json", '["\xff", 1]', "is not UTF-8"),
]


@pytest.mark.parametrize(("pairs", "bad", "reason"), BAD_LINES)
def test_a_line_that_is_no_pair_is_told_with_its_number(pairs: str, bad: str, reason: str) -> None:
    good = "a\t1" if pairs == "text" else '["a", 1]'
    reader = PairReader(contract(pairs), "the mapper", lambda lines, _: lines, skip=False)
    reader.read([good, good], 0)
    with pytest.raises(BadPair) as found:
        reader.read([good, bad, good], 0)
    assert f"line 4 of what the mapper printed {reason}" in str(found.value)


@pytest.mark.parametrize(("pairs", "bad", "reason"), BAD_LINES)
def test_lines_that_are_no_pairs_are_left_out_and_counted_where_that_is_wanted(
    pairs: str, bad: str, reason: str
) -> None:
    good = "a\t1" if pairs == "text" else '["a", 1]'
    taken: list[list[str]] = []

    def take(lines: list[str], _: int) -> list[str]:
        taken.append(lines)
        return lines

    reader = PairReader(contract(pairs), "the mapper", take, skip=True)
    reader.read([bad, good, bad, good], 0)
    assert [len(lines) for lines in taken] == [2]
    assert (reader.good, reader.bad) == (2, 2)


def test_a_batch_of_an_unfinished_line_is_joined_with_the_next() -> None:
    import zlib

    packed = zlib.compress(b"a\t1\nbb\t2\nc\t3\n")
    pieces = (packed[at : at + 1] for at in range(len(packed)))
    assert [line for batch in unpacked(pieces, 3) for line in batch] == ["a\t1", "bb\t2", "c\t3"]
