"""`docs/cli-reference.md`, from the verbs themselves: `python -m scar_pulumi.cli.reference FILE` writes it."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from scar_pulumi.cli.main import COMPLETION, EXIT_CODES, GROUPS, PROGRAM, command_line

_WIDTH = 10_000  # no line of usage is broken
_HEAD = f"""\
# CLI reference

Generated from the verbs by `python -m scar_pulumi.cli.reference docs/cli-reference.md`; change them, not this file.

Results go to stdout, everything else to stderr. With `--json`, stdout is one JSON document; its `error` says what went
wrong. Colours and progress bars appear on terminals only; `NO_COLOR` turns colours off.

## Shell completion

Verbs, actions, options and files are completed once the shell's start-up file has one of these lines:

| shell | file | line |
|---|---|---|
| Bash 4.4 or later | `~/.bashrc` | `eval "$({COMPLETION}=bash_source {PROGRAM})"` |
| Zsh | `~/.zshrc` | `eval "$({COMPLETION}=zsh_source {PROGRAM})"` |
| fish | `~/.config/fish/completions/{PROGRAM}.fish` | `{COMPLETION}=fish_source {PROGRAM} \\| source` |
"""


def reference() -> str:
    """Return the reference in Markdown."""
    settings = command_line.context_settings
    root = click.Context(command_line, info_name=PROGRAM, terminal_width=_WIDTH, max_content_width=_WIDTH, **settings)
    return "\n".join([_HEAD, *_exit_codes(), *_contents(), *_verbs(root)])


def _exit_codes() -> Iterator[str]:
    yield "## Exit codes\n\n| code | meaning |\n|---|---|"
    yield from (f"| {code} | {meaning} |" for code, meaning in sorted(EXIT_CODES.items()))
    yield ""


def _contents() -> Iterator[str]:
    yield "## Verbs\n\n| verb | what it does |\n|---|---|"
    for verbs in GROUPS.values():
        yield from (f"| [{verb.name}](#{PROGRAM}-{verb.name}) | {_cell(verb.summary)} |" for verb in verbs)
    yield ""


def _verbs(root: click.Context) -> Iterator[str]:
    for verbs in GROUPS.values():
        for verb in verbs:
            yield from _command(verb.load(), root, "##")


def _command(command: click.Command, parent: click.Context, heading: str) -> Iterator[str]:
    context = click.Context(command, parent, command.name, terminal_width=_WIDTH, max_content_width=_WIDTH)
    yield f"{heading} {context.command_path}\n"
    yield f"```\n{context.get_usage().removeprefix('Usage: ')}\n```\n"
    yield f"{_paragraphs(command.help or '')}\n"
    if isinstance(command, click.Group):
        for action in command.commands.values():
            yield from _command(action, context, f"{heading}#")
        return
    parameters = command.get_params(context)
    yield from _table("argument", [one for one in parameters if isinstance(one, click.Argument)], context)
    yield from _table("option", [one for one in parameters if not isinstance(one, click.Argument)], context)


def _table(kind: str, parameters: Sequence[click.Parameter], context: click.Context) -> Iterator[str]:
    if not parameters:
        return
    yield f"| {kind} | what it does |\n|---|---|"
    for name, text in filter(None, (parameter.get_help_record(context) for parameter in parameters)):
        yield f"| `{name}` | {_cell(text)} |"
    yield ""


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
