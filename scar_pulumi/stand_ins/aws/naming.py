"""Names that the provider chooses, and names that were meant."""

import hashlib
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from scar_pulumi.stand_ins.aws.model import AutoName

_DIGITS = 7
_PREFIX_DIGITS = 26


def automatic_name(rule: AutoName, resource: str, inputs: Mapping[str, Any], seed: bytes) -> str:
    """A physical name as the genuine provider forms it: "<resource>-<7 hex digits>", or "<prefix><26 hex digits>"."""
    digest = hashlib.sha256(seed).hexdigest()
    ending = rule.suffix[1] if rule.suffix and inputs.get(rule.suffix[0]) else ""
    prefix = inputs.get(rule.prefix) if rule.prefix else None
    if prefix:
        name = f"{str(prefix)[: rule.limit - _PREFIX_DIGITS - len(ending)]}{digest[:_PREFIX_DIGITS]}"
    elif rule.bare:
        name = resource
    else:
        name = f"{resource[: rule.limit - _DIGITS - 1 - len(ending)]}-{digest[:_DIGITS]}"
    return (name.lower() if rule.lower else name) + ending


def resource_name(urn: str) -> str:
    """The resource's name in its URN (the last part, which may hold "::" itself)."""
    return urn.split("::", 3)[-1]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """ " (did you mean …?)" when a known name is near, else nothing."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f" (did you mean {near[0]!r}?)" if near else ""
