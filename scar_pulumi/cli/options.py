"""Options that several verbs share, as decorators of their commands."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from scar_foundation.directories import DEFAULT_STACK
from scar_foundation.errors import InputError
from scar_pulumi.cli.console import Console

Decorated = TypeVar("Decorated", bound=Callable[..., Any])
Document = Mapping[str, Any]
"""What a verb returns: the document that `--json` prints."""

CALLED_HELP = "The function's name in the FDL file, or an OSCAR service's: NAME or CLUSTER/NAME."
FILE = click.Path(path_type=Path)
json_option = click.option(
    "--json", is_flag=True, expose_value=False, help="Print one JSON document on stdout, everything else on stderr."
)
yes_option = click.option("-y", "--yes", is_flag=True, help="Don't ask for confirmation.")
stack_option = click.option(
    "-s", "--stack", metavar="STACK", default=DEFAULT_STACK, show_default=True, help="The stack."
)
timestamps_option = click.option("--timestamps", is_flag=True, help="Begin each line with its time.")


def _assignments(example: str, *, full_keys: bool = False) -> Callable[..., dict[str, str]]:
    """Return what reads the values of a repeatable KEY=VALUE option."""

    def read(_context: click.Context, option: click.Parameter, assignments: tuple[str, ...]) -> dict[str, str]:
        found = {}
        for assignment in assignments:
            key, equals, value = assignment.partition("=")
            if not key or not equals or (full_keys and ":" not in key):
                kind = "KEY=VALUE with a full key" if full_keys else "KEY=VALUE"
                raise InputError(f"{option.opts[-1]} {assignment}: is not {kind}, such as {example}")
            found[key] = value
        return found

    return read


set_option = click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_assignments("lambda.memory=1024"),
    help="Change a value of the file for this command: lambda.memory=1024, or functions.NAME.lambda.memory=1024. "
    "Repeatable.",
)
config_option = click.option(
    "-c",
    "--config",
    metavar="KEY=VALUE",
    multiple=True,
    callback=_assignments("aws:region=eu-west-1", full_keys=True),
    help="Set a value of the stack's configuration for this command, such as scar:deleteBuckets=true. Repeatable.",
)


def deployments_options(*, search: bool) -> Callable[[Decorated], Decorated]:
    """Add `--stack`, and with `search` `--fdl` and `--project`; the command gets the `deployments` they choose."""

    def decorate(command: Decorated) -> Decorated:
        @functools.wraps(command)
        def run(
            console: Console, /, *, stack: str, fdl: Path | None = None, project: str | None = None, **options: Any
        ) -> Any:
            from scar_pulumi.deployments import Deployments  # noqa: PLC0415 - verbs about files alone do without

            at_most_one({"--fdl": fdl, "--project": project})
            deployments = Deployments.find(stack, project=project, fdl=fdl, progress=console.tell)
            return command(console, deployments, **options)

        decorated: Any = click.pass_obj(run)
        found: Decorated = stack_option(_search_options(decorated) if search else decorated)
        return found

    return decorate


def _search_options(command: Decorated) -> Decorated:
    fdl = click.option("-F", "--fdl", metavar="FILE", type=FILE, help="The FDL file that was deployed.")
    project = click.option("--project", metavar="NAME", help="The Pulumi project that was deployed.")
    return fdl(project(command))


def at_most_one(given: Mapping[str, object]) -> None:
    """Check that at most one of several options is given.

    Raises:
        click.UsageError: More than one is.
    """
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise click.UsageError(f"{names[1]}: not allowed with {names[0]}; leave out one of the two")
