"""`up`, `preview`, `refresh`, `destroy` and `outputs`: the stack of an FDL file.

On a terminal, `destroy`, and whatever changes a stack that is not local, shows the changes and asks. In a script,
stacks that are not local need `--yes`. On a local stack `up` never asks, unless functions of another file would go.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli._parser import json_option, yes_option
from scar_pulumi.cli._remaining import remaining_buckets, show_remaining
from scar_pulumi.cli._set import overrides, set_option
from scar_pulumi.cli._summary import changes_document, done, next_steps, output_lines, seconds, step_document, to_do
from scar_pulumi.cli._target import stack_hint, stack_option
from scar_pulumi.cli.console import Console
from scar_pulumi.deployments.source_files import file_of, forget, note

if TYPE_CHECKING:
    from scar_pulumi.engine import Stack

_ASKING = ("up", "refresh", "destroy")
_DECLARING = ("up", "preview")


def configure(verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    file = parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the FDL file")
    file.help = "the FDL file (default: the one that the project of this directory configures as scar:fdl)"
    stack_option(parser)
    if verb in _ASKING:
        yes_option(parser)
    if verb in _DECLARING:
        set_option(parser)
    if verb != "outputs":
        parser.add_argument(
            "-c",
            "--config",
            metavar="KEY=VALUE",
            action="append",
            default=[],
            help="value of the stack's configuration for this once, such as scar:deleteBuckets=true",
        )
    json_option(parser)


def run(verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Do it."""
    return _VERBS[verb](arguments, console)


def _up(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    functions = _check(arguments, console)
    stack = _open(arguments, console)
    lost = _functions_of_another_file(arguments, stack, functions)
    if lost:
        console.warn(lost)
    if (lost or not stack.is_local) and not _agreed("up", arguments, stack, console):
        raise ScarError("up: not confirmed; nothing was changed")
    if arguments.file is not None:
        note(stack.project, stack.name, arguments.file.resolve())
    result = stack.up()
    for line in output_lines(result.outputs):
        console.say(line)
    console.note(f"up: {done(result.changes)} ({seconds(result.seconds)})", "green")
    if result.changes.create:
        console.note(
            "\n".join(["try:", *(f"  {line}{stack_hint(arguments.stack)}" for line in next_steps(result.outputs))])
        )
    return {
        "changes": changes_document(result.changes),
        "outputs": dict(result.outputs),
        "seconds": dict(result.seconds),
    }


def _preview(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    _check(arguments, console)
    result = _open(arguments, console).preview()
    console.say(to_do(result.changes) or "no changes")
    return {
        "changes": changes_document(result.changes),
        "resources": [step_document(step) for step in result.steps],
        "seconds": dict(result.seconds),
    }


def _refresh(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    stack = _open(arguments, console)
    _must_exist(stack, arguments)
    if not (stack.is_local or _agreed("refresh", arguments, stack, console)):
        raise ScarError("refresh: not confirmed; nothing was changed")
    result = stack.refresh()
    console.say(f"refresh: {done(result.changes)} ({seconds(result.seconds)})")
    return {
        "changes": changes_document(result.changes),
        "outputs": dict(result.outputs),
        "seconds": dict(result.seconds),
    }


def _destroy(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    stack = _open(arguments, console)
    outputs = _outputs_or_none(stack)
    if outputs is None:
        console.say(f"stack {stack.name} of project {stack.project}: nothing is deployed")
        nothing = dict.fromkeys(("create", "update", "replace", "delete", "same"), 0)
        return {"changes": nothing, "remaining": [], "seconds": {}}
    if (console.interactive or not stack.is_local) and not _agreed("destroy", arguments, stack, console):
        raise ScarError("destroy: not confirmed; nothing was changed")
    result = stack.destroy()
    forget(stack.project, stack.name)
    console.note(f"destroy: {done(result.changes)} ({seconds(result.seconds)})", "green")
    remaining = remaining_buckets(outputs, arguments.stack, console)
    show_remaining(remaining, console)
    return {
        "changes": changes_document(result.changes),
        "remaining": remaining,
        "seconds": dict(result.seconds),
    }


def _outputs(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    stack = _open(arguments, console)
    outputs = _must_exist(stack, arguments)
    for line in output_lines(outputs):
        console.say(line)
    return outputs


def _open(arguments: Namespace, console: Console) -> "Stack":
    from scar_pulumi.engine import Stack  # noqa: PLC0415 - brings the engine, which takes a second

    config = _config(getattr(arguments, "config", ()))
    return Stack(
        arguments.file,
        arguments.stack,
        config=config,
        overrides=overrides(getattr(arguments, "set", ())),
        progress=console.note,
        stream=console.stderr,
    )


def _config(assignments: Iterable[str]) -> dict[str, str]:
    config = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or ":" not in key:
            raise InputError(
                f"--config {assignment}: it is not KEY=VALUE with a full key, such as aws:region=eu-west-1"
            )
        config[key] = value
    return config


def _check(arguments: Namespace, console: Console) -> frozenset[str]:
    """Read the FDL file before anything else happens; returns the names of its functions."""
    if arguments.file is None:
        return frozenset()
    from scar_pulumi.deploy.deployable import undeployable  # noqa: PLC0415 - other verbs need no file
    from scar_pulumi.fdl import FdlError, load  # noqa: PLC0415 - likewise

    fdl = load(arguments.file, overrides(arguments.set))
    for warning in fdl.warnings:
        console.note(str(warning), "yellow")
    if problems := undeployable(fdl, arguments.stack):
        raise FdlError(problems)
    return frozenset(function.name for function in fdl.functions)


def _functions_of_another_file(arguments: Namespace, stack: "Stack", functions: frozenset[str]) -> str:
    """Say which functions would go because the stack was deployed from another file; empty when none would."""
    previous = file_of(stack.project, stack.name)
    if arguments.file is None or previous is None or previous == arguments.file.resolve():
        return ""
    deployed = (_outputs_or_none(stack) or {}).get("functions") or {}
    gone = sorted(set(deployed) - functions)
    if not gone:
        return ""
    return (
        f"stack {stack.name} of project {stack.project} was deployed from {previous}; "
        f"what {arguments.file} does not have will be deleted: {', '.join(gone)} "
        f"(another stack, such as --stack {stack.name}-2, keeps both)"
    )


def _agreed(verb: str, arguments: Namespace, stack: "Stack", console: Console) -> bool:
    """Ask, after showing what would change, unless `--yes` was given."""
    question = f"{verb.capitalize()} stack {stack.name} of project {stack.project}?"
    if verb == "up" and console.interactive and not arguments.yes:
        planned = to_do(stack.preview().changes)
        if not planned:
            return True
        question = f"{planned}. {question}"
    return console.must_confirm(question, yes=arguments.yes)


def _must_exist(stack: "Stack", arguments: Namespace) -> Mapping[str, Any]:
    outputs = _outputs_or_none(stack)
    if not outputs:
        command = f"scar-pulumi up {arguments.file or ''}".rstrip() + stack_hint(arguments.stack)
        raise ScarError(f"stack {stack.name} of project {stack.project}: not deployed; `{command}` does that")
    return outputs


def _outputs_or_none(stack: "Stack") -> Mapping[str, Any] | None:
    try:
        return stack.outputs()
    except InputError:  # there is no such stack
        return None


_VERBS: Mapping[str, Callable[[Namespace, Console], Mapping[str, Any]]] = {
    "up": _up,
    "preview": _preview,
    "refresh": _refresh,
    "destroy": _destroy,
    "outputs": _outputs,
}
