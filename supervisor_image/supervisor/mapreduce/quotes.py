"""Newlines inside quotes are no ends of records: find them in a part of a file without reading what is before it."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple


class State(NamedTuple):
    """What a part of a file begins with: is it inside quotes, and is its first byte escaped."""

    inside: bool = False
    escaped: bool = False

    @property
    def number(self) -> int:
        """The place of this state in tables."""
        return self.inside + 2 * self.escaped

    @classmethod
    def numbered(cls, number: int) -> "State":
        """Return the state of that number."""
        return cls(bool(number & 1), bool(number & 2))


class Dialect(NamedTuple):
    """The bytes that quote and escape; an empty quote means that every newline ends a record."""

    quote: bytes = b""
    escape: bytes = b""

    @property
    def states(self) -> int:
        """How many states a part can begin in: escapes double them."""
        return 4 if self.escape else 2


class Outside:
    """Blanks the newlines that end no record, in one block of a file after the other."""

    def __init__(self, dialect: Dialect, state: State) -> None:
        self.state = state
        self._dialect = dialect
        self._escaped = re.compile(re.escape(dialect.escape) + rb"[\x00-\xff]") if dialect.escape else None

    def view(self, block: bytes) -> bytes:
        """Return the block with a space for each newline that ends no record; its length stays."""
        if not self._dialect.quote:
            return block
        inside, masked = self.state.inside, self._without_escaped(block)
        parts = masked.split(self._dialect.quote)
        for number in range(0 if inside else 1, len(parts), 2):
            parts[number] = parts[number].replace(b"\n", b" ")
        self.state = self.state._replace(inside=inside ^ (len(parts) % 2 == 0))
        return self._dialect.quote.join(parts)

    def _without_escaped(self, block: bytes) -> bytes:
        if self._escaped is None or not block:
            return block
        masked = self._escaped.sub(b"  ", b" " + block[1:] if self.state.escaped else block)
        dangling = masked.endswith(self._dialect.escape)
        self.state = self.state._replace(escaped=dangling)
        return masked[:-1] + b" " if dangling else masked


class Crossing(NamedTuple):
    """What becomes of one state in a part of a file.

    `ends` are the newlines that end records, `last` says whether the part's last byte is one of them.
    """

    state: int
    ends: int
    last: bool


Table = tuple[Crossing, ...]
"""What becomes of each state that a part may begin in."""


def crossings(blocks: Iterable[bytes], dialect: Dialect) -> Table:
    """Return the table of a part, which is read once."""
    readers = [Outside(dialect, State.numbered(number)) for number in range(dialect.states)]
    ends, last = [0] * len(readers), [False] * len(readers)
    for block in blocks:
        for number, reader in enumerate(readers):
            view = reader.view(block)
            ends[number] += view.count(b"\n")
            last[number] = view.endswith(b"\n")
    return tuple(map(Crossing, (reader.state.number for reader in readers), ends, last))


class Start(NamedTuple):
    """How a task's range begins: in which state, and whether a record begins with its first byte."""

    state: State
    begins: bool

    def encoded(self) -> str:
        """Return the start as one hexadecimal digit."""
        return f"{self.state.number + 4 * self.begins:x}"

    @classmethod
    def decoded(cls, digit: str) -> "Start":
        """Return the start of a digit."""
        number = int(digit, 16)
        return cls(State.numbered(number), bool(number & 4))


def starts(tables: Sequence[Table]) -> tuple[list[Start], State, int]:
    """Return how each part begins, the state in which the last one ends, and how many newlines end records."""
    found, start, ends = [], Start(State(), begins=True), 0
    for table in tables:
        found.append(start)
        crossing = table[start.state.number]
        start = Start(State.numbered(crossing.state), crossing.last)
        ends += crossing.ends
    return found, start.state, ends
