"""Options that several verbs share, and the verbs' table of contents: click's decorators and group."""

import difflib
import functools
import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Verb:
    """A verb or action as help lists it, and the module that has it."""

    name: str
    summary: str
    module: str

    def load(self) -> click.Command:
        """Import the command."""
        command: click.Command = getattr(importlib.import_module(f"scar_pulumi.cli.{self.module}"), self.name)
        return command


class Group(click.Group):
    """A command with commands below it, which says what there is when one is missing or misspelled."""

    noun = "action"

    def __init__(self, **attributes: Any) -> None:
        metavar = f"{self.noun.upper()} …"
        super().__init__(
            invoke_without_command=True,
            no_args_is_help=False,
            subcommand_metavar=metavar,
            callback=self._require_command,
            **attributes,
        )

    def _require_command(self) -> None:
        context = click.get_current_context()
        if context.invoked_subcommand is None:
            known = ", ".join(self.list_commands(context))
            raise click.UsageError(f"no {self.noun} is given (there are: {known})", context)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the names are always the same
        """Return the commands' names, in the order of help."""
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their titles."""
        sections = self.sections(ctx)
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in rows])

    def sections(self, ctx: click.Context) -> Mapping[str, Sequence[tuple[str, str]]]:  # noqa: ARG002 - as above
        """Return names and summaries of the commands by the titles that help has for them."""
        rows = [(name, command.get_short_help_str(limit=100)) for name, command in self.commands.items()]
        return {f"{self.noun.capitalize()}s": rows}

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a name that does not exist may resemble one that does."""
        name, known = args[0], self.list_commands(ctx)
        if name not in known and not ctx.resilient_parsing and not name.startswith("-"):
            close = difflib.get_close_matches(name, known, n=1)
            meant = f"; did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"{name}: no such {self.noun}{meant} (there are: {', '.join(known)})", ctx)
        return super().resolve_command(ctx, args)


class VerbGroup(Group):
    """The verbs, each imported when it is used, so that help is quick."""

    noun = "verb"

    def __init__(self, groups: Mapping[str, tuple[Verb, ...]], **attributes: Any) -> None:
        super().__init__(**attributes)
        self._groups = groups
        self._verbs = {verb.name: verb for verbs in groups.values() for verb in verbs}

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the names are always the same
        """Return the verbs' names, in the order of help."""
        return list(self._verbs)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import a verb."""
        verb = self._verbs.get(cmd_name)
        return verb.load() if verb else None

    def sections(self, ctx: click.Context) -> Mapping[str, Sequence[tuple[str, str]]]:  # noqa: ARG002 - as above
        """Return the verbs under their groups' titles."""
        return {title: [(verb.name, verb.summary) for verb in verbs] for title, verbs in self._groups.items()}


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
