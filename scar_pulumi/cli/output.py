"""Results as people read them: tables, sizes, times, and what an operation on a stack did."""

import datetime
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from scar_pulumi.cli.console import Console, is_coloured, printable
from scar_pulumi.client.outputs import (
    DeployedFunction,
    DeployedMapReduce,
    DeployedService,
    StackOutputs,
    StoragePath,
)

if TYPE_CHECKING:
    from scar_pulumi.engine import Changes, Result, Step

_DONE = {"create": "created", "update": "updated", "replace": "replaced", "delete": "deleted", "same": "unchanged"}
_TO_DO = {"create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete"}
_OURS = ("functions", "mapreduce", "oscar", "buckets")
NO_CHANGES: Mapping[str, int] = dict.fromkeys(_DONE, 0)


def show_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows under a head, unless there are none; cells are text, whatever is in them."""
    if not rows or console.json:
        return
    safe = [[printable(cell) for cell in row] for row in rows]
    if console.stdout.isatty():
        _draw_table(console, head, safe)
        return
    widths = [max(len(row[column]) for row in (head, *safe)) for column in range(len(head))]
    for row in (head, *safe):
        console.say("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _draw_table(console: Console, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.console import Console as Terminal  # noqa: PLC0415 - only tables on a terminal need it
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for title in head:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    Terminal(file=console.stdout, no_color=not is_coloured(console.stdout), markup=False, highlight=False).print(table)


def size(count: int) -> str:
    """Write a number of bytes for people."""
    if count < 1000:
        return f"{count} B"
    amount = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        amount /= 1000
        if amount < 999.5 or unit == "TB":
            break
    return f"{amount:.1f} {unit}" if amount < 99.5 else f"{amount:.0f} {unit}"


def count(number: int, noun: str) -> str:
    """Write a number of things: `1 object`, `2 objects`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def moment(seconds: float) -> str:
    """Write a point in time, in seconds since the epoch, as the clock here shows it; `-` for none."""
    if not seconds:
        return "-"
    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def durations(seconds: Mapping[str, float]) -> str:
    """Write what took how long."""
    return ", ".join(f"{name} {value:.1f} s" for name, value in seconds.items())


def paths(places: Sequence[StoragePath]) -> str:
    """Write storage paths for a cell of a table."""
    return ", ".join(path.place for path in places) or "-"


def label(called: DeployedFunction | DeployedMapReduce | DeployedService) -> str:
    """Write the name of a function or MapReduce, or of a service with its cluster."""
    return f"{called.cluster}/{called.name}" if isinstance(called, DeployedService) else called.name


def done(changes: "Changes") -> str:
    """Write what was changed, such as `9 created, 2 unchanged`."""
    return _counted(changes, _DONE) or "nothing to do"


def to_do(changes: "Changes") -> str:
    """Write what would be changed; empty when nothing would."""
    return _counted(changes, _TO_DO)


def changes_document(changes: "Changes") -> dict[str, int]:
    """Return the numbers of changes by their names."""
    return {name: getattr(changes, name) for name in _DONE}


def result_document(result: "Result") -> dict[str, Any]:
    """Return what an operation changed and the stack's outputs."""
    return {
        "changes": changes_document(result.changes),
        "outputs": dict(result.outputs),
        "seconds": dict(result.seconds),
    }


def step_document(step: "Step") -> dict[str, Any]:
    """Return a resource of a preview; an image has its digest where that is known."""
    document = {"urn": step.urn, "type": step.type, "name": step.name, "op": step.operation}
    digest = step.inputs.get("digest")
    return {**document, "digest": digest} if isinstance(digest, str) and digest.startswith("sha256:") else document


def output_lines(outputs: Mapping[str, Any]) -> Iterator[str]:
    """Describe a stack's outputs: functions and services with where their files come from and go, and the rest."""
    deployed = StackOutputs.read_any(outputs)
    for function in deployed.functions.values():
        yield f"function {function.name}{_flow(function)}"
        yield from (f"  {what} {url}" for what, url in (("url", function.url), ("page", function.page)) if url)
    for mapreduce in deployed.mapreduces.values():
        yield f"mapreduce {mapreduce.name}{_flow(mapreduce)}"
    for service in deployed.services():
        yield f"service {label(service)}{_flow(service)}"
    for bucket in deployed.buckets:
        yield f"bucket {bucket.name}" + ("" if bucket.managed else "  (not created by this stack)")
    for name, value in outputs.items():
        if name not in _OURS:
            yield f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}"


def next_steps(outputs: Mapping[str, Any]) -> Iterator[str]:
    """Suggest what to try on a stack that was just deployed."""
    deployed = StackOutputs.read_any(outputs)
    called: list[DeployedFunction | DeployedService] = [*deployed.functions.values(), *deployed.services()]
    for mapreduce in deployed.mapreduces.values():
        yield f"scar-pulumi invoke {mapreduce.name} --file FILE"
        yield f"scar-pulumi get {mapreduce.outputs[0].place} FOLDER"
    if not called:
        return
    first = called[0]
    name = first.name if len(deployed.services(first.name)) < 2 else label(first)
    if first.inputs:
        yield f"scar-pulumi put {_location(first, first.inputs[0], deployed)} FILE"
        if first.outputs:
            yield f"scar-pulumi get {_location(first, first.outputs[0], deployed)} FOLDER"
    else:
        yield f"scar-pulumi invoke {name}"
    yield f"scar-pulumi logs {name}"


def _location(user: DeployedFunction | DeployedService, path: StoragePath, deployed: StackOutputs) -> str:
    """Write a path as the verbs take it: of several clusters, each has a `minio.default` of its own."""
    if isinstance(user, DeployedService) and path.provider == "minio.default" and len(deployed.clusters) > 1:
        return f"minio.{user.cluster}/{path.path}"
    return path.place


def _counted(changes: "Changes", words: Mapping[str, str]) -> str:
    numbers = changes_document(changes)
    return ", ".join(f"{numbers[name]} {word}" for name, word in words.items() if numbers[name])


def _flow(called: DeployedFunction | DeployedMapReduce | DeployedService) -> str:
    ends = [" ".join(map(_path, places)) for places in (called.inputs, called.outputs)]
    return f"  {' → '.join(part or '-' for part in ends)}" if any(ends) else ""


def _path(path: StoragePath) -> str:
    limits = [*(f"{start}*" for start in path.prefix), *(f"*{end}" for end in path.suffix)]
    return f"{path.place} ({' '.join(limits)})" if limits else path.place
