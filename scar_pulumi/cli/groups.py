"""Groups of commands: the verbs, imported when they are used, and the actions of a verb."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click

# What Pulumi, Terraform, AWS and shells call them.
_ELSEWHERE: Mapping[str, str] = {
    "apply": "up",
    "call": "invoke",
    "cp": "put",
    "create": "up",
    "delete": "destroy",
    "deploy": "up",
    "download": "get",
    "list": "ls",
    "plan": "preview",
    "upload": "put",
}
_ALSO_IN_SCAR = frozenset({"get", "init", "invoke", "log", "ls", "put", "rm", "run", "update"})
"""SCAR's verbs; see `scar_pulumi.cli.scar_spelling`."""
_DELETING = frozenset({"cancel", "destroy", "reset", "rm"})
_CERTAIN = 0.8
"""How alike a name and a command are that deletes, in difflib's ratio."""


@dataclass(frozen=True)
class Verb:
    """A verb as help lists it, and the module that has it."""

    name: str
    summary: str
    module: str

    def load(self) -> click.Command:
        """Import the command."""
        command: click.Command = getattr(importlib.import_module(f"scar_pulumi.cli.{self.module}"), self.name)
        return command


class Group(click.Group):
    """A command with commands below it, which lists them when one is missing or misspelled."""

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
            close = _meant(name, known)
            meant = f"; did you mean {close}?" if close else ""
            raise click.UsageError(f"{name}: no such {self.noun}{meant} (there are: {', '.join(known)})", ctx)
        return super().resolve_command(ctx, args)


def _meant(name: str, known: Sequence[str]) -> str:
    """Return the command that a name stands for elsewhere, or is a misspelling of; empty for none.

    What deletes is proposed only for its own misspellings: `deploy` resembles `destroy`.
    """
    if (same := _ELSEWHERE.get(name, "")) in known:
        return same
    from difflib import get_close_matches  # noqa: PLC0415 - help needs none of it

    close = get_close_matches(name, [one for one in known if one not in _DELETING], n=1)
    certain = get_close_matches(name, known, n=1, cutoff=_CERTAIN)
    return next(iter([*certain, *close]), "")


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb, in today's spelling or in SCAR's."""
        name, *rest = args
        if name in _ALSO_IN_SCAR:
            from scar_pulumi.cli.scar_spelling import find_command  # noqa: PLC0415 - help of the others needs none of it

            if command := find_command(name, rest):
                return name, command, rest
        return super().resolve_command(ctx, args)

    def sections(self, ctx: click.Context) -> Mapping[str, Sequence[tuple[str, str]]]:  # noqa: ARG002 - as above
        """Return the verbs under their groups' titles."""
        return {title: [(verb.name, verb.summary) for verb in verbs] for title, verbs in self._groups.items()}
