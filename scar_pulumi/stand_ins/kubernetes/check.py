"""Inputs completed before they are compared: kind, name, namespace."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from scar_pulumi.stand_ins.kubernetes.kinds import Kinds
from scar_pulumi.stand_ins.kubernetes.objects import annotation
from scar_pulumi.stand_ins.plugin.errors import ProviderError
from scar_pulumi.stand_ins.plugin.wire import UNKNOWN, Properties

_AUTONAMED = "pulumi.com/autonamed"


@dataclass
class Checked:
    """Completed inputs, and what is wrong with them: property and reason."""

    inputs: Properties
    failures: list[tuple[str, str]] = field(default_factory=list)


def check(token: str, name: str, olds: Properties, news: Properties, *, seed: bytes, proposed: str | None) -> Checked:
    """Complete the inputs of the resource called `name` in the program."""
    api_version, kind = _of_token(token)
    checked = Checked({"apiVersion": api_version, "kind": kind, **news})
    if kind.endswith("Patch") or (kind.endswith("List") and "items" in news) or ":" in api_version:
        checked.failures.append(
            ("kind", f"{token} is not served by the stand-in kubernetes provider; declare the objects one by one")
        )
    metadata = checked.inputs.get("metadata")
    if metadata == UNKNOWN:
        return checked
    metadata = dict(metadata or {})
    if not metadata.get("name"):
        automatic = _kept_name(olds) or proposed or f"{name}-{_suffix(seed, name)}"
        if proposed == "" and not _kept_name(olds):
            checked.failures.append(("metadata.name", "automatic names are turned off (pulumi:autonaming); give one"))
        metadata["name"] = automatic
        metadata["annotations"] = {**(metadata.get("annotations") or {}), _AUTONAMED: "true"}
    checked.inputs["metadata"] = metadata
    return checked


def settle_namespace(kinds: Kinds, inputs: Properties, default: str) -> None:
    """Fill in the namespace of an object that has to have one; a cluster that does not answer is told of later."""
    metadata = inputs.get("metadata")
    if not isinstance(metadata, dict) or metadata.get("namespace"):
        return
    try:
        found = kinds.look(inputs["apiVersion"], inputs["kind"])
    except ProviderError:
        return
    if found and found.namespaced:
        metadata["namespace"] = default


def is_autonamed(inputs: Mapping[str, Any]) -> bool:
    """Whether the name was made up: a replacement can then come before the old object goes."""
    return annotation(inputs, "autonamed") == "true"


def _of_token(token: str) -> tuple[str, str]:
    """apiVersion and kind of `kubernetes:apps/v1:Deployment`; the core group has no name in an apiVersion."""
    _, module, kind = (*token.split(":"), "", "")[:3]
    return module.removeprefix("core/"), kind


def _kept_name(olds: Properties) -> str | None:
    metadata = olds.get("metadata") or {}
    return metadata.get("name") if is_autonamed(olds) else None


def _suffix(seed: bytes, name: str) -> str:
    return hashlib.sha256(seed + name.encode()).hexdigest()[:8]
