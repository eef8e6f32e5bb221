"""Reduce one partition: its blocks of all map tasks, merged, through the reducer into the work bucket."""

import os
import re
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import Any, NamedTuple, TypeVar

from supervisor import files, runs
from supervisor.errors import InputFailed, ScriptFailed, ScriptTimedOut, SumsDiffer
from supervisor.files import Workspace
from supervisor.mapreduce.attempts import KINDS, Attempt, disk_watched
from supervisor.mapreduce.blocks import Batches, Block, Spool, located, merged
from supervisor.mapreduce.objects import side_by_side
from supervisor.mapreduce.pairs import contract, key_of, printed, times
from supervisor.mapreduce.programs import FileSink, Program
from supervisor.mapreduce.run import Work
from supervisor.mapreduce.settings import sort_budget

_TAB = "\t"
Kept = TypeVar("Kept")
RESERVED = re.compile(r"part-\d{5,}|_SUCCESS|_FAILED|_COMMITTING")
"""Names that the reducer's own files cannot have."""


def run_reduce(attempt: Attempt) -> dict[str, Any]:
    """Do the task unless it is done, and return its manifest."""
    if done := attempt.work.find(attempt.manifest):
        attempt.call.log.info(f"reduce task {attempt.task} is done already")
        return dict(done)
    with files.workspace(attempt.call.log) as space, disk_watched():
        return _Reduce(attempt, space).run()


def manifests(work: Work, stage: str, count: int, keep: Callable[[dict[str, Any]], Kept]) -> list[Kept]:
    """Return what is kept of the manifests of all tasks of a stage, in their order.

    Raises SumsDiffer where one is missing.
    """
    folder = f"{KINDS[stage]}/"
    names = work.names(folder)
    if len(names) != count:
        raise SumsDiffer(f"{len(names)} of {count} {stage} tasks have a manifest in {work.bucket.name}/{work.folder}")
    return side_by_side(lambda name: keep(dict(work.read(folder + name))), names)


class Piece(NamedTuple):
    """A block of a map task's object."""

    data: str
    offset: int
    block: Block


class Bounds(NamedTuple):
    """The keys of a partition of a range: from the first one up to, but without, the second one; None is no bound."""

    low: str | None
    high: str | None

    def overlap(self, first: str, following: str | None) -> bool:
        """Return whether a block can have such keys, from its first key and that of the task's next block."""
        # Keys are compared as lines are sorted: with the tab that ends them.
        before = self.high is None or first + _TAB < self.high + _TAB
        after = self.low is None or following is None or following + _TAB >= self.low + _TAB
        return before and after

    def cut(self, batches: Batches) -> Batches:
        """Yield the pairs with such keys."""
        for batch in batches:
            begin = 0 if self.low is None else bisect_left(batch, self.low + _TAB)
            end = len(batch) if self.high is None else bisect_left(batch, self.high + _TAB)
            if begin < end:
                yield batch[begin:end]


def bounds(blocks: Iterable[Block], partitions: int, partition: int) -> Bounds:
    """Return the keys of a partition, so that all partitions have about as many pairs.

    Every reducer computes the same from the first keys of all blocks, which are a sample of the pairs.
    """
    ordered = sorted(((block.first, block.pairs) for block in blocks), key=lambda found: found[0] + _TAB)
    totals = list(accumulate((pairs for _, pairs in ordered), initial=0))
    edges: list[str] = []
    for number in range(1, partitions):
        wanted = totals[-1] * number / partitions
        place = next((at for at, total in enumerate(totals) if total >= wanted), 0)
        edges.append(ordered[min(place, len(ordered) - 1)][0] if ordered else "")
    low = edges[partition - 1] if partition else None
    high = edges[partition] if partition < partitions - 1 else None
    return Bounds(low, high)


def _pieces(manifest: dict[str, Any]) -> list[Piece]:
    """Return all blocks of a map task."""
    blocks = [Block(*block) for block in manifest["blocks"]]
    offsets = accumulate((block.length for block in blocks), initial=0)
    return [Piece(manifest["data"], offset, block) for offset, block in zip(offsets, blocks, strict=False)]


def _of_bounds(pieces: list[Piece], own: Bounds) -> list[Piece]:
    following = [*(piece.block.first for piece in pieces[1:]), None]
    return [piece for piece, after in zip(pieces, following, strict=False) if own.overlap(piece.block.first, after)]


