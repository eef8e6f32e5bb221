"""The FDL reference, made of the tables that the checker reads.

`python -m scar_pulumi.fdl.reference` writes it anew in a checkout, and the JSON Schema with it.
"""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from scar_pulumi.fdl.format_2019 import FUNCTION_2019, RENAMED
from scar_pulumi.fdl.json_schema import json_schema
from scar_pulumi.fdl.kinds import Anything, Choice, Flag, Items, Key, Kind, Section, Table, Text, Whole
from scar_pulumi.fdl.tables import AWS_FUNCTION, DOCUMENT, SERVICE
from scar_pulumi.fdl.tables.oscar import CLUSTERS
from scar_pulumi.fdl.tables.storage import STORAGE_TYPES

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "fdl-reference.md"
SCHEMA = Path(__file__).with_name("fdl.schema.json")

_HEAD = """\
# FDL reference

Every key of an FDL file. This page is generated from the tables that `scar-pulumi fdl check` reads; change those
(`scar_pulumi/fdl/tables/`) and run `python -m scar_pulumi.fdl.reference`.

A dot separates a key from the key that it stands below, and `[]` marks the entries of a list. A key without a value is
the same as no key. `scar-pulumi fdl show FILE` prints a file with all defaults, and `scar-pulumi fdl schema` prints a
JSON Schema, with which editors complete and check keys.
"""
_REFERENCES = """\
Credentials and variables may hold `${env:NAME}` (an environment variable), `${config:key}` (the stack's configuration)
or `${ssm:/path}` (AWS's Parameter Store). They are filled in when the file is deployed; `$${` stands for a plain `${`.
"""
_PLACES_TODAY = {
    **{name: f"`{path}`" for name, path in RENAMED.items()},
    "environment": "`lambda.container.environment.Variables`",
    "lambda_environment": "`lambda.environment.Variables`, `storage_providers`",
    "s3": "`lambda.input`, `lambda.output`",
}
_FORMAT_2019 = """\
SCAR's older format has the settings of a function directly below its name, in `functions`. It is read as it is;
`scar-pulumi fdl convert FILE` prints it in today's format, with the comments where they belong.
"""


class _Row(NamedTuple):
    path: str
    key: Key
    section: Section


def reference() -> str:
    """Return the reference as Markdown."""
    aws = AWS_FUNCTION.keys
    chapters = [
        _HEAD,
        _chapter("The document", DOCUMENT, depth=1),
        _chapter("Functions on AWS: `functions.aws[]`", AWS_FUNCTION, depth=0),
        *(_chapter(f"`functions.aws[].{name}`", aws[name].kind, level=3) for name in aws if aws[name].note is None),
        _chapter("Services on OSCAR clusters: `functions.oscar[].<cluster id>`", SERVICE),
        "Keys that are not listed are passed on to OSCAR, with a warning.\n",
        _chapter("Clusters: `clusters.<cluster id>`", CLUSTERS.kind),
        "## Storage: `storage_providers`\n",
        *(_chapter(f"`storage_providers.{name}.<name>`", key.kind, level=3) for name, key in STORAGE_TYPES.items()),
        "## References\n",
        _REFERENCES,
        "## The format of 2019: `functions.<name>`\n",
        _FORMAT_2019,
        _table_2019(),
    ]
    return "\n".join(chapters)


def _chapter(title: str, kind: Kind, *, level: int = 2, depth: int = 9) -> str:
    section = kind.of if isinstance(kind, Table) else kind
    assert isinstance(section, Section), title
    rows = list(_rows(section, "", depth))
    effective = [row for row in rows if row.key.note is None]
    lines = [f"{'#' * level} {title}", "", *(_table(effective) if effective else ())]
    if conditions := [f"- {condition}" for condition in _conditions(rows, section)]:
        lines += ["", *conditions]
    if without := [row for row in rows if row.key.note is not None]:
        lines += ["", "Accepted without effect:", "", "| Key | What it is | Why |", "| --- | --- | --- |"]
        lines += [f"| `{row.path}` | {row.key.doc} | {_cell(row.key.note or '')} |" for row in without]
    return re.sub(r"\n{3,}", "\n\n", "\n".join([*lines, ""]))


