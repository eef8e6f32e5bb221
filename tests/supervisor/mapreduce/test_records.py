"""Every record belongs to exactly one task, wherever the borders fall: compared with one reader that reads it all."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from supervisor.errors import BadRecord
from supervisor.mapreduce.quotes import Dialect, crossings, starts
from supervisor.mapreduce.records import Range, Read, RecordReader, Rules

unhurried = settings(deadline=None)  # other processes may have the machine
SPLITS = (1, 2, 3, 7, 24, 64, 331)
QUOTED = Dialect(b'"')
ESCAPED = Dialect(b'"', b"\\")


def reading(data: bytes, block: int = 5) -> Read:
    """Return the reading of an input in small blocks, so that everything is cut somewhere."""

    def read(start: int, end: int) -> Iterator[bytes]:
        assert 0 <= start <= end <= len(data)
        for at in range(start, end, block):
            yield data[at : min(at + block, end)]

    return read


def ranges(data: bytes, size: int, dialect: Dialect, block: int = 5) -> list[Range]:
    places = [(at, min(at + size, len(data))) for at in range(0, len(data), size)]
    if not dialect.quote:
        return [Range(start, end, len(data)) for start, end in places]
    read = reading(data, block)
    begins, _, _ = starts([crossings(read(start, end), dialect) for start, end in places])
    return [Range(start, end, len(data), begin) for (start, end), begin in zip(places, begins, strict=True)]


def tasks(data: bytes, size: int, rules: Rules, block: int = 5) -> list[tuple[bytes, RecordReader]]:
    """Return what each task reads, and its reader."""
    found = []
    for place in ranges(data, size, rules.dialect, block):
        reader = RecordReader(reading(data, block), place, rules)
        found.append((b"".join(reader.blocks()), reader))
    return found


def check(data: bytes, size: int, rules: Rules, whole: list[bytes], split: Callable[[bytes], list[bytes]]) -> None:
    found = tasks(data, size, rules)
    assert [record for part, _ in found for record in split(part)] == whole
    assert sum(reader.records for _, reader in found) == len(whole)
    assert sum(reader.length + reader.header for _, reader in found) == len(data)
    for part, reader in found:
        assert reader.length == len(part)
        assert reader.records == len(split(part))


def lines(data: bytes) -> list[bytes]:
    return io.BytesIO(data).readlines()


@pytest.mark.parametrize("size", SPLITS)
@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
def test_inputs_of_every_size_lose_and_double_no_line(size: int, newline: bytes) -> None:
    text = newline.join(b"%d,field,\xc3\xa9\xf0\x9f\x98\x80" % number + b"x" * (number % 5) for number in range(40))
    for length in range(331):
        check(text[:length], size, Rules(), lines(text[:length]), lines)


UNICODE_LINES = some.lists(some.text(alphabet=some.sampled_from('aé😀 \r\t"\\'), max_size=9)).map("\n".join)


@unhurried
@given(text=UNICODE_LINES, size=some.integers(1, 40), block=some.integers(1, 9))
def test_lines_of_any_text_are_read_once(text: str, size: int, block: int) -> None:
    data = text.encode()
    check(data, size, Rules(), lines(data), lines)
    assert b"".join(part for part, _ in tasks(data, size, Rules(), block)) == data


@unhurried
@given(text=UNICODE_LINES, size=some.integers(1, 40))
def test_a_header_is_left_out_wherever_it_ends(text: str, size: int) -> None:
    data = text.encode()
    check(data, size, Rules(header=True), lines(data)[1:], lines)


FIELDS = some.text(alphabet=some.sampled_from('aé😀,"\n\r '), max_size=7)
ROWS = some.lists(some.lists(FIELDS, min_size=1, max_size=3), max_size=12)


@unhurried
@given(rows=ROWS, size=some.integers(1, 24), crlf=some.booleans(), header=some.booleans(), last=some.booleans())
def test_quoted_csv_is_read_as_one_csv_reader_reads_it(
    rows: list[list[str]], size: int, crlf: bool, header: bool, last: bool
) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n" if crlf else "\n", quoting=csv.QUOTE_ALL).writerows(rows)
    data = text.getvalue().encode()
    data = data if last else data.removesuffix(b"\n").removesuffix(b"\r")
    found = tasks(data, size, Rules(QUOTED, header=header))
    assert [row for part, _ in found for row in parsed(part)] == rows[header:]
    assert sum(reader.records for _, reader in found) == len(rows[header:])
    assert sum(reader.length + reader.header for _, reader in found) == len(data)


def parsed(part: bytes, escape: str | None = None) -> list[list[str]]:
    text = io.StringIO(part.decode(), newline="")
    return list(csv.reader(text, escapechar=escape, doublequote=escape is None))


@unhurried
@given(rows=ROWS, size=some.integers(1, 24), always=some.booleans())
def test_escapes_inside_and_outside_quotes_are_read_as_one_csv_reader_reads_them(
    rows: list[list[str]], size: int, always: bool
) -> None:
    data = b"".join(b",".join(escaped(field, quoted=always) for field in row) + b"\n" for row in rows)
    found = tasks(data, size, Rules(ESCAPED))
    assert [row for part, _ in found for row in parsed(part, "\\")] == parsed(data, "\\")
    assert sum(reader.records for _, reader in found) == len(rows)


def escaped(field: str, *, quoted: bool) -> bytes:
    special = ("\\", '"', *(() if quoted else (",", "\n", "\r")))
    text = "".join(f"\\{letter}" if letter in special else letter for letter in field)
    return (f'"{text}"' if quoted else text or '""').encode()


@unhurried
@given(data=some.binary(max_size=60), size=some.integers(1, 20), block=some.integers(1, 9))
def test_the_scan_of_any_bytes_knows_how_many_records_follow(data: bytes, size: int, block: int) -> None:
    for dialect in (QUOTED, ESCAPED):
        places = range(0, len(data), size)
        tables = [crossings(reading(data, block)(at, min(at + size, len(data))), dialect) for at in places]
        _, end, ends = starts(tables)
        whole = crossings([data], dialect)[0]
        assert (end.number, ends) == (whole.state, whole.ends)


@pytest.mark.parametrize("size", SPLITS)
def test_a_quote_that_is_never_closed_is_told_with_its_record(size: int) -> None:
    data = b'a,b\n1,"x\ny"\n2,"never\nclosed\n'
    with pytest.raises(BadRecord, match="quote that was opened in the record at byte 12 is never closed"):
        tasks(data, size, Rules(QUOTED))


@pytest.mark.parametrize("size", SPLITS)
@pytest.mark.parametrize("block", [1, 5, 500])
def test_a_record_that_is_too_long_is_told_with_its_place(size: int, block: int) -> None:
    fits, too_long = b"x" * 19 + b"\n", b"y" * 20 + b"\n"
    assert sum(reader.records for _, reader in tasks(fits * 3, size, Rules(max_record=20), block)) == 3
    with pytest.raises(BadRecord, match="record at byte 20 is longer than 20 bytes; raise the format's max_record"):
        tasks(fits + too_long + fits, size, Rules(max_record=20), block)


def test_the_look_beyond_a_range_doubles_until_the_record_ends() -> None:
    data = b"a\n" + b"x" * 700_000 + b"\nb\n"
    asked: list[tuple[int, int]] = []

    def read(start: int, end: int) -> Iterable[bytes]:
        asked.append((start, end))
        return [data[start:end]]

    reader = RecordReader(read, Range(0, 3, len(data)), Rules())
    assert b"".join(reader.blocks()) == data[:-2]
    assert [end - start for start, end in asked] == [3, 1 << 16, 1 << 17, 1 << 18, 700_005 - 3 - 7 * (1 << 16)]