class _Reduce:
    """One attempt at a reduce task, in its folders."""

    def __init__(self, attempt: Attempt, space: Workspace) -> None:
        self._attempt, self._space = attempt, space
        self._budget = sort_budget(attempt.call.settings, attempt.call.function.environment)
        self._bounds: Bounds | None = None

    def run(self) -> dict[str, Any]:
        """Fetch, merge, reduce and store; return the manifest that counts."""
        late = ScriptTimedOut("fetching the pairs took all the time; raise the timeout")
        with runs.raise_at(runs.latest_end(self._attempt.call.function, self._attempt.call.context), late):
            pieces = self._pieces()
            spool = self._fetched(pieces)
        batches, counted = merged(located(spool, [piece.block for piece in pieces]), self._space.root, self._budget)
        pairs = _Counted(self._bounds.cut(batches) if self._bounds else batches, counted=counted)
        path = f"{self._space.temporary}.part"
        self._reduce(pairs, path, counted=counted)
        stored = sum(piece.block.pairs for piece in pieces)
        if self._bounds is None and pairs.count != stored:
            raise SumsDiffer(f"partition {self._attempt.task}: {stored} pairs were stored, {pairs.count} were read")
        return self._store(path, pairs)

    def _pieces(self) -> list[Piece]:
        plan, task, work = self._attempt.plan, self._attempt.task, self._attempt.work
        if self._attempt.call.settings.partition == "range":
            every = manifests(work, "map", plan.map_count, _pieces)
            own = bounds((piece.block for pieces in every for piece in pieces), plan.reduce_count, task)
            self._bounds = own
            return [piece for pieces in every for piece in _of_bounds(pieces, own)]

        def of_partition(manifest: dict[str, Any]) -> list[Piece]:
            return [piece for piece in _pieces(manifest) if piece.block.partition == task]

        return [piece for some in manifests(work, "map", plan.map_count, of_partition) for piece in some]

    def _fetched(self, pieces: list[Piece]) -> Spool:
        """Return a spool with all blocks, one after the other."""
        spool = Spool(self._space.root)
        places = accumulate((piece.block.length for piece in pieces), initial=0)
        side_by_side(lambda one: self._fetch(one[0], spool, one[1]), list(zip(pieces, places, strict=False)))
        return spool

    def _fetch(self, piece: Piece, spool: Spool, place: int) -> None:
        work, crc = self._attempt.work, 0
        source = work.bucket.pinned(work.key(piece.data))
        for data in source.read(piece.offset, piece.offset + piece.block.length):
            spool.place(place, data)
            place, crc = place + len(data), zlib.crc32(data, crc)
        if crc != piece.block.crc:
            raise InputFailed(
                f"{source.name}: arrives damaged: its checksum is {crc}, not {piece.block.crc}; try again"
            )

    def _reduce(self, pairs: "_Counted", path: str, *, counted: bool) -> None:
        attempt, sink = self._attempt, FileSink(path)
        own = {"MAPREDUCE_PARTITION": str(attempt.task), "MAPREDUCE_PARTITIONS": str(attempt.plan.reduce_count)}
        program = Program(attempt.call, self._space)
        feed = printed(pairs, contract(attempt.call.settings.pairs), counted=counted)
        try:
            program.reduce({**attempt.variables, "MAPREDUCE_TASK": str(attempt.task), **own}, feed, sink)
        finally:
            sink.close()
        for _ in pairs:  # a reducer may end before it has read everything
            pass

    def _store(self, path: str, pairs: "_Counted") -> dict[str, Any]:
        attempt = self._attempt
        folder = f"o/{attempt.task:05d}-{attempt.name}/"
        found = [(f"part-{attempt.task:05d}", path, os.path.getsize(path))]
        for name, size in sorted(files.output_files(self._space.output, attempt.call.log)):
            if RESERVED.fullmatch(name):
                raise ScriptFailed(f"the reducer wrote {name} to its output folder; choose another name")
            found.append((name, f"{self._space.output}/{name}", size))
        for name, file, _ in found:
            attempt.work.bucket.put_file(attempt.work.key(folder + name), file)
        manifest = {
            "partition": attempt.task,
            "pairs_in": pairs.count,
            "heaviest_key": pairs.heaviest,
            "output_bytes": sum(size for _, _, size in found),
            "folder": folder,
            "files": [[name, size] for name, _, size in found],
        }
        return attempt.settle(manifest, [folder + name for name, _, _ in found])


class _Counted:
    """Counts the pairs that pass, and finds the key that has most of them, if one stands out."""

    def __init__(self, batches: Batches, *, counted: bool) -> None:
        self.count = 0
        self.heaviest = ("", 0)
        self._key, self._pairs = "", 0
        self._batches, self._counted = batches, counted

    def __iter__(self) -> Batches:
        return self

    def __next__(self) -> list[str]:
        batch = next(self._batches)
        counts = list(map(times, batch)) if self._counted else None
        self.count += sum(counts) if counts else len(batch)
        # A key with more than half of the pairs has the one in the middle, or the one that was printed most often.
        likely = counts.index(max(counts)) if counts else len(batch) // 2
        key = key_of(batch[likely])
        begin, end = bisect_left(batch, f"{key}\t"), bisect_left(batch, f"{key}\n")
        weight = sum(counts[begin:end]) if counts else end - begin
        self._key, self._pairs = key, weight + (self._pairs if key == self._key else 0)
        self.heaviest = max(self.heaviest, (self._key, self._pairs), key=lambda found: found[1])
        return batch
