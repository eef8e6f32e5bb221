"""Publish a run whose sums are right, or say why it failed; a failed run leaves the previous result as it was."""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from supervisor import runs
from supervisor.disk import TMP
from supervisor.errors import InputChanged, InputFailed, OutputFailed, SumsDiffer, SupervisorError
from supervisor.function import Function
from supervisor.limits import LAMBDA_LONGEST_TIMEOUT
from supervisor.mapreduce.attempts import Call
from supervisor.mapreduce.objects import Bucket, side_by_side
from supervisor.mapreduce.reduce_stage import manifests
from supervisor.mapreduce.run import Plan, Run, Work, as_json, output_of, provider_of

SUCCESS, FAILED, COMMITTING = "_SUCCESS", "_FAILED", "_COMMITTING"
_SHOWN_FAILURES = 20
_SHOWN_KEY = 100  # characters
_MANY_PAIRS = 1000
_PUBLISHED_IN = LAMBDA_LONGEST_TIMEOUT  # seconds; a commit that began earlier has ended
_LOOK = 1.0  # seconds between looks whether another run is published
Manifest = Mapping[str, Any]


class Published(NamedTuple):
    """A file of a reducer: where it is, and the name that it gets."""

    name: str
    source: str
    size: int


def commit(call: Call, work: Work) -> dict[str, Any]:
    """Publish the run unless it is published, and return the content of _SUCCESS. Raises SumsDiffer."""
    function, _, _, log = call
    plan = work.plan()
    output = Bucket(function.storages, plan.output_provider, plan.output_bucket)
    earlier = marker(output, plan.output_prefix + SUCCESS)
    if earlier.get("run") == plan.run.run:
        log.info("this run is published already")
        return earlier
    mapped = manifests(work, "map", plan.map_count, _without_blocks)
    reduced = manifests(work, "reduce", plan.reduce_count, dict) if plan.map_count else []
    check_sums(plan, mapped, reduced)
    files = published(reduced)
    _Publication(call, work, output, plan).publish(files)
    success = _success(plan, mapped, reduced, files)
    output.put(plan.output_prefix + SUCCESS, as_json(success))
    output.delete(plan.output_prefix + COMMITTING)
    log.info(f"published {len(files)} files in {output.name}/{plan.output_prefix}")
    return success


def _without_blocks(manifest: dict[str, Any]) -> Manifest:
    return {name: value for name, value in manifest.items() if name != "blocks"}


def check_sums(plan: Plan, mapped: Sequence[Manifest], reduced: Sequence[Manifest]) -> None:
    """Raise SumsDiffer, with both numbers, where anything was lost or doubled."""
    sums = [
        ("bytes of the input", plan.run.size, "read as records and header", _sum(mapped, "bytes", "header")),
        ("pairs out of the map tasks", _sum(mapped, "pairs_out"), "into the reducers", _sum(reduced, "pairs_in")),
    ]
    if plan.records is not None:
        read = _sum(mapped, "records")
        sums.append(("records of the input", plan.records, "mapped", read))
    for what, wanted, where, found in sums:
        if wanted != found:
            raise SumsDiffer(f"{plan.run.uri}: {wanted} {what}, {found} {where}; nothing is published")


def published(reduced: Sequence[Manifest]) -> list[Published]:
    """Return the files of all reducers. Raises OutputFailed where two have the same name."""
    owners: dict[str, int] = {}
    found = []
    for one in reduced:
        for name, size in one["files"]:
            other = owners.setdefault(name, one["partition"])
            if other != one["partition"]:
                raise OutputFailed(
                    f"reducers {other} and {one['partition']} both wrote {name}; name files after $MAPREDUCE_PARTITION"
                )
            found.append(Published(name, one["folder"] + name, size))
    return found


