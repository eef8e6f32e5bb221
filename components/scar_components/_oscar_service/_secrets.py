"""What of a definition is secret: it never shows in previews, is encrypted in the state, and is never compared."""

from collections.abc import Mapping
from typing import Any

from pulumi import Output

# Paths in a definition; `*` is every element of a list. OSCAR answers none of them as it was sent.
SECRET_PATHS = (
    ("environment", "secrets"),
    ("storage_providers",),
    ("clusters",),
    ("federation", "members", "*", "headers"),
    ("replicas", "*", "headers"),
)


def marked(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The definition with its secrets as secret outputs."""
    done: dict[str, Any] = dict(definition)
    for path in SECRET_PATHS:
        done = _marked(done, path)
    return done


def is_secret(path: tuple[str, ...]) -> bool:
    """Whether a path leads to something secret."""
    return path in SECRET_PATHS


def _marked(value: Any, path: tuple[str, ...]) -> Any:
    if not path:
        return Output.secret(value)
    key, rest = path[0], path[1:]
    if key == "*" and isinstance(value, list):
        return [_marked(inner, rest) for inner in value]
    if isinstance(value, Mapping) and value.get(key) is not None:
        return {**value, key: _marked(value[key], rest)}
    return value
