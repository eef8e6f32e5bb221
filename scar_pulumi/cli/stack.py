"""`up`, `preview`, `refresh`, `destroy` and `outputs`: the stack of an FDL file.

On a terminal, `destroy`, and any change of a stack that is not local, shows the changes and asks. In a script, stacks
that are not local need `--yes`. On a local stack `up` never asks, unless functions of another file would be deleted.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from scar_foundation.errors import InputError, ScarError
from scar_pulumi import engine
from scar_pulumi.cli import output
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.options import (
    FILE,
    Document,
    config_option,
    json_option,
    set_option,
    stack_option,
    yes_option,
)
from scar_pulumi.client.outputs import StackOutputs
from scar_pulumi.deployments import Deployments, source_files, stack_hint

if TYPE_CHECKING:
    from scar_pulumi.engine import Stack

_FILE_ARGUMENT = click.argument(
    "file",
    required=False,
    type=FILE,
    help="The FDL file; by default the one that the project of this directory configures as scar:fdl.",
)


@dataclass(frozen=True)
class ChosenStack:
    """The stack that a verb's options choose, and the values that they change."""

    console: Console
    file: Path | None
    name: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    config: Mapping[str, str] = field(default_factory=dict)
    yes: bool = False

    def open(self) -> "Stack":
        """Return the stack, ready for operations."""
        return engine.Stack(
            self.file,
            self.name,
            config=self.config,
            overrides=self.overrides,
            progress=self.console.note,
            stream=self.console.stderr,
        )

    def must_agree(self, verb: str, stack: "Stack") -> None:
        """Ask, after showing what `up` would change, unless `--yes` was given.

        Raises:
            ScarError: The answer is no.
        """
        question = f"{verb.capitalize()} stack {stack.name} of project {stack.project}?"
        if verb == "up" and self.console.interactive and not self.yes:
            planned = output.to_do(stack.preview().changes)
            if not planned:
                return
            question = f"{planned}. {question}"
        if not self.console.must_confirm(question, yes=self.yes):
            raise ScarError(f"{verb}: not confirmed; nothing was changed")


def _on_stack(command: Callable[..., Document]) -> Callable[..., Document]:
    """Add FILE and `--stack`; the command gets the `ChosenStack`."""

    @functools.wraps(command)
    def run(console: Console, /, *, file: Path | None, stack: str, **options: Any) -> Document:
        return command(ChosenStack(console, file, stack, **options))

    return _FILE_ARGUMENT(stack_option(click.pass_obj(run)))


@click.command
@_on_stack
@yes_option
@set_option
@config_option
@json_option
def up(chosen: ChosenStack) -> Document:
    """Deploy an FDL file: create or update its stack."""
    functions = _checked(chosen)
    stack = chosen.open()
    lost = _functions_lost(chosen, stack, functions)
    if lost:
        chosen.console.warn(lost)
    if lost or not stack.is_local:
        chosen.must_agree("up", stack)
    if chosen.file is not None:
        source_files.record(stack.project, stack.name, chosen.file.resolve())
    result = stack.up()
    _show_outputs(chosen, result.outputs)
    chosen.console.note(f"up: {output.done(result.changes)} ({output.durations(result.seconds)})", "green")
    if result.changes.create:
        steps = [f"  {line}{stack_hint(chosen.name)}" for line in output.next_steps(result.outputs)]
        chosen.console.note("\n".join(["try:", *steps]))
    return output.result_document(result)


@click.command
@_on_stack
@set_option
@config_option
@json_option
def preview(chosen: ChosenStack) -> Document:
    """Show what `up` would change."""
    _checked(chosen)
    result = chosen.open().preview()
    chosen.console.say(output.to_do(result.changes) or "no changes")
    return {
        "changes": output.changes_document(result.changes),
        "resources": [output.step_document(step) for step in result.steps],
        "seconds": dict(result.seconds),
    }


@click.command
@_on_stack
@yes_option
@config_option
@json_option
def refresh(chosen: ChosenStack) -> Document:
    """Update the stack's state to match the cloud."""
    stack = chosen.open()
    _deployed_outputs(chosen, stack)
    if not stack.is_local:
        chosen.must_agree("refresh", stack)
    result = stack.refresh()
    chosen.console.say(f"refresh: {output.done(result.changes)} ({output.durations(result.seconds)})")
    return output.result_document(result)


