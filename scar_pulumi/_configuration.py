"""The keys of the namespace `scar` in a stack's configuration, checked wherever a stack is operated on.

The engine checks only keys of the project's own namespace: without this, a mistyped one of ours would do nothing.
"""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.errors import InputError

KEYS = ("deleteBuckets", "fdl", "overrides")
_BOOLEANS = (True, False, "true", "false")


def check_configuration(stack: str, config: Mapping[str, Any]) -> None:
    """Check configuration by full key, such as `scar:fdl`. Raises InputError for an unknown key or a wrong value."""
    for key in config:
        namespace, _, name = key.partition(":")
        if namespace == "scar" and name not in KEYS:
            raise InputError(
                f"stack {stack}: configuration key {key} is unknown; known are scar:{', scar:'.join(KEYS)}"
            )
    value = config.get("scar:deleteBuckets", False)
    if value not in _BOOLEANS:
        raise InputError(f"stack {stack}: scar:deleteBuckets is {value!r}; it is true or false")
