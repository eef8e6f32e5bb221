"""The access token that an HTTP endpoint may want: from a file or a variable, so that no list of processes shows it."""

import os
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from scar_foundation.errors import InputError

VARIABLE = "SCAR_TOKEN"


def token_options(parser: ArgumentParser) -> None:
    """Add `--token-file`."""
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        help=f"file with the access token that the HTTP endpoint wants; - is stdin (default: ${VARIABLE})",
    )


def access_token(arguments: Namespace) -> str:
    """Return the token, or the empty string.

    Raises:
        InputError: Its file cannot be read or has none, or what is there is no token.
    """
    source, token = _given(arguments)
    token = token.strip().removeprefix("Bearer ").strip()
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError(f"{source}: is no access token, which is one word")
    if arguments.token_file is not None and not token:
        raise InputError(f"{source}: is empty; write the access token into it")
    return token


def _given(arguments: Namespace) -> tuple[str, str]:
    file = arguments.token_file
    if file == "-":
        return "--token-file", sys.stdin.read()
    if file is not None:
        try:
            return file, Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is not text"
            raise InputError(f"{file}: {reason}") from None
    return VARIABLE, os.environ.get(VARIABLE, "")