def fail(call: Call, work: Work, run: Run, error: Any) -> dict[str, Any]:
    """Return why the run failed, and write it beside the results, unless those are to be of a newer version."""
    provider, bucket, prefix = output_of(call.function, run.bucket, run.key)
    output = Bucket(call.function.storages, provider, bucket)
    document = _failure(work, run, error)
    call.log.failure(f"{run.uri}: run {run.run} failed: {document['error']}: {document['message']}")
    interrupted = marker(output, prefix + COMMITTING)
    if interrupted.get("run") == run.run:
        output.put(prefix + COMMITTING, as_json({**interrupted, "ended": True}))
    replaced = False
    with contextlib.suppress(InputFailed):  # a bucket that cannot be asked does not hide the failure
        replaced = _is_replaced(call.function, run)
    if replaced:
        call.log.info(f"{run.uri}: a newer object has a run of its own, so {FAILED} is not written")
    else:
        output.put(prefix + FAILED, as_json(document))
    return document


def _failure(work: Work, run: Run, error: Any) -> dict[str, Any]:
    kind, message = _reason(error if isinstance(error, dict) else {})
    tasks = _failed_tasks(work)
    if tasks and kind.startswith(("States.", "Batch.")):
        kind, message = tasks[0]["error"], f"{tasks[0]['stage']} task {tasks[0]['task']}: {tasks[0]['message']}"
    what = {"run": run.run, "input": _input(run), "time": round(time.time(), 3)}
    return {**what, "error": kind, "message": message, "tasks": tasks}