def _rows(section: Section, path: str, depth: int) -> Iterator[_Row]:
    for name, key in section.keys.items():
        here = f"{path}.{name}" if path else name
        yield _Row(here, key, section)
        below, ending = _below(key.kind)
        if below is not None and depth > 0:
            yield from _rows(below, here + ending, depth - 1)


def _below(kind: Kind) -> tuple[Section | None, str]:
    """Return the section that a kind holds, and what a path has before its keys."""
    if isinstance(kind, Section):
        return kind, ""
    if isinstance(kind, Items) and isinstance(kind.of, Section):
        return kind.of, "[]"
    return None, ""


def _table(rows: list[_Row]) -> Iterator[str]:
    yield "| Key | Type | Default | What it does |"
    yield "| --- | --- | --- | --- |"
    for path, key, _ in rows:
        more = f" [AWS]({key.link})" if key.link else ""
        names = "".join(f" or `{alias}`" for alias in key.aliases if alias.isidentifier())
        yield f"| `{path}`{names} | {_cell(_type(key.kind))} | {_cell(_default(key))} | {_cell(key.doc)}{more} |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(key: Key) -> str:
    if key.required:
        return "**required**"
    if key.default_doc is not None:
        return key.default_doc
    return f"`{_yaml(key.default)}`" if key.default not in (None, ()) else ""


def _yaml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_yaml, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _type(kind: Kind) -> str:
    return _TYPES[type(kind)](kind)


def _text(kind: Text) -> str:
    limit = f", at most {kind.longest} characters" if kind.longest and not kind.is_file else ""
    if kind.or_content:
        return "path of a file, or block text"
    return "path of a file" if kind.is_file else f"{_noun(kind)}{limit}"


def _noun(kind: Text) -> str:
    return kind.what.removeprefix("an ").removeprefix("a ")


def _whole(kind: Whole) -> str:
    besides = f" or {', '.join(map(str, kind.besides))}" if kind.besides else ""
    return f"whole number, {kind.minimum} to {kind.maximum}{f' {kind.unit}' if kind.unit else ''}{besides}"


def _choice(kind: Choice) -> str:
    *first, last = (f"`{value}`" if isinstance(value, str) else str(value) for value in kind.values)
    return f"{', '.join(first)} or {last}" if first else last


def _items(kind: Items) -> str:
    if isinstance(kind.of, Section):
        return "list of maps"
    least, most = kind.least, kind.most
    counted = f" ({least} to {most})" if most and least != most else f" ({most})" if most else ""
    one = _type(kind.of)
    return f"{one}, or a list" if kind.single else f"list{counted}: {one}"


def _table_kind(kind: Table) -> str:
    most = f"at most {kind.most} " if kind.most else ""
    inner = "settings" if isinstance(kind.of, Section) else _type(kind.of)
    return f"map of {most}{_noun(kind.names)}s to {inner}"


def _section(kind: Section) -> str:
    return f"map, or `{kind.shorthand}` alone" if kind.shorthand else "map"


_TYPES: dict[type, Callable[[Any], str]] = {
    Text: _text,
    Whole: _whole,
    Flag: lambda _: "true or false",
    Choice: _choice,
    Items: _items,
    Table: _table_kind,
    Section: _section,
    Anything: lambda _: "anything",
}


def _conditions(rows: list[_Row], top: Section) -> Iterator[str]:
    """Return what a section says of several keys together."""
    found = {id(top): ("", top)}
    for path, key, _ in rows:
        below, ending = _below(key.kind)
        if below is not None:
            found.setdefault(id(below), (f"{path}{ending}.", below))
    for path, section in found.values():
        for words, names in (
            ("Exactly one of {} is needed.", section.exactly_one),
            ("At least one of {} is needed.", section.at_least_one),
            ("{} are given together or not at all.", section.together),
        ):
            if names:
                yield words.format(" and ".join(f"`{path}{name}`" for name in names))


def _table_2019() -> str:
    lines = ["| Key | Today | What it does |", "| --- | --- | --- |"]
    for name, key in FUNCTION_2019.keys.items():
        effect = f" No effect: {key.note}." if key.note else ""
        lines.append(f"| `{name}` | {_PLACES_TODAY.get(name, '')} | {_cell(key.doc + effect)} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    REFERENCE.write_text(reference(), encoding="utf-8")
    SCHEMA.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
