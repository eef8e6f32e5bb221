"""What OSCAR's versions call differently. A definition is written as 4.1 takes it, except for ports."""

import re
from collections.abc import Mapping
from typing import Any

from scar_components._oscar_service._errors import OscarError

_REPLICAS = {"members": "replicas", "delegation": "delegation", "rescheduler_threshold": "rescheduler_threshold"}
"""Keys of `federation`, and what they are at the top level up to 4.0."""
FEDERATED = ("federation", *_REPLICAS.values())


def numbers(version: str) -> tuple[int, int]:
    """The first two numbers of a version; the newest known for one that does not say, such as a development build."""
    found = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (4, 1)


def owns_buckets(version: str) -> bool:
    """Whether a service can only be created on buckets that do not exist: so since 4.1."""
    return numbers(version) >= (4, 1)


def shaped(definition: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The definition as a version takes it. Raises OscarError for what that version does not have."""
    newer = numbers(version) >= (4, 1)
    done = dict(definition)
    if isinstance(done.get("expose"), Mapping):
        done["expose"] = dict(done["expose"]) if newer else _one_port(done["expose"], version)
    return _federated(done) if newer else _replicated(done)


def _one_port(expose: Mapping[str, Any], version: str) -> dict[str, Any]:
    done = dict(expose)
    for key in ("api_port", "nodePort"):
        ports = done.get(key)
        if not isinstance(ports, list):
            continue
        if len(ports) > 1:
            raise OscarError(f"expose.{key}: OSCAR {version} takes one port; give one, or use OSCAR 4.1 or later")
        done[key] = ports[0] if ports else 0
    return done


def _federated(definition: dict[str, Any]) -> dict[str, Any]:
    """Replicas as the members of a star, whose centre is this service."""
    given = {new: definition.pop(old) for new, old in _REPLICAS.items() if definition.get(old) is not None}
    if not given.get("members"):
        return definition
    star = {"group_id": definition["name"], "topology": "star"}
    return {**definition, "federation": {**star, **given, **definition.get("federation", {})}}


def _replicated(definition: dict[str, Any]) -> dict[str, Any]:
    federation = definition.pop("federation", None) or {}
    return {**{old: federation[new] for new, old in _REPLICAS.items() if new in federation}, **definition}
