"""Outputs in which whatever the program called secret is secret again, wherever the API server has put it."""

import base64
from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.plugin.wire import Properties, as_secret, conceal, is_secret, secrets, texts

_SHORTEST = 8
"""Characters; shorter ones are words that are found everywhere, such as a user's name."""


def hide(outputs: Mapping[str, Any], raw: Properties) -> Properties:
    """Conceal what is secret in `raw`, the same values in other places, and every Secret's content."""
    known = {text for secret in secrets(raw) for text in texts(secret) if len(text) >= _SHORTEST}
    known |= {base64.b64encode(text.encode()).decode() for text in known}
    concealed: Properties = _everywhere(conceal(dict(outputs), raw), known)
    if outputs.get("kind") == "Secret":
        content = {name: as_secret(outputs[name]) for name in ("data", "stringData") if outputs.get(name)}
        concealed |= content
    return concealed


def _everywhere(value: Any, known: set[str]) -> Any:
    if isinstance(value, dict):
        return value if is_secret(value) else {name: _everywhere(item, known) for name, item in value.items()}
    if isinstance(value, list):
        return [_everywhere(item, known) for item in value]
    return as_secret(value) if isinstance(value, str) and value in known else value
