"""What kind of value a plain (unquoted) YAML scalar is, by YAML 1.2's core schema.

YAML 1.1, which PyYAML resolves by, makes `no`, `12:30` and `2024-01-01` something else than text and reads 0512 as 330.
https://yaml.org/spec/1.2.2/#103-core-schema
"""

import re

from scar_pulumi.fdl._nodes import ScalarKind

_TAG = "tag:yaml.org,2002:"
_KINDS: dict[str, ScalarKind] = {
    "str": "text",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "null": "null",
    "timestamp": "text",
}
_WORDS: dict[str, ScalarKind] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), "null"),
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "boolean"),
    **dict.fromkeys((".inf", ".Inf", ".INF", "-.inf", "+.inf", ".nan", ".NaN", ".NAN"), "number"),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_FIRST_OF_NUMBER = frozenset("0123456789+-.")


def plain_kind(text: str) -> ScalarKind:
    """The kind of an unquoted scalar without a tag."""
    if (kind := _WORDS.get(text)) is not None:
        return kind
    if text[0] not in _FIRST_OF_NUMBER:
        return "text"
    if _INTEGER.fullmatch(text):
        return "integer"
    return "number" if _NUMBER.fullmatch(text) else "text"


def tagged_kind(tag: str) -> ScalarKind | None:
    """The kind that an explicit tag asks for; None for a tag that has no meaning in FDL."""
    return _KINDS.get(tag.removeprefix(_TAG)) if tag.startswith(_TAG) else None
