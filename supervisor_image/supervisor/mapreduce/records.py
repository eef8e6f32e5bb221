"""The records of one task: those whose first byte lies in its range, whole, on bytes and never in memory at once."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from supervisor.errors import BadRecord
from supervisor.mapreduce.quotes import Dialect, Outside, Start, State

_NEWLINE = b"\n"
_FIRST_LOOK = 1 << 16  # bytes
_LONGEST_LOOK = 1 << 23  # bytes

Read = Callable[[int, int], Iterable[bytes]]
"""Reads the bytes of the input from the first place up to, but without, the second one."""


class Range(NamedTuple):
    """A task's bytes of an input of `size` bytes; without `begin` the byte before them tells how they begin."""

    start: int
    end: int
    size: int
    begin: Start | None = None


class Rules(NamedTuple):
    """How records are told apart; with `header` the input's first one is left out."""

    dialect: Dialect = Dialect()
    header: bool = False
    max_record: int = 1 << 26


class RecordReader:
    """Reads the records that belong to a range; once that is done, it knows their number and their bytes."""

    def __init__(self, read: Read, place: Range, rules: Rules) -> None:
        self.records = self.length = self.header = 0
        self._read, self._place, self._rules = read, place, rules
        self._in_header = rules.header and place.start == 0
        self._outside = Outside(rules.dialect, place.begin.state if place.begin else State())
        self._at = place.start
        self._open = place.start  # where the record in hand began
        self._ended = True  # whether a record has ended with the last byte that was read

    def blocks(self) -> Iterator[bytes]:
        """Yield the bytes of the records. Raises BadRecord."""
        for block, view in self._own():
            yield from self._taken(block, view)
        if not self._ended:
            for block, view in self._rest():
                yield from self._taken(block, view)
            self._end_of_input()

    def _own(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what lies in the range, from the first record that begins there."""
        place = self._place
        knows = place.start == 0 or place.begin is not None
        begun = place.start == 0 or bool(place.begin and place.begin.begins)
        self._at = place.start if knows else place.start - 1
        for block in self._read(self._at, place.end) if place.end > place.start else ():
            view = self._outside.view(block)
            if begun:
                yield block, view
                continue
            first = view.find(_NEWLINE) + 1
            if not first or self._at + first >= place.end:
                self._at += len(block)
                continue
            begun = True
            self._at += first
            self._open = self._at
            yield block[first:], view[first:]

    def _rest(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield what follows the range, up to the end of the record that began in it."""
        look = _FIRST_LOOK
        while self._at < self._place.size:
            for block in self._read(self._at, min(self._at + look, self._place.size)):
                view = self._outside.view(block)
                last = view.find(_NEWLINE) + 1
                yield (block[:last], view[:last]) if last else (block, view)
                if last:
                    return
            look = min(2 * look, _LONGEST_LOOK)

    def _taken(self, block: bytes, view: bytes) -> Iterator[bytes]:
        """Count a block's records, and yield what is not the header."""
        self._check_length(view)
        begin, self._at = self._at, self._at + len(block)
        ends = view.count(_NEWLINE)
        self._ended = view.endswith(_NEWLINE)
        if ends:
            self._open = begin + view.rfind(_NEWLINE) + 1
        if self._in_header:
            cut = view.find(_NEWLINE) + 1 or len(block)
            self._in_header = not ends
            ends, block = max(0, ends - 1), block[cut:]
            self.header += cut
        self.records += ends
        self.length += len(block)
        if block:
            yield block

    def _check_length(self, view: bytes) -> None:
        longest, begin, at = self._rules.max_record, self._open, self._at
        if at + len(view) - begin <= longest:  # whatever ends in this block is short enough
            return
        for line in _lines(view):
            at += len(line)
            if at - begin > longest:
                raise BadRecord(
                    f"the record at byte {begin} is longer than {longest} bytes; raise the format's max_record"
                )
            begin = at

    def _end_of_input(self) -> None:
        """Count a last record without a newline, whose quotes must be closed."""
        if self._ended:
            return
        if self._outside.state.inside:
            raise BadRecord(f"the quote that was opened in the record at byte {self._open} is never closed")
        self.records += not self._in_header


def _lines(view: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(view):
        end = view.find(_NEWLINE, begin) + 1 or len(view)
        yield view[begin:end]
        begin = end
