"""`--set`: values of the FDL file changed for one command."""

from argparse import ArgumentParser
from collections.abc import Iterable

from scar_foundation.errors import InputError


def set_option(parser: ArgumentParser) -> None:
    """Add `--set`."""
    parser.add_argument(
        "--set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="change a value of the file for this once: lambda.memory=1024, or functions.NAME.lambda.memory=1024",
    )


def overrides(assignments: Iterable[str]) -> dict[str, str]:
    """The values of `--set`, by key.

    Raises:
        InputError: One is not KEY=VALUE.
    """
    found = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise InputError(f"--set {assignment}: it is not KEY=VALUE, such as lambda.memory=1024")
        found[key] = value
    return found
