"""Options that several verbs share, as decorators of their commands."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from scar_foundation.errors import InputError
from scar_pulumi.cli.console import Console
from scar_pulumi.deployments import DEFAULT_STACK, Deployments

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


def set_option(command: Decorated) -> Decorated:
    """Add `--set`, which the command gets as `overrides`, by key."""
    return click.option(
        "--set",
        "overrides",
        metavar="KEY=VALUE",
        multiple=True,
        callback=lambda _ctx, _param, values: _assignments("--set", values),
        help="Change a value of the file for this command: lambda.memory=1024, or functions.NAME.lambda.memory=1024. "
        "Repeatable.",
    )(command)


def config_option(command: Decorated) -> Decorated:
    """Add `--config`, which the command gets as `config`, by full key."""
    return click.option(
        "-c",
        "--config",
        metavar="KEY=VALUE",
        multiple=True,
        callback=lambda _ctx, _param, values: _configuration(values),
        help="Set a value of the stack's configuration for this command, such as scar:deleteBuckets=true. Repeatable.",
    )(command)


def deployments_options(*, search: bool) -> Callable[[Decorated], Decorated]:
    """Add `--stack`, and with `search` `--fdl` and `--project`; the command gets the `deployments` they choose."""

    def decorate(command: Decorated) -> Decorated:
        @functools.wraps(command)
        def run(
            console: Console, /, *, stack: str, fdl: Path | None = None, project: str | None = None, **options: Any
        ) -> Any:
            at_most_one({"--fdl": fdl, "--project": project})
            deployments = Deployments.find(stack, project=project, fdl=fdl, progress=console.note)
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


def _assignments(option: str, values: tuple[str, ...], example: str = "lambda.memory=1024") -> dict[str, str]:
    found = {}
    for assignment in values:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise InputError(f"{option} {assignment}: is not KEY=VALUE, such as {example}")
        found[key] = value
    return found


def _configuration(values: tuple[str, ...]) -> dict[str, str]:
    config = _assignments("--config", values, "aws:region=eu-west-1")
    for key in config:
        if ":" not in key:
            raise InputError(
                f"--config {key}={config[key]}: is not KEY=VALUE with a full key, such as aws:region=eu-west-1"
            )
    return config