@click.command
@_on_stack
@yes_option
@config_option
@json_option
def destroy(chosen: ChosenStack) -> Document:
    """Delete the stack's resources; buckets and their files stay.

    With --config scar:deleteBuckets=true, the buckets that the stack created are deleted as well.
    """
    stack = chosen.open()
    outputs = _outputs_or_none(stack)
    if outputs is None:
        chosen.console.say(f"stack {stack.name} of project {stack.project}: nothing is deployed")
        return {"changes": output.NO_CHANGES, "remaining": [], "seconds": {}}
    if chosen.console.interactive or not stack.is_local:
        chosen.must_agree("destroy", stack)
    result = stack.destroy()
    source_files.forget(stack.project, stack.name)
    chosen.console.note(f"destroy: {output.done(result.changes)} ({output.durations(result.seconds)})", "green")
    return {
        "changes": output.changes_document(result.changes),
        "remaining": _remaining_buckets(chosen, outputs),
        "seconds": dict(result.seconds),
    }


@click.command
@_on_stack
@json_option
def outputs(chosen: ChosenStack) -> Document:
    """Show the stack's functions, services and buckets."""
    found = _deployed_outputs(chosen, chosen.open())
    _show_outputs(chosen, found)
    return found


def _checked(chosen: ChosenStack) -> frozenset[str]:
    """Check the FDL file before anything else happens, and return the names of its functions."""
    if chosen.file is None:
        return frozenset()
    from scar_pulumi.deploy.deployable import undeployable  # noqa: PLC0415 - help and other verbs read no FDL
    from scar_pulumi.fdl import FdlError, load  # noqa: PLC0415 - likewise

    fdl = load(chosen.file, chosen.overrides)
    for warning in fdl.warnings:
        chosen.console.note(str(warning), "yellow")
    if problems := undeployable(fdl, chosen.name):
        raise FdlError(problems)
    return frozenset(function.name for function in fdl.functions)


def _functions_lost(chosen: ChosenStack, stack: "Stack", functions: frozenset[str]) -> str:
    """Return which functions another file deployed and this one would delete; empty when there are none."""
    previous = chosen.file and source_files.other_file(stack.project, stack.name, chosen.file)
    if not previous:
        return ""
    lost = sorted(set((_outputs_or_none(stack) or {}).get("functions") or {}) - functions)
    if not lost:
        return ""
    return (
        f"stack {stack.name} of project {stack.project} was deployed from {previous}; "
        f"functions that {chosen.file} does not have will be deleted: {', '.join(lost)} "
        f"(another stack, such as --stack {stack.name}-2, keeps both)"
    )


def _show_outputs(chosen: ChosenStack, outputs: Mapping[str, Any]) -> None:
    for line in output.output_lines(outputs):
        chosen.console.say_foreign(line)


def _remaining_buckets(chosen: ChosenStack, outputs: Mapping[str, Any]) -> list[Document]:
    """Show which buckets remain, and the command that removes each."""
    deployments = Deployments.find(chosen.name, progress=chosen.console.note)
    documents: list[Document] = []
    for bucket in deployments.remaining_buckets(StackOutputs.read_any(outputs)):
        command = f"scar-pulumi rm {bucket.name} --recursive{stack_hint(chosen.name)}"
        origin = "" if bucket.managed else " (which this stack did not create)"
        chosen.console.say(f"bucket {bucket.name}{origin} remains with its files; `{command}` removes it")
        documents.append({"name": bucket.name, "managed": bucket.managed, "command": command})
    return documents


def _deployed_outputs(chosen: ChosenStack, stack: "Stack") -> Mapping[str, Any]:
    found = _outputs_or_none(stack)
    if not found:
        command = f"scar-pulumi up {chosen.file or ''}".rstrip() + stack_hint(chosen.name)
        raise ScarError(f"stack {stack.name} of project {stack.project}: not deployed; `{command}` deploys it")
    return found


def _outputs_or_none(stack: "Stack") -> Mapping[str, Any] | None:
    try:
        return stack.outputs()
    except InputError:  # there is no such stack
        return None
