"""Map one range of the input: its records to a file, the mapper on it, its pairs sorted into one object."""

import contextlib
import os
import time
from collections.abc import Callable
from typing import Any

from supervisor import files, runs
from supervisor.errors import BadPair, BadRecord, ScriptTimedOut
from supervisor.files import Workspace
from supervisor.mapreduce.attempts import Attempt, disk_watched
from supervisor.mapreduce.blocks import Block
from supervisor.mapreduce.objects import Bucket
from supervisor.mapreduce.pairs import PairReader, contract, printed
from supervisor.mapreduce.programs import PairSink, Program
from supervisor.mapreduce.records import RecordReader
from supervisor.mapreduce.run import provider_of
from supervisor.mapreduce.settings import sort_budget
from supervisor.mapreduce.shuffle import Layout, Sorter

_SAMPLED = 40_000  # blocks of all tasks together, whose first keys are the sample that divides a range
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_FEWEST_BLOCKS, _MOST_BLOCKS = 8, 256


def run_map(attempt: Attempt) -> dict[str, Any]:
    """Do the task unless it is done, and return its manifest."""
    if done := attempt.work.find(attempt.manifest):
        attempt.call.log.info(f"map task {attempt.task} is done already")
        return dict(done)
    with files.workspace(attempt.call.log) as space, disk_watched():
        return _Map(attempt, space).run()


class _Map:
    """One attempt at a map task, in its folders."""

    def __init__(self, attempt: Attempt, space: Workspace) -> None:
        self._attempt, self._call, self._space = attempt, attempt.call, space
        self._place = attempt.plan.range(attempt.task)
        self._range = f"{self._place.start}-{max(self._place.start, self._place.end - 1)}"
        self._path = f"{space.input}/{files.file_name(attempt.plan.run.key)}"
        self._budget = sort_budget(attempt.call.settings, attempt.call.function.environment)

    def run(self) -> dict[str, Any]:
        """Read, map, sort and store; return the manifest that counts."""
        counts = self._read()
        blocks: list[Block] = []
        pairs = {"pairs_in": 0, "pairs_out": 0, "bad_pairs": 0}
        path = f"{self._space.temporary}.pairs"
        if counts["records"]:
            blocks, pairs = self._mapped(path)
        name = f"d/{self._attempt.task:05d}-{self._attempt.name}"
        if blocks:
            self._attempt.work.bucket.put_file(self._attempt.work.key(name), path)
        manifest = {**counts, **pairs, "data": name if blocks else None, "blocks": blocks}
        return self._attempt.settle(manifest, [name] if blocks else [])

    def _read(self) -> dict[str, int]:
        """Write the records of the task to the mapper's file, and return what was counted."""
        run, late = self._attempt.plan.run, ScriptTimedOut("reading the input took all the time; raise the timeout")
        bucket = Bucket(
            self._call.function.storages,
            provider_of(self._call.function, run.bucket, run.key),
            run.bucket,
        )
        source = bucket.pinned(run.key, run.etag, run.version)
        with (
            runs.raise_at(runs.latest_end(self._call.function, self._call.context), late),
            open(self._path, "wb") as file,
        ):
            if is_whole(self._call.settings.format, run.key):
                for block in source.read(0, run.size):
                    file.write(block)
                return {"records": 1 if run.size else 0, "bytes": run.size, "header": 0}
            return self._read_records(RecordReader(source.read, self._place, self._call.settings.rules), file.write)

    def _read_records(self, reader: RecordReader, write: Callable[[bytes], object]) -> dict[str, int]:
        try:
            for block in reader.blocks():
                write(block)
        except BadRecord as error:
            raise BadRecord(f"{self._attempt.plan.run.uri}: {error}") from error
        return {"records": reader.records, "bytes": reader.length, "header": reader.header}

    def _mapped(self, path: str) -> tuple[list[Block], dict[str, int]]:
        """Run the mapper and the combiner, and write their sorted pairs to the file."""
        settings, plan = self._call.settings, self._attempt.plan
        combines = settings.combiner != "none" and settings.pairs != "marla"
        blocks = max(_FEWEST_BLOCKS, min(_MOST_BLOCKS, _SAMPLED // max(1, plan.map_count)))
        layout = Layout(0, blocks) if settings.partition == "range" else Layout(plan.reduce_count)
        sorter = Sorter(self._space.root, layout, self._budget)
        raw = Sorter(self._space.root, Layout(1), self._budget) if combines else sorter
        reader, second = self._reader("the mapper", raw), self._reader("the combiner", sorter)
        self._map(PairSink(reader))
        if combines and reader.good:
            self._combine(raw, PairSink(second))
        found = sorter.write(path)
        pairs_out = sum(block.pairs for block in found)
        return found, {"pairs_in": reader.good, "pairs_out": pairs_out, "bad_pairs": reader.bad + second.bad}

    def _map(self, sink: PairSink) -> None:
        started = time.monotonic()
        try:
            self._program().map({**self._variables(), "INPUT_FILE_PATH": self._path}, sink)
            sink.close()
        except BadPair as error:
            raise self._placed(error) from error
        with contextlib.suppress(FileNotFoundError):  # a mapper may remove it itself
            os.unlink(self._path)
        if any(files.output_files(self._space.output, self._call.log)):
            self._call.log.warning("the mapper wrote files to its output folder: only reducers' are kept")
        self._call.log.info(f"mapped bytes {self._range} in {time.monotonic() - started:.3f} s")

    def _combine(self, raw: Sorter, sink: PairSink) -> None:
        pairs, counted = raw.pairs()
        feed = printed(pairs, contract(self._call.settings.pairs), counted=counted)
        try:
            self._program().combine(self._variables(), feed, sink)
            sink.close()
        except BadPair as error:
            raise self._placed(error) from error

    def _placed(self, error: BadPair) -> BadPair:
        return BadPair(f"{self._attempt.plan.run.uri} bytes {self._range}: {error}")

    def _reader(self, program: str, sorter: Sorter) -> PairReader:
        settings = self._call.settings
        return PairReader(contract(settings.pairs), program, sorter.add, skip=settings.skip_bad_pairs)

    def _program(self) -> Program:
        return Program(self._call, self._space)

    def _variables(self) -> dict[str, str]:
        own = {"MAPREDUCE_TASK": str(self._attempt.task), "MAPREDUCE_RANGE": self._range}
        return {**self._attempt.variables, **own}


def is_whole(form: str, key: str) -> bool:
    """Return whether an input cannot be split: a mapper gets all of it as it is."""
    return form == "whole" or key.lower().endswith(_COMPRESSED)
