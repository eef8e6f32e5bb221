"""A call's answer, shown or written to a file, and where more can be read."""

from pathlib import Path

from scar_foundation.errors import InputError
from scar_pulumi.cli._target import stack_hint
from scar_pulumi.cli.console import Console
from scar_pulumi.client.invocation import Invocation


def show_answer(invocation: Invocation, output: Path | None, console: Console) -> None:
    """Write the answer where it is wanted.

    Raises:
        InputError: The file cannot be written.
    """
    if output is not None:
        try:
            output.write_bytes(invocation.body)
        except OSError as error:
            raise InputError(f"{output}: {error.strerror}; the function has run all the same") from None
        console.note(f"{output}: {len(invocation.body)} bytes")
    elif not console.json:
        console.write(invocation.body)


def log_hint(invocation: Invocation, stack: str) -> str:
    """Return the command that shows what a call has logged."""
    command = f"scar-pulumi logs {invocation.function} --request-id {invocation.request_id}{stack_hint(stack)}"
    return f"`{command}` shows the whole log"
