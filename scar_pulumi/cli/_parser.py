"""Reading the command line."""

import argparse
import difflib
import sys
from collections.abc import Sequence
from typing import NoReturn

from scar_foundation.errors import InputError
from scar_pulumi.cli._verbs import GROUPS, VERBS, Verb

_PROGRAM = "scar-pulumi"


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are exceptions, so that `--json` can report them too."""

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong, with the usage."""
        raise InputError(f"{message}\n{self.format_usage().strip()}")


def parse(argv: Sequence[str]) -> tuple[Verb, argparse.Namespace]:
    """Read the command line.

    Raises:
        InputError: It cannot be understood.
        SystemExit: Help or the version was asked for, and has been printed.
    """
    name = next((argument for argument in argv if not argument.startswith("-")), None)
    if name is None or name not in VERBS:
        _global_options(argv, name)
    assert name is not None
    verb, at = VERBS[name], argv.index(name)
    parser = Parser(prog=f"{_PROGRAM} {name}", description=_sentence(verb.summary), allow_abbrev=False)
    verb.load().configure(name, parser)
    if at:
        _global_options(argv[:at], None, required=False)
    return verb, parser.parse_args(argv[at + 1 :])


def json_option(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="print one JSON document on stdout, all else on stderr")


def yes_option(parser: argparse.ArgumentParser) -> None:
    """Add `--yes`."""
    parser.add_argument("-y", "--yes", action="store_true", help="don't ask")


def _global_options(argv: Sequence[str], name: str | None, *, required: bool = True) -> None:
    parser = Parser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [--version] VERB …",
        description="Container functions on files, declared in FDL, deployed by the Pulumi engine.",
        epilog=_verb_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    if name is None:
        parser.parse_args(argv)
    else:
        parser.parse_known_args(argv[: argv.index(name)])
        close = difflib.get_close_matches(name, VERBS, n=1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise InputError(f"{name}: no such verb{meant} (there are: {', '.join(VERBS)})")
    if required:
        raise InputError(f"no verb is given (there are: {', '.join(VERBS)}); `{_PROGRAM} --help` describes them")


def _verb_list() -> str:
    width = max(map(len, VERBS)) + 2
    blocks = [
        "\n".join([f"{title}:", *(f"  {verb.name:<{width}}{verb.summary}" for verb in verbs)])
        for title, verbs in GROUPS.items()
    ]
    return "\n\n".join([*blocks, f"`{_PROGRAM} VERB --help` describes a verb."])


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from importlib.metadata import version  # noqa: PLC0415 - a tenth of a second that no other verb needs

        sys.stdout.write(f"{_PROGRAM} {version('scar-pulumi')}\n")
        parser.exit()
