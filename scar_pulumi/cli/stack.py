"""`up`, `preview`, `refresh`, `destroy` and `outputs`: the stack of an FDL file.

What deletes stacks or files shows what it deletes and asks, whatever the stack; without a terminal it needs `--yes`.
So does any change of a stack that is not local. On a local stack `up` asks only if it would delete buckets, or
functions of another file.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
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
    at_most_one,
    config_option,
    json_option,
    set_option,
    stack_option,
    yes_option,
)
from scar_pulumi.client.outputs import DeployedCluster, StackOutputs
from scar_pulumi.deployments import Deployments, source_files, stack_hint
from scar_pulumi.deployments.kept_buckets import KeptBuckets, kept_buckets, remember_clusters
from scar_pulumi.deployments.names import holders
from scar_pulumi.deployments.stacks import open_project, outputs_of, project_of_file, projects_deployed

if TYPE_CHECKING:
    from scar_pulumi.engine import Stack
    from scar_pulumi.fdl import Fdl

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
    leave_unreachable: bool = False
    project: str | None = None

    def open(self) -> "Stack":
        """Return the stack, ready for operations."""
        shown: dict[str, Any] = {"progress": self.console.tell, "stream": self.console.stderr}
        shown["leave_unreachable"] = self.leave_unreachable
        if self.project is not None:
            return open_project(self.project, self.name, config=self.config, **shown)
        self._must_exist()
        return engine.Stack(self.file, self.name, config=self.config, overrides=self.overrides, **shown)

    def reopened(self) -> "Stack":
        """Return the stack as `open`, with names of its own if it was deployed with them and nothing says otherwise."""
        from scar_pulumi.deploy.checks import UNIQUE_NAMES  # noqa: PLC0415 - help and other verbs read no FDL

        stack = self.open()
        if stack.has_unique_names is None and (_outputs_or_none(stack) or {}).get(UNIQUE_NAMES):
            return replace(self, config={**self.config, f"scar:{UNIQUE_NAMES}": "true"}).open()
        return stack

    def _must_exist(self) -> None:
        """Refuse a file that is gone; the stacks that it once deployed are still found by their project.

        Raises:
            InputError: It is gone.
        """
        if self.file is None or self.file.is_file():
            return
        deployed = [project for project, stack in source_files.stacks_from(self.file) if stack == self.name]
        hint = f"; its stack is that of --project {deployed[0]}" if deployed else "; check its name"
        raise InputError(f"{self.file}: there is no such file{hint}")

    def must_agree(self, verb: str, stack: "Stack") -> None:
        """Ask, after showing what `up` would change, unless `--yes` was given.

        Raises:
            ScarError: The answer is no.
        """
        question = f"{verb.capitalize()} {_described(stack)}?"
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
        at_most_one({"FILE": file, "--project": options.get("project")})
        return command(ChosenStack(console, file, stack, **options))

    return _FILE_ARGUMENT(stack_option(click.pass_obj(run)))


_PROJECT_OPTION = click.option(
    "--project", metavar="NAME", help="The Pulumi project that was deployed, in place of FILE, which may be gone."
)


_LEAVE_OPTION = click.option(
    "--leave-unreachable",
    is_flag=True,
    help="Forget services on OSCAR clusters that cannot be reached any more, and say what stays there.",
)


@click.command
@_on_stack
@yes_option
@_LEAVE_OPTION
@set_option
@config_option
@json_option
def up(chosen: ChosenStack) -> Document:
    """Deploy an FDL file: create or update its stack."""
    fdl = _checked(chosen)
    stack = chosen.reopened()
    fdl = _named(fdl, stack)
    _names_must_be_free(fdl, stack)
    losses = list(_losses(chosen, stack, fdl))
    for loss in losses:
        chosen.console.warn(loss)
    if losses or not stack.is_local:
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
    fdl = _checked(chosen)
    stack = chosen.reopened()
    fdl = _named(fdl, stack)
    _names_must_be_free(fdl, stack)
    result = stack.preview()
    chosen.console.say(output.to_do(result.changes) or "no changes")
    return {
        "changes": output.changes_document(result.changes),
        "resources": [output.step_document(step) for step in result.steps],
        "seconds": dict(result.seconds),
    }


@click.command
@_on_stack
@_PROJECT_OPTION
@yes_option
@config_option
@json_option
def refresh(chosen: ChosenStack) -> Document:
    """Update the stack's state to match the cloud."""
    stack = chosen.open()
    if _outputs_or_none(stack) is None:  # one whose first `up` has failed has no outputs, but may have resources
        raise _not_deployed(chosen, stack)
    if not stack.is_local:
        chosen.must_agree("refresh", stack)
    result = stack.refresh()
    chosen.console.say(f"refresh: {output.done(result.changes)} ({output.durations(result.seconds)})")
    return output.result_document(result)


