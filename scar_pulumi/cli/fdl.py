"""`fdl`: check, show, convert and draw FDL files, and print the schema for editors; nothing is deployed."""

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from scar_pulumi.cli._parser import json_option
from scar_pulumi.cli._set import overrides, set_option
from scar_pulumi.cli.console import Console, count
from scar_pulumi.fdl import Problem, load

_ACTIONS = {
    "check": "say everything that is wrong with a file, and what may cost money or data",
    "show": "print the resolved document, and where each value came from; secrets are masked",
    "convert": "print a file of SCAR's format of 2019 in today's, with its comments",
    "schema": "print the JSON Schema of the language, for editors",
    "graph": "draw what triggers what",
}
_FORMATS = ("text", "mermaid", "svg")


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in _ACTIONS.items():
        below = actions.add_parser(action, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if action != "schema":
            below.add_argument("file", metavar="FILE", type=Path, help="the FDL file")
        if action in {"check", "show", "graph"}:
            set_option(below)
        if action == "graph":
            below.add_argument("--format", choices=_FORMATS, default="text", help="how to draw it (default: text)")
        json_option(below)


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    """Do it."""
    return _RUN[arguments.action](arguments, console)


def _check(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    fdl = load(arguments.file, overrides(arguments.set))
    _warn(fdl.warnings, console)
    what = [count(len(fdl.functions), "function")] if fdl.functions or not fdl.oscar else []
    what += [count(len(fdl.oscar), "service")] if fdl.oscar else []
    console.say(f"{arguments.file}: {', '.join(what)}, no mistakes")
    names = {"functions": [one.name for one in fdl.functions], "services": [one.name for one in fdl.oscar]}
    return {**names, "warnings": [_document(problem) for problem in fdl.warnings]}


def _show(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    from scar_pulumi.fdl.showing import show  # noqa: PLC0415 - other actions need none of it

    shown = show(arguments.file, overrides(arguments.set))
    _warn(shown.warnings, console)
    for line in shown.lines:
        console.say(line)
    return {"document": shown.document, "origins": dict(shown.origins)}


def _convert(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    from scar_pulumi.fdl.format_2019 import convert  # noqa: PLC0415 - likewise

    text, problems = convert(arguments.file)
    _warn(problems, console)
    console.say(text.removesuffix("\n"))
    return {"text": text, "warnings": [_document(problem) for problem in problems]}


def _schema(_arguments: Namespace, console: Console) -> Mapping[str, Any]:
    from scar_pulumi.fdl.json_schema import json_schema  # noqa: PLC0415 - likewise

    schema = json_schema()
    console.say(json.dumps(schema, indent=2, ensure_ascii=False))
    return schema


def _graph(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    from scar_pulumi.fdl.graph import (  # noqa: PLC0415 - likewise
        as_mermaid,
        as_svg,
        as_text,
        graph_of,
    )

    fdl = load(arguments.file, overrides(arguments.set))
    _warn(fdl.warnings, console)
    graph = graph_of(fdl)
    for line in {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}[arguments.format](graph):
        console.say(line)
    return {
        "nodes": [vars(node) for node in graph.nodes.values()],
        "edges": [vars(edge) for edge in graph.edges],
    }


def _warn(problems: Iterable[Problem], console: Console) -> None:
    for problem in problems:
        console.warn(str(problem))


def _document(problem: Problem) -> Mapping[str, Any]:
    return {name: getattr(problem, name) for name in Problem.__slots__}


_RUN: Mapping[str, Callable[[Namespace, Console], Mapping[str, Any] | None]] = {
    "check": _check,
    "show": _show,
    "convert": _convert,
    "schema": _schema,
    "graph": _graph,
}
