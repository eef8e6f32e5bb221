"""What scripts print and read: `key⇥value` lines, or JSON arrays of two. In between, every pair is one line of text.

That line is the key, a tab and the value, as text with a letter for each byte (Latin-1): comparing, counting and
sorting such text is faster than with bytes, and gives the order of the bytes. A JSON key is held so that it has
neither tab nor newline. In counted lines a last tab precedes how often the pair was printed.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from supervisor.errors import BadPair

_SHOWN = 200  # characters of a line that is no pair
_WRITTEN_AT_ONCE = 1 << 20  # characters
_DECODER = json.JSONDecoder()
_REMEMBERED = 1 << 16  # lines whose pairs are known


Take = Callable[[list[str], int], Iterable[str]]
"""Takes pairs, of so many characters, and returns those among them that it has not seen before."""


class Contract(Protocol):
    """How pairs are printed."""

    def pair(self, line: str) -> str:
        """Return the pair of a printed line. Raises ValueError."""
        ...

    def printed(self, pair: str) -> str:
        """Return the line of a pair."""
        ...


class Text:
    """Lines with a tab between key and value; only the first tab counts."""

    def pair(self, line: str) -> str:
        """Return the pair of a printed line. Raises ValueError."""
        if "\t" not in line:
            raise ValueError("has no tab between key and value")
        return line

    def printed(self, pair: str) -> str:
        """Return the line of a pair."""
        return pair


class Json:
    """Lines with a JSON array of a key, which is text, and a value."""

    def __init__(self) -> None:
        # A key and how it is printed: pairs of a key follow one another.
        self._last: tuple[str | None, str] = (None, "")

    def pair(self, line: str) -> str:
        """Return the pair of a printed line. Raises ValueError."""
        text = _decoded(line)
        found = json.loads(text)
        if not isinstance(found, list) or len(found) != 2 or not isinstance(found[0], str):
            raise ValueError('is no JSON array of two with a text first: ["key", value]')
        key, end = _DECODER.raw_decode(text, text.index('"'))
        held = key.encode("utf-8", "surrogatepass").decode("latin-1")
        return f"{_LOW.sub(_held_low, held)}\t{_encoded(text[end:].strip()[1:-1].strip())}"

    def printed(self, pair: str) -> str:
        """Return the line of a pair."""
        held, _, value = pair.partition("\t")
        if held != self._last[0]:
            key = _HELD_LOW.sub(_low, held).encode("latin-1").decode("utf-8", "surrogatepass")
            self._last = (held, _encoded(json.dumps(key, ensure_ascii=False)))
        return f"[{self._last[1]}, {value}]"


# Letters up to the escape itself are held as the escape and a letter that is in the same order: so keys have neither
# tab nor newline, and all their letters come after the tab that ends them.
_ESCAPE = "\x0b"
_LOW = re.compile("[\x00-\x0b]")
_HELD_LOW = re.compile(f"{_ESCAPE}(.)")


def _held_low(found: re.Match[str]) -> str:
    return f"{_ESCAPE}{chr(ord(found[0]) + ord('0'))}"


def _low(found: re.Match[str]) -> str:
    return chr(ord(found[1]) - ord("0"))


def contract(pairs: str) -> Contract:
    """Return the contract of that name; MARLA's functions are called by a program that prints JSON."""
    return Text() if pairs == "text" else Json()


def _decoded(line: str) -> str:
    try:
        return line.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise ValueError("is not UTF-8") from error


def _encoded(text: str) -> str:
    # A lone surrogate, which JSON can spell and UTF-8 cannot, is spelled as in JSON again.
    return text.encode("utf-8", "backslashreplace").decode("latin-1")


class PairReader:
    """Reads what a program prints into pairs; lines that are none fail the task, or are left out and counted."""

    def __init__(self, of: Contract, program: str, take: Take, *, skip: bool) -> None:
        self.bad = self.good = 0
        self._contract, self._program, self._take, self._skip = of, program, take, skip
        self._known: dict[str, str] = {}
        self._at_once = isinstance(of, Text) and not skip

    def read(self, lines: list[str], characters: int) -> None:
        """Pass the pairs of lines on. Raises BadPair."""
        if not self._at_once:
            pairs = self._one_by_one(lines)
            self._take(pairs, characters)
            self.good += len(pairs)
            return
        bad = [line for line in self._take(lines, characters) if "\t" not in line]
        if bad:
            first = min(map(lines.index, bad))
            self._pair(lines[first], first)
        self.good += len(lines)

    def _one_by_one(self, lines: list[str]) -> list[str]:
        known, found = self._known, []
        if len(known) > _REMEMBERED:
            known.clear()
        for number, line in enumerate(lines):
            pair = known.get(line)
            if pair is None:
                pair = self._pair(line, number)
                if pair is None:
                    continue
                known[line] = pair
            found.append(pair)
        return found

    def _pair(self, line: str, number: int) -> str | None:
        """Return the pair of a line, the one of that number among those in hand."""
        try:
            return self._contract.pair(line)
        except (ValueError, RecursionError) as error:
            if self._skip:
                self.bad += 1
                return None
            shown = line[:_SHOWN].encode("latin-1").decode("utf-8", "replace")
            place = f"line {self.good + number + 1} of what {self._program} printed"
            raise BadPair(f"{place} {error}: {shown!r}") from error


def key_of(pair: str) -> str:
    """Return the key of a pair."""
    return pair[: pair.index("\t")]


def times(counted: str) -> int:
    """Return how often a counted pair was printed."""
    return int(counted[counted.rindex("\t") + 1 :])


def printed(batches: Iterable[list[str]], of: Contract, *, counted: bool) -> Iterator[bytes]:
    """Yield the lines of sorted pairs, as a program reads them."""
    for batch in batches:
        if counted:
            yield from _repeated(batch, of)
        elif batch:
            lines = batch if isinstance(of, Text) else map(of.printed, batch)
            yield ("\n".join(lines) + "\n").encode("latin-1")


def _repeated(batch: list[str], of: Contract) -> Iterator[bytes]:
    held: list[str] = []
    size = 0
    for entry in batch:
        pair, _, count = entry.rpartition("\t")
        line, left = f"{of.printed(pair)}\n", int(count)
        at_once = max(1, _WRITTEN_AT_ONCE // len(line))
        while left:
            part = min(left, at_once)
            held.append(line * part)
            size, left = size + part * len(line), left - part
            if size >= _WRITTEN_AT_ONCE:
                yield "".join(held).encode("latin-1")
                held, size = [], 0
    if held:
        yield "".join(held).encode("latin-1")