def _reason(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return kind and message of a Catch: its cause is the JSON of a failed Lambda function, or text."""
    kind, cause = str(error.get("Error") or "Unknown"), str(error.get("Cause") or "")
    try:
        found = json.loads(cause)
    except ValueError:
        return kind, cause
    if not isinstance(found, dict) or "errorMessage" not in found:
        return kind, cause
    return str(found.get("errorType") or kind), str(found["errorMessage"])


def _failed_tasks(work: Work) -> list[dict[str, Any]]:
    """Return the last failures of tasks that no other attempt has finished."""
    done = {
        (stage, int(name[:-5])) for stage, folder in (("map", "m/"), ("reduce", "r/")) for name in work.names(folder)
    }
    names = [name.removesuffix(".json").partition("-") for name in work.names("e/")]
    failed = sorted((stage, int(task)) for stage, _, task in names if (stage, int(task)) not in done)
    shown = failed[:_SHOWN_FAILURES]
    return [{"stage": stage, "task": task, **work.read(f"e/{stage}-{task}.json")} for stage, task in shown]


def _is_replaced(function: Function, run: Run) -> bool:
    """Return whether a newer version of the input is there: its run is the one that counts."""
    from obstore.exceptions import PermissionDeniedError

    bucket = Bucket(function.storages, provider_of(function, run.bucket, run.key), run.bucket)
    try:
        present = bucket.head(run.key)
    except InputFailed as error:
        # It was deleted when every byte of it had been read. S3 tells that only to those who may list the bucket.
        if isinstance(error.__cause__, FileNotFoundError | PermissionDeniedError):
            return False
        raise
    return (present.etag, present.size) != (run.etag, run.size)


def _check_input(function: Function, run: Run) -> None:
    if _is_replaced(function, run):
        raise InputChanged(f"{run.uri}: the input changed during the run: the new object has a run of its own")


class _Publication(NamedTuple):
    """Puts a run's files into its folder; one run at a time, as that of another version may be ready, too."""

    call: Call
    work: Work
    output: Bucket
    plan: Plan

    def publish(self, files: list[Published]) -> None:
        """Put the files in place of those of the earlier run, whose marker is gone meanwhile."""
        prefix, names = self.plan.output_prefix, {file.name for file in files}
        interrupted = self._begin()
        try:
            _check_input(self.call.function, self.plan.run)
        except SupervisorError:
            self._give_way(interrupted)
            raise
        before = {*marker(self.output, prefix + SUCCESS).get("files", ()), *interrupted.get("files", ())}
        self.output.put(prefix + COMMITTING, self._note(before | names))
        self.output.delete(prefix + SUCCESS)
        side_by_side(self._copy, files)
        side_by_side(lambda name: self.output.delete(prefix + name), sorted(before - names))
        self.output.delete(prefix + FAILED)

    def _begin(self) -> dict[str, Any]:
        """Wait for the turn, and return what the one before left unfinished. Raises OutputFailed."""
        key, own = self.plan.output_prefix + COMMITTING, self.plan.run.run
        while not self.output.create(key, self._note(())):
            found = marker(self.output, key)
            if found.get("run") == own or found.get("ended") or found.get("time", 0) < time.time() - _PUBLISHED_IN:
                return found
            if time.time() > runs.latest_end(self.call.function, self.call.context):
                raise OutputFailed(f"{self.output.name}/{key}: run {found.get('run')} is being published; try again")
            time.sleep(_LOOK)
        return {}

    def _give_way(self, interrupted: Manifest) -> None:
        """End the turn without having changed anything."""
        key = self.plan.output_prefix + COMMITTING
        if interrupted:
            self.output.put(key, as_json({**interrupted, "ended": True}))
        else:
            self.output.delete(key)

    def _note(self, files: Iterable[str]) -> bytes:
        return as_json({"run": self.plan.run.run, "time": time.time(), "files": sorted(files)})

    def _copy(self, file: Published) -> None:
        source, target = self.work.key(file.source), self.plan.output_prefix + file.name
        if self.work.bucket.copy_to(self.output, source, target, file.size):
            return
        path = f"{TMP}/scar-part-{os.urandom(8).hex()}"
        try:
            self.work.bucket.download(source, path)
            self.output.put_file(target, path)
        finally:
            if os.path.exists(path):
                os.unlink(path)


def marker(output: Bucket, key: str) -> dict[str, Any]:
    """Return a document beside the results; empty where there is none, or what is there is none of ours."""
    content = output.find(key)
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _success(
    plan: Plan, mapped: Sequence[Manifest], reduced: Sequence[Manifest], files: list[Published]
) -> dict[str, Any]:
    partitions = [int(one["pairs_in"]) for one in reduced]
    largest, total = max(partitions, default=0), sum(partitions)
    return {
        "run": plan.run.run,
        "input": _input(plan.run),
        "records": _sum(mapped, "records"),
        "bytes": _sum(mapped, "bytes"),
        "header": _sum(mapped, "header"),
        "pairs": _sum(mapped, "pairs_in"),
        "pairs_combined": total,
        "bad_pairs": _sum(mapped, "bad_pairs"),
        "map_tasks": plan.map_count,
        "reducers": plan.reduce_count,
        "output_bytes": sum(file.size for file in files),
        "largest_partition": largest,
        "skew": round(largest * len(partitions) / total, 2) if total else 1.0,
        "notes": _notes(reduced, total),
        "seconds": round(time.time() - plan.started, 3),
        "map_seconds": round(_sum(mapped, "seconds"), 3),
        "reduce_seconds": round(_sum(reduced, "seconds"), 3),
        "files": sorted(file.name for file in files),
    }


def _notes(reduced: Sequence[Manifest], total: int) -> list[str]:
    """Return what a reader of the counts should know: a key that no partition can share with another."""
    key, pairs = max((one["heaviest_key"] for one in reduced), key=lambda found: int(found[1]), default=("", 0))
    if len(reduced) < 2 or pairs < _MANY_PAIRS or pairs * len(reduced) <= 2 * total:
        return []
    shown = key.encode("latin-1").decode("utf-8", "replace")[:_SHOWN_KEY]
    return [f"the key {shown!r} has {pairs} of {total} pairs, which one reducer has to take; a combiner reduces them"]


def _input(run: Run) -> dict[str, Any]:
    return {name: value for name, value in run._asdict().items() if name != "run"}


def _sum(found: Sequence[Manifest], *names: str) -> Any:
    return sum(one[name] for one in found for name in names)