@click.command
@_on_stack
@_PROJECT_OPTION
@yes_option
@_LEAVE_OPTION
@config_option
@json_option
def destroy(chosen: ChosenStack) -> Document:
    """Delete the stack's resources; buckets and their files stay.

    With --config scar:deleteBuckets=true, the buckets that the stack created are deleted as well.
    """
    stack = chosen.open()
    outputs = _outputs_or_none(stack)
    if outputs is None:
        chosen.console.say(f"{_described(stack)}: nothing is deployed{_deployed_instead(chosen)}")
        return {"changes": output.NO_CHANGES, "remaining": [], "seconds": {}}
    if other := _other_file(chosen, stack):
        chosen.console.warn(f"{_described(stack)} was deployed from {other}, not from {chosen.file}")
    for line in _destroyed(stack, StackOutputs.read_any(outputs)):
        chosen.console.note(line)
    chosen.must_agree("destroy", stack)
    clusters = remember_clusters(stack, outputs)
    result = stack.destroy()
    source_files.forget(stack.project, stack.name)
    chosen.console.note(f"destroy: {output.done(result.changes)} ({output.durations(result.seconds)})", "green")
    return {
        "changes": output.changes_document(result.changes),
        "remaining": _remaining_buckets(chosen, outputs, clusters),
        "seconds": dict(result.seconds),
    }


@click.command
@_on_stack
@_PROJECT_OPTION
@json_option
def outputs(chosen: ChosenStack) -> Document:
    """Show the stack's functions, services and buckets."""
    found = _deployed_outputs(chosen, chosen.open())
    _show_outputs(chosen, found)
    return found


def _checked(chosen: ChosenStack) -> "Fdl | None":
    """Check the FDL file before anything else happens, and return it; None where the project configures one."""
    if chosen.file is None:
        return None
    from scar_pulumi.deploy.checks import undeployable  # noqa: PLC0415 - help and other verbs read no FDL
    from scar_pulumi.deploy.quotas import Surroundings  # noqa: PLC0415 - likewise
    from scar_pulumi.fdl import FdlError, load  # noqa: PLC0415 - likewise

    fdl = load(chosen.file, chosen.overrides)
    if problems := undeployable(fdl, Surroundings(project_of_file(chosen.file) or "", chosen.name)):
        raise FdlError(problems)
    return fdl


def _named(fdl: "Fdl | None", stack: "Stack") -> "Fdl | None":
    """Return the file with the names that the stack gives to what it makes."""
    if fdl is None or not stack.has_unique_names:
        return fdl
    from scar_pulumi.deploy.unique_names import with_unique_names  # noqa: PLC0415 - brings the components

    return with_unique_names(fdl, stack.name)


def _names_must_be_free(fdl: "Fdl | None", stack: "Stack") -> None:
    """Check that no other stack on the local cloud has a function of the same name.

    Raises:
        InputError: One has.
    """
    if fdl is None or not stack.is_local:
        return
    regions = {one.name: one.region or stack.region for one in fdl.functions}
    for mapreduce in fdl.mapreduces:
        regions |= dict.fromkeys(mapreduce.function_names, mapreduce.region or stack.region)
    taken = [
        f"function {name}: the name is taken by {holder}; an account and region has each name once; destroy that stack "
        f"(`scar-pulumi destroy --project {holder.project}{stack_hint(holder.stack)}`), or give this one "
        "names of its own: --config scar:uniqueNames=true"
        for name, holder in holders(regions, stack.project, stack.name)
    ]
    if taken:
        raise InputError("\n".join(taken))


def _losses(chosen: ChosenStack, stack: "Stack", fdl: "Fdl | None") -> Iterator[str]:
    """Yield what an `up` would delete that is not to be had again, or that another file has deployed."""
    if fdl is None:
        return
    before = StackOutputs.read_any(_outputs_or_none(stack) or {})
    lost = sorted({*before.functions, *before.mapreduces} - {one.name for one in fdl.on_aws})
    if lost and (other := _other_file(chosen, stack)):
        yield (
            f"{_described(stack)} was deployed from {other}; functions that {chosen.file} does not have will be "
            f"deleted: {', '.join(lost)} (another stack, such as --stack {stack.name}-2, keeps both)"
        )
    paths = [path for user in fdl.on_aws for path in (*user.input, *user.output)]
    unused = sorted({one.name for one in before.buckets if one.managed} - {path.bucket for path in paths})
    if unused and stack.deletes_buckets:
        yield f"buckets will be deleted with all their files: {', '.join(unused)} (scar:deleteBuckets)"


