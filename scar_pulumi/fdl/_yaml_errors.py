"""The YAML parser's own complaints, in words that say what to do."""

import re
from typing import NamedTuple

import yaml

from scar_pulumi.fdl.problems import Mark, Report


class _Words(NamedTuple):
    pattern: str
    message: str
    hint: str | None = None
    # Whether to point at what was opened instead of where it was missed, which is often the end of the file.
    at_start: bool = False


# libyaml and its Python twin word some of them differently; the first match counts.
_WORDS = (
    _Words(
        "mapping values are not allowed",
        "a ':' is not expected here",
        "is the line above indented differently, or does a value that contains ': ' need quotes?",
    ),
    _Words(
        "could not find expected ':'|simple key.*':'",
        "a ':' is missing after this key",
        "write 'key: value'; does a text of several lines need '|'?",
    ),
    _Words(
        "did not find expected key|expected <block end>", "this line fits no level above it", "check the indentation"
    ),
    _Words("did not find expected '-' indicator", "this line fits no level above it", "check the indentation"),
    _Words(
        r"did not find expected ',' or '\]'|expected ',' or '\]'",
        "a ',' or ']' is missing",
        "lists in brackets are [a, b]",
        at_start=True,
    ),
    _Words(
        r"did not find expected ',' or '\}'|expected ',' or '\}'",
        "a ',' or '}' is missing",
        "maps in braces are {a: 1, b: 2}",
        at_start=True,
    ),
    _Words("unexpected end of stream", "a quoted text is not closed", "add the closing quote", at_start=True),
    _Words("unknown escape character|escape", "this '\\' starts no known escape", "use single quotes, or '\\\\'"),
    _Words(
        "cannot start any token",
        "this character cannot start a value",
        "quote the value: '@', '`', '%' and others are reserved in YAML",
    ),
    _Words("tag", "this YAML tag cannot be read", "quote the value if it starts with '!'"),
    _Words("anchor|alias", "this anchor or alias cannot be read", "quote the value if it starts with '&' or '*'"),
)


def syntax_problem(error: yaml.YAMLError, text: str, file: str, report: Report) -> None:
    """Report what the parser raised at the line and column it means."""
    said = str(getattr(error, "problem", None) or getattr(error, "context", None) or error)
    words = next((words for words in _WORDS if re.search(words.pattern, said)), _Words("", said))
    marks = [getattr(error, "problem_mark", None), getattr(error, "context_mark", None)]
    mark = next((mark for mark in (reversed(marks) if words.at_start else marks) if mark is not None), None)
    where = Mark(file, mark.line + 1, mark.column + 1) if mark else Mark(file, 1, 1)
    if _tab_at(text, where):
        report.error(where, "", "is not valid YAML: a tab stands in the indentation", "indent with spaces")
        return
    report.error(where, "", f"is not valid YAML: {words.message}", words.hint)


def _tab_at(text: str, where: Mark) -> bool:
    lines = text.split("\n")
    line = lines[where.line - 1] if where.line <= len(lines) else ""
    indentation = line[: len(line) - len(line.lstrip())]
    return "\t" in indentation and where.column <= len(indentation) + 1
