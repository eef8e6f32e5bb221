"""`local`: the local cloud on this machine."""

import dataclasses
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scar_foundation.errors import InputError, ScarError
from scar_pulumi import cloud
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.groups import Group
from scar_pulumi.cli.options import FILE, Document, json_option, stack_option, yes_option
from scar_pulumi.cli.output import moment
from scar_pulumi.deployments.local import local_environment, reset_local_cloud

if TYPE_CHECKING:
    from scar_pulumi.cloud import Status
    from scar_pulumi.cloud.single_run import RunOutcome
    from scar_pulumi.fdl import Function


class FunctionFailedError(ScarError):
    """The function ran, and failed."""


local = Group(name="local", help="Start, stop and use the local cloud.")


@local.command
@json_option
@click.pass_obj
def start(console: Console) -> Document:
    """Start it, if it is not running; any verb on a local stack does that."""
    status = cloud.LocalCloud().start(console.tell)
    console.say(f"running at {status.endpoint} (process {status.pid})")
    return _status_document(status)


@local.command
@json_option
@click.pass_obj
def stop(console: Console) -> Document:
    """Stop it; what it holds stays."""
    running = cloud.LocalCloud()
    was_running = running.status() is not None
    with console.progress("stopping the local cloud"):
        running.stop()
    console.say("stopped" if was_running else "was not running")
    return {"running": False, "stopped": was_running}


@local.command
@json_option
@click.pass_obj
def status(console: Console) -> Document:
    """Show whether it runs, and where."""
    found = cloud.LocalCloud().status()
    if found is None:
        console.say("not running; any verb on a local stack starts it")
        return {"running": False}
    console.say(f"running at {found.endpoint} (process {found.pid}, since {moment(found.started)})")
    for line in _detail_lines(found.details):
        console.say(line)
    return _status_document(found)


def _detail_lines(details: Mapping[str, Any], indent: str = "") -> Iterator[str]:
    """Write details for people: one a line, those inside others indented."""
    for name, value in details.items():
        label = f"{indent}{name.replace('_', ' ')}:"
        if isinstance(value, Mapping) and any(isinstance(one, Mapping | list) for one in value.values()):
            yield label
            yield from _detail_lines(value, f"{indent}  ")
        elif isinstance(value, Mapping):
            yield f"{label} {', '.join(f'{key} {one}' for key, one in value.items()) or 'none'}"
        elif isinstance(value, list):
            yield f"{label} {', '.join(map(str, value)) or 'none'}"
        else:
            yield f"{label} {value}"


@local.command
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@json_option
@click.pass_obj
def logs(console: Console, follow: bool) -> Document | None:
    """Show the log of the local cloud itself."""
    lines = []
    console.follows = follow
    for line in cloud.LocalCloud().logs(follow=follow):
        text = line.rstrip("\n")
        if console.json and follow:
            console.json_line({"message": text})
        elif console.json:
            lines.append(text)
        else:
            console.say(text)
    return None if follow else {"lines": lines}


@local.command
@yes_option
@json_option
@click.pass_obj
def reset(console: Console, yes: bool) -> Document:
    """Delete all it holds: functions, buckets with their files, images, local stacks."""
    question = "Delete all functions, buckets with their files, images and stacks of the local cloud?"
    if not console.must_confirm(question, yes=yes):
        raise ScarError("local cloud: not confirmed; nothing was deleted")
    with console.progress("resetting the local cloud"):
        reset_local_cloud()
    console.say("the local cloud is empty")
    return {"reset": True}


@local.command
@click.argument("file", type=FILE, help="The FDL file.")
@click.argument("function", help="The function's name in it.")
@click.option(
    "--input", "input_file", metavar="FILE", type=FILE, help="The input file; without one, the event is empty."
)
@click.option("--output", "folder", metavar="DIR", type=FILE, help="Where output files go; by default a new folder.")
@json_option
@click.pass_obj
def run(console: Console, file: Path, function: str, input_file: Path | None, folder: Path | None) -> Document:
    """Run one function on one file in its container, without a stack or a cloud."""
    from scar_pulumi.cloud.single_run import run_function  # noqa: PLC0415 - brings the runner

    chosen = _function(file, function)
    if input_file is not None and not input_file.is_file():
        raise InputError(f"--input: {input_file} is not a file; give the path of one")
    outcome = run_function(chosen, input_file, _folder(folder, chosen.name), console.note, console.note)
    for path in outcome.stored:
        console.note(f"stored {path}")
    if outcome.error is not None:
        raise FunctionFailedError(f"function {chosen.name}: {outcome.error}")
    if not console.json:
        console.write(outcome.answer)
    return _outcome_document(chosen.name, outcome)


@local.command
@stack_option
@json_option
@click.pass_obj
def env(console: Console, stack: str) -> Document:
    """Print what `eval "$(scar-pulumi local env)"` sets, so that plain `pulumi up` works on a local stack."""
    found = local_environment(stack, console.tell, console.stderr)
    for name in found.unset:
        console.say(f"unset {name}")
    for name, value in found.environment.items():
        console.say(f"export {name}={shlex.quote(value)}")
    return dataclasses.asdict(found)


def _folder(given: Path | None, function: str) -> Path:
    """Return where output files go: a new folder, unless one is given."""
    if given is None:
        return Path(tempfile.mkdtemp(prefix=f"{function}-"))
    if given.exists() and not given.is_dir():
        raise InputError(f"--output: {given} is not a folder; give another one")
    return given


def _outcome_document(function: str, outcome: "RunOutcome") -> Document:
    return {
        "function": function,
        "requestId": outcome.request_id,
        "answer": outcome.answer.decode("utf-8", "backslashreplace"),
        "outputs": [str(path) for path in outcome.stored],
        "durationMs": outcome.duration_ms,
        "maxMemoryMb": outcome.max_memory_mb,
    }


def _function(file: Path, name: str) -> "Function":
    from scar_pulumi.fdl import load  # noqa: PLC0415 - the other actions read no FDL

    fdl = load(file)
    for function in fdl.functions:
        if function.name == name:
            return function
    known = ", ".join(function.name for function in fdl.functions)
    raise InputError(f"{fdl.path}: there is no function {name!r}; it has: {known}")


def _status_document(status: "Status") -> Document:
    return {"running": True, **dataclasses.asdict(status)}
