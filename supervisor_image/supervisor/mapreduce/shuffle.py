"""Sort the pairs of a map task by partition and key, on the disk where they are more than fits into memory."""

import zlib
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import IO, NamedTuple

from supervisor.mapreduce.blocks import Batches, Block, BlockWriter, Spool, located, merged
from supervisor.mapreduce.pairs import key_of, times

_PER_LINE = 58  # bytes that Python takes for a text and its place in a list, beside its characters
_PER_COUNT = 220  # bytes for a text, its place in a dictionary, and the counted line that is made of them
_JUDGED = 50_000  # pairs after which it is clear whether they repeat
_BATCH = 20_000  # pairs that are written at once
_FEWEST_PAIRS = 16  # in a block of a range
_LARGEST_PIECE = 1 << 22  # characters
_COPIED = 1 << 20  # bytes

Flush = Callable[[list[str], bool], None]
"""Takes sorted pairs, and whether they are counted."""


class Buffer:
    """Holds pairs until they take so many bytes of memory, and gives them away sorted.

    Pairs that repeat are counted, so that the sort and all that follows see each of them once.
    """

    def __init__(self, budget: int, flush: Flush) -> None:
        self._budget, self._flush = budget, flush
        self._start()

    def _start(self) -> None:
        self._counts: Counter[str] = Counter()
        self._pairs: list[str] = []
        self._counting = True
        self._characters = self._total = 0

    def add(self, pairs: list[str], characters: int) -> Iterable[str]:
        """Take pairs, of so many characters, and return those that are new."""
        if self._size() > self._budget:
            self.drain()
        if not self._counting:
            self._pairs += pairs
            self._characters += characters
            return pairs
        before = len(self._counts)
        self._counts.update(pairs)
        self._total += len(pairs)
        new = list(islice(reversed(self._counts), len(self._counts) - before))  # a dictionary keeps its order
        self._characters += characters * len(new) // max(1, len(pairs))
        if self._total >= _JUDGED and len(self._counts) > self._total // 2:
            self._stop_counting()
        return new

    def _size(self) -> int:
        return self._characters + _PER_LINE * len(self._pairs) + _PER_COUNT * len(self._counts)

    def drain(self) -> None:
        """Give everything away."""
        if self._counting and len(self._counts) > self._total // 2:
            self._stop_counting()
        counting, counts, pairs = self._counting, self._counts, self._pairs
        self._start()
        if counting:
            pairs = [f"{pair}\t{count}" for pair, count in counts.items()]
        if pairs:
            pairs.sort()
            self._flush(pairs, counting)

    def _stop_counting(self) -> None:
        self._pairs = list(self._counts.elements())
        self._characters = sum(map(len, self._pairs))
        self._counts = Counter()
        self._counting = False


class Layout(NamedTuple):
    """How a task's pairs are laid out: by the hash of their key, or (0) in order, in so many blocks."""

    partitions: int
    blocks: int = 0


class Sorter:
    """Sorts the pairs of a task into one file of blocks."""

    def __init__(self, folder: str, layout: Layout, budget: int) -> None:
        self._folder, self._layout, self._budget = folder, layout, budget
        self._buffer = Buffer(budget, self._spill)
        self._spills: list[tuple[Spool, list[Block]]] = []
        self._pairs = 0

    def add(self, pairs: list[str], characters: int) -> Iterable[str]:
        """Take pairs, of so many characters, and return those that are new."""
        self._pairs += len(pairs)
        return self._buffer.add(pairs, characters)

    def write(self, path: str) -> list[Block]:
        """Write all pairs to the file, and return its blocks."""
        self._buffer.drain()
        with open(path, "wb") as file:
            if len(self._spills) == 1 and self._layout.partitions:
                return self._copy(file)
            writer = BlockWriter(file.write)
            sources = [one for spool, blocks in self._spills for one in located(spool, blocks)]
            for partition in range(max(1, self._layout.partitions)):
                own = [source for source in sources if source.block.partition == partition]
                batches, counted = merged(own, self._folder, self._budget)
                self._write_partition(writer, partition, batches, counted=counted)
        return writer.blocks

    def pairs(self) -> tuple[Batches, bool]:
        """Return all pairs in order, whatever their partition, and whether they are counted."""
        self._buffer.drain()
        sources = [one for spool, blocks in self._spills for one in located(spool, blocks)]
        return merged(sources, self._folder, self._budget)

    def _copy(self, file: IO[bytes]) -> list[Block]:
        spool, blocks = self._spills[0]
        length, at = sum(block.length for block in blocks), 0
        while at < length:
            at += file.write(spool.read(at, _COPIED))
        return blocks

    def _write_partition(self, writer: BlockWriter, partition: int, batches: Batches, *, counted: bool) -> None:
        if self._layout.partitions:
            writer.write(partition, batches, counted=counted)
            return
        pairs = max(_FEWEST_PAIRS, self._pairs // self._layout.blocks)
        for piece in _pieces(batches, pairs, counted=counted):
            writer.write(0, [piece], counted=counted, first=key_of(piece[0]))

    def _spill(self, pairs: list[str], counted: bool) -> None:
        spool = Spool(self._folder)
        writer = BlockWriter(spool.write)
        parts = by_hash(pairs, self._layout.partitions) if self._layout.partitions > 1 else [pairs]
        for partition, part in enumerate(parts):
            writer.write(partition, _batched(part), counted=counted)
        self._spills.append((spool, writer.blocks))


def by_hash(pairs: list[str], partitions: int) -> list[list[str]]:
    """Return sorted pairs by the partition of their key, still in order."""
    parts: list[list[str]] = [[] for _ in range(partitions)]
    begin, end = 0, len(pairs)
    while begin < end:
        key = key_of(pairs[begin])
        after = begin + 1
        if after < end and pairs[after].startswith(f"{key}\t"):
            # The character after a tab is the newline, which no pair has.
            after = bisect_left(pairs, f"{key}\n", after)
        part = parts[partition_of(key, partitions)]
        if after == begin + 1:
            part.append(pairs[begin])
        else:
            part += pairs[begin:after]
        begin = after
    return parts


def partition_of(key: str, partitions: int) -> int:
    """Return the partition of a key: the same on every machine."""
    return zlib.crc32(key.encode("latin-1")) % partitions


def _batched(pairs: list[str]) -> Iterator[list[str]]:
    for begin in range(0, len(pairs), _BATCH):
        yield pairs[begin : begin + _BATCH]


def _pieces(batches: Iterable[list[str]], pairs: int, *, counted: bool) -> Iterator[list[str]]:
    """Yield sorted pairs in pieces of about so many, and of a size that fits into memory."""
    held: list[str] = []
    weight = characters = 0
    for batch in batches:
        for entry in batch:
            held.append(entry)
            weight += times(entry) if counted else 1
            characters += len(entry)
            if weight >= pairs or characters >= _LARGEST_PIECE:
                yield held
                held, weight, characters = [], 0, 0
    if held:
        yield held