def _other_file(chosen: ChosenStack, stack: "Stack") -> Path | None:
    """Return the file that the stack was deployed from, if it is known and is not the chosen one."""
    return source_files.other_file(stack.project, stack.name, chosen.file) if chosen.file else None


def _described(stack: "Stack") -> str:
    return f"stack {stack.name} of project {stack.project}"


def _destroyed(stack: "Stack", outputs: StackOutputs) -> Iterator[str]:
    """Yield what a `destroy` deletes and what it leaves."""
    called = [f"function {name}" for name in outputs.functions]
    called += [f"mapreduce {name} with what its runs keep" for name in outputs.mapreduces]
    called += [f"service {output.label(service)}" for service in outputs.services()]
    gone = [bucket for bucket in outputs.buckets if bucket.managed and stack.deletes_buckets]
    named = [*called, *(f"bucket {bucket.name} with all its files" for bucket in gone)]
    yield f"to be deleted: {', '.join(named) or 'all resources of the stack'}"
    if staying := [bucket for bucket in outputs.buckets if bucket not in gone]:
        yield f"stays with its files: {', '.join(f'bucket {bucket.name}' for bucket in staying)}"


def _deployed_instead(chosen: ChosenStack) -> str:
    """Return which projects have a stack of the name, for whoever has renamed or moved a file."""
    known = [f"{name} (from {file})" if file else name for name, file in projects_deployed(chosen.name).items()]
    return f"; projects with a stack {chosen.name}: {', '.join(known)}; --project NAME chooses one" if known else ""


def _show_outputs(chosen: ChosenStack, outputs: Mapping[str, Any]) -> None:
    for line in output.output_lines(outputs):
        chosen.console.say_foreign(line)


def _remaining_buckets(
    chosen: ChosenStack, outputs: Mapping[str, Any], clusters: list[DeployedCluster]
) -> list[Document]:
    """Show which buckets remain, and the command that removes each; those of clusters take tools of MinIO's own."""
    deployments = Deployments.find(chosen.name, progress=chosen.console.tell)
    documents: list[Document] = []
    for bucket in deployments.remaining_buckets(StackOutputs.read_any(outputs)):
        command = f"scar-pulumi rm {bucket.name} --recursive{stack_hint(chosen.name)}"
        origin = "" if bucket.managed else " (which this stack did not create)"
        chosen.console.say(f"bucket {bucket.name}{origin} remains with its files; `{command}` removes it")
        documents.append({"name": bucket.name, "managed": bucket.managed, "command": command})
    for kept in kept_buckets(clusters, lambda: deployments.clients):
        documents += _kept_in_cluster(chosen, kept)
    return documents


def _kept_in_cluster(chosen: ChosenStack, kept: KeptBuckets) -> list[Document]:
    place = f"cluster {kept.cluster} ({kept.endpoint})"
    if kept.doubt:
        chosen.console.warn(f"{place}: may still have the buckets {', '.join(kept.names)}: {kept.doubt}")
    for name in () if kept.doubt else kept.names:
        chosen.console.say(f"bucket {name} of {place} remains with its files; MinIO's own tools remove it")
    doubt = {"doubt": kept.doubt} if kept.doubt else {}
    return [{"name": f"minio.{kept.cluster}/{name}", "managed": True, "command": None, **doubt} for name in kept.names]


def _deployed_outputs(chosen: ChosenStack, stack: "Stack") -> Mapping[str, Any]:
    found = _outputs_or_none(stack)
    if not found:
        raise _not_deployed(chosen, stack)
    return found


def _not_deployed(chosen: ChosenStack, stack: "Stack") -> ScarError:
    command = f"scar-pulumi up {chosen.file or 'FILE'}{stack_hint(chosen.name)}"
    return ScarError(f"{_described(stack)}: not deployed; `{command}` deploys it{_deployed_instead(chosen)}")


def _outputs_or_none(stack: "Stack") -> Mapping[str, Any] | None:
    try:
        return outputs_of(stack)
    except InputError:  # there is no such stack
        return None
