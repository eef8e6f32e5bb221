"""A service as OSCAR tells it, against what was asked for: defaults and hidden values are no drift."""

from collections.abc import Mapping
from typing import Any

from scar_components._oscar_service._secrets import is_secret
from scar_components._oscar_service._version import FEDERATED, shaped

HIDDEN = "hidden"
"""What OSCAR answers in place of its own MinIO's credentials."""


def observed(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> dict[str, Any]:
    """The definition with the values that OSCAR has for its keys; `asked` itself where nothing has changed."""
    sent = shaped(asked, version)
    seen = {key: _seen(sent[key], answer.get(key), (key,)) for key in asked if key in sent and key not in FEDERATED}
    changed = {key: value for key, value in seen.items() if value != sent[key]}
    return {**asked, **changed}


def differences(asked: Mapping[str, Any], answer: Mapping[str, Any], version: str) -> list[str]:
    """The keys whose values OSCAR has others for."""
    seen = observed(asked, answer, version)
    return [key for key, value in asked.items() if seen[key] != value]


def _seen(asked: Any, answer: Any, path: tuple[str, ...]) -> Any:
    """The answer in the form that was asked; the very same value where both mean the same."""
    if is_secret(path) or answer == HIDDEN or _same(asked, answer, path[-1]):
        return asked
    if isinstance(asked, Mapping) and isinstance(answer, Mapping):
        lower = {str(key).lower(): value for key, value in answer.items()}
        return {
            key: _seen(value, answer.get(key, lower.get(key.lower())), (*path, key)) for key, value in asked.items()
        }
    if isinstance(asked, list) and isinstance(answer, list):
        if len(asked) == len(answer):
            return [_seen(one, other, (*path, "*")) for one, other in zip(asked, answer, strict=True)]
        return [_significant(one) for one in answer]
    return answer


def _same(asked: Any, answer: Any, key: str) -> bool:
    if asked == answer or (not asked and not answer):
        return True
    if isinstance(asked, str) and isinstance(answer, str):
        return key == "path" and asked.strip(" /") == answer.strip(" /")
    if isinstance(asked, bool) or isinstance(answer, bool):
        return False
    # One port is a number up to 4.0 and a list from 4.1 on.
    return isinstance(asked, list) and isinstance(answer, int) and asked == [answer]


def _significant(value: Any) -> Any:
    """An element of a list that was not asked for, without what OSCAR left empty."""
    return {key: inner for key, inner in value.items() if inner} if isinstance(value, Mapping) else value
