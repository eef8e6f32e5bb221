"""References to values outside of the file: `${env:NAME}`, `${config:key}` and `${ssm:/path}`.

Credentials and variables may hold them; `$${` is a plain `${`. The data of a file keeps them, deploying fills them in.
"""

import re
from typing import Literal, NamedTuple

_START = re.compile(r"(?<!\$)\$\{(env|config|ssm):")
_REFERENCE = re.compile(r"(?<!\$)\$\{(env|config|ssm):([^{}]*)\}")
_NAMES = {
    "env": re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*"),
    "config": re.compile(r"[\w.-]+(?::[\w.-]+)?"),
    # https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
    "ssm": re.compile(r"/?[a-zA-Z0-9_.-]+(?:/[a-zA-Z0-9_.-]+)*(?::[a-zA-Z0-9_.-]+)?"),
}
FORMS = "${env:NAME}, ${config:key} or ${ssm:/path}"


class Reference(NamedTuple):
    """A reference to a value outside of the file.

    Attributes:
        source: "env" is the environment, "config" the stack's configuration, "ssm" the Parameter Store.
        name: Of the variable, the configuration key (the project's without "namespace:"), or the parameter.
    """

    source: Literal["env", "config", "ssm"]
    name: str


def split_references(text: str) -> list[str | Reference]:
    """Return a text as a list of plain parts and references; the empty text is an empty list."""
    parts: list[str | Reference] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        parts += [text[end : found.start()], Reference(found[1], found[2])]  # type: ignore[arg-type] # the pattern names the three
        end = found.end()
    parts.append(text[end:])
    return [part.replace("$${", "${") if isinstance(part, str) else part for part in parts if part != ""]


def has_reference(text: str) -> bool:
    """Return whether a text has the start of a reference."""
    return _START.search(text) is not None


def bad_reference(text: str) -> bool:
    """Return whether one of a text's references is not closed, or names nothing that can exist."""
    whole = _REFERENCE.findall(text)
    return len(whole) < len(_START.findall(text)) or any(not _NAMES[kind].fullmatch(name) for kind, name in whole)
