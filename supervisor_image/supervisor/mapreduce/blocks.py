"""Sorted pairs in compressed blocks of a file, and the merge of many blocks into one sorted sequence."""

import os
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from supervisor.mapreduce.pairs import times

_LEVEL = 1
_READ = 1 << 16  # bytes
_AT_ONCE = 64
"""Blocks that are merged at once; more are merged in passes."""
_SMALLEST_BATCH, _LARGEST_BATCH = 1 << 13, 1 << 19  # characters
_OVERHEAD = 8
"""Memory of a batch's lines, as a multiple of their characters, for lines of about ten."""

Batches = Iterator[list[str]]
"""Sorted pairs, some at a time."""


class Block(NamedTuple):
    """A block of sorted pairs of one partition. `first` is the first key, where a run is partitioned by range.

    `crc` is the CRC-32 of the compressed bytes. zlib computes it at memory speed; CRC-32C has no fast implementation in
    Python's standard library.
    """

    partition: int
    length: int
    pairs: int
    crc: int
    counted: bool
    first: str = ""


class Spool:
    """A file without a name, which goes when nobody uses it any more."""

    def __init__(self, folder: str) -> None:
        path = f"{folder}/pairs-{os.urandom(8).hex()}"
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        os.unlink(path)

    def __del__(self) -> None:
        os.close(self._descriptor)

    def write(self, data: bytes) -> int:
        """Write all of it at the end, and return its length."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]
        return len(data)

    def place(self, offset: int, data: bytes) -> None:
        """Write all of it at that place."""
        left = memoryview(data)
        while left:
            done = os.pwrite(self._descriptor, left, offset)
            left, offset = left[done:], offset + done

    def read(self, offset: int, length: int) -> bytes:
        """Return so many bytes from that place on, or as many as there are."""
        return os.pread(self._descriptor, length, offset)


class Source(NamedTuple):
    """Where a block lies."""

    spool: Spool
    offset: int
    block: Block


class BlockWriter:
    """Writes blocks one after the other."""

    def __init__(self, write: Callable[[bytes], int]) -> None:
        self.blocks: list[Block] = []
        self._write = write

    def write(self, partition: int, batches: Iterable[list[str]], *, counted: bool, first: str = "") -> None:
        """Write a block, unless it has no pairs."""
        packer, length, crc, pairs = zlib.compressobj(_LEVEL), 0, 0, 0
        for batch in batches:
            if not batch:
                continue
            pairs += sum(map(times, batch)) if counted else len(batch)
            packed = packer.compress(("\n".join(batch) + "\n").encode("latin-1"))
            length, crc = length + self._write(packed), zlib.crc32(packed, crc)
        if not pairs:
            return
        packed = packer.flush()
        length, crc = length + self._write(packed), zlib.crc32(packed, crc)
        self.blocks.append(Block(partition, length, pairs, crc, counted, first))


def located(spool: Spool, blocks: Iterable[Block]) -> list[Source]:
    """Return the places of blocks that lie one after the other in a spool."""
    found, offset = [], 0
    for block in blocks:
        found.append(Source(spool, offset, block))
        offset += block.length
    return found


def merged(sources: Sequence[Source], folder: str, budget: int) -> tuple[Batches, bool]:
    """Return the pairs of all blocks in order, and whether they are counted; use about so many bytes of memory."""
    counted = any(source.block.counted for source in sources)
    while len(sources) > _AT_ONCE:
        some = [sources[first : first + _AT_ONCE] for first in range(0, len(sources), _AT_ONCE)]
        sources = [one for group in some for one in _pass(group, folder, budget)]
    return _merged(sources, budget, counted=counted), counted


def _pass(sources: Sequence[Source], folder: str, budget: int) -> list[Source]:
    counted = any(source.block.counted for source in sources)
    spool = Spool(folder)
    writer = BlockWriter(spool.write)
    writer.write(0, _merged(sources, budget, counted=counted), counted=counted)
    return located(spool, writer.blocks)


def _merged(sources: Sequence[Source], budget: int, *, counted: bool) -> Batches:
    share = budget // _OVERHEAD // max(1, len(sources))
    size = max(_SMALLEST_BATCH, min(_LARGEST_BATCH, share))
    return merge([_batches(source, size, counted=counted) for source in sources])


def _batches(source: Source, size: int, *, counted: bool) -> Batches:
    """Yield the pairs of a block, counted if the others are."""
    for batch in unpacked(_compressed(source), size):
        yield [f"{line}\t1" for line in batch] if counted and not source.block.counted else batch


def _compressed(source: Source) -> Iterator[bytes]:
    at, end = source.offset, source.offset + source.block.length
    while at < end:
        piece = source.spool.read(at, min(_READ, end - at))
        if not piece:
            raise EOFError("a file of sorted pairs ends too soon")
        at += len(piece)
        yield piece


def unpacked(compressed: Iterable[bytes], size: int) -> Batches:
    """Yield the pairs of a compressed block, about so many characters at a time."""
    packed, rest = zlib.decompressobj(), ""
    for piece in compressed:
        left = piece
        while left:
            text = rest + packed.decompress(left, size).decode("latin-1")
            left = packed.unconsumed_tail
            whole, newline, rest = text.rpartition("\n")
            if newline:
                yield whole.split("\n")
    text = rest + packed.flush().decode("latin-1")
    if text:
        yield text.removesuffix("\n").split("\n")


class _Head:
    """The batch in hand of one of the sequences that are merged, from `at` on."""

    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self.batch: list[str] = []
        self.at = 0

    def fill(self) -> bool:
        """Get the next batch where this one is used up; return whether there is any."""
        while self.at == len(self.batch):
            found = next(self._batches, None)
            if found is None:
                return False
            self.batch, self.at = found, 0
        return True

    def take(self, bound: str) -> list[str]:
        """Return what is not greater than the bound."""
        begin, self.at = self.at, bisect_right(self.batch, bound, self.at)
        return self.batch[begin : self.at]


def merge(sequences: Iterable[Batches]) -> Batches:
    """Yield the lines of sorted sequences in order.

    All that is not greater than the least of the batches' last lines is sorted at once: Python's sort merges what is in
    order already, in C, where a heap would take Python's time for each line.
    """
    heads = [head for head in map(_Head, sequences) if head.fill()]
    while len(heads) > 1:
        bound = min(head.batch[-1] for head in heads)
        found: list[str] = []
        for head in heads:
            found += head.take(bound)
        found.sort()
        yield found
        heads = [head for head in heads if head.fill()]
    for head in heads:
        while head.fill():
            yield head.batch[head.at :]
            head.at = len(head.batch)
