"""Direct invocations that bring what to run: `script`, in base64, or `cmd_args`, a list in JSON."""

import base64
import binascii
import json
from typing import Any

from supervisor.errors import EventInvalid


def script(event: Any) -> bytes | None:
    """The script that the event brings."""
    value = event.get("script") if isinstance(event, dict) else None
    if not value:
        return None
    try:
        return base64.b64decode("".join(str(value).split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise EventInvalid("the event's `script` is not base64; encode the script's bytes") from error


def arguments(event: Any) -> tuple[str, ...] | None:
    """The arguments that the event brings, as a list or as JSON text of one."""
    value = event.get("cmd_args") if isinstance(event, dict) else None
    if not value:
        return None
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise EventInvalid('the event\'s `cmd_args` is not JSON; send a list such as ["df", "-h"]') from error
    if not isinstance(found, list) or not all(isinstance(item, str | int | float) for item in found):
        raise EventInvalid('the event\'s `cmd_args` is not a list of words; send one such as ["df", "-h"]')
    return tuple(str(item) for item in found) or None
