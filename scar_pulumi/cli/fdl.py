"""`fdl`: check, show, convert and draw FDL files, and print the schema for editors; nothing is deployed."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from scar_foundation.directories import DEFAULT_STACK
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.groups import Group
from scar_pulumi.cli.options import FILE, Document, json_option, set_option
from scar_pulumi.cli.output import count

if TYPE_CHECKING:
    from scar_pulumi.fdl import Problem

# Each action imports what it needs: help and completion read no FDL.
# ruff: noqa: PLC0415


_file_argument = click.argument("file", type=FILE, help="The FDL file.")
fdl = Group(name="fdl", help="Check, show, convert and draw FDL files.")


@fdl.command
@_file_argument
@set_option
@json_option
@click.pass_obj
def check(console: Console, file: Path, overrides: Mapping[str, str]) -> Document:
    """Report everything that is wrong with a file, and what may cost money or data."""
    from scar_pulumi.deploy.quotas import Surroundings, beyond_quotas
    from scar_pulumi.fdl import FdlError, load

    found = load(file, overrides)
    warnings = (*found.warnings, *found.elsewhere)
    if problems := beyond_quotas(found, Surroundings(file.stem, DEFAULT_STACK)):
        raise FdlError((*warnings, *problems))
    _warn(warnings, console)
    others = found.oscar or found.mapreduces
    parts = [count(len(found.functions), "function")] if found.functions or not others else []
    parts += [count(len(found.mapreduces), "MapReduce")] if found.mapreduces else []
    parts += [count(len(found.oscar), "service")] if found.oscar else []
    console.say(f"{file}: {', '.join(parts)}, no mistakes")
    names = {
        "functions": [one.name for one in found.functions],
        "mapreduces": [one.name for one in found.mapreduces],
        "services": [one.name for one in found.oscar],
    }
    return {**names, "warnings": [_document(problem) for problem in warnings]}


@fdl.command
@_file_argument
@set_option
@json_option
@click.pass_obj
def show(console: Console, file: Path, overrides: Mapping[str, str]) -> Document:
    """Print the resolved document, and where each value comes from; secrets are masked."""
    from scar_pulumi.fdl.showing import show as resolve

    shown = resolve(file, overrides)
    _warn(shown.warnings, console)
    for line in shown.lines:
        console.say(line)
    return {"document": shown.document, "origins": dict(shown.origins)}


@fdl.command
@_file_argument
@json_option
@click.pass_obj
def convert(console: Console, file: Path) -> Document:
    """Print a file of SCAR's 2019 format in today's format, with its comments."""
    from scar_pulumi.fdl.format_2019 import convert as converted

    text, problems = converted(file)
    _warn(problems, console)
    console.say(text.removesuffix("\n"))
    return {"text": text, "warnings": [_document(problem) for problem in problems]}


@fdl.command
@json_option
@click.pass_obj
def schema(console: Console) -> Document:
    """Print the JSON Schema of the language, for editors."""
    from scar_pulumi.fdl.json_schema import json_schema

    document = json_schema()
    console.say(json.dumps(document, indent=2, ensure_ascii=False))
    return document


@fdl.command
@_file_argument
@set_option
@click.option(
    "--format",
    "kind",
    type=click.Choice(["text", "mermaid", "svg"]),
    default="text",
    show_default=True,
    help="How to draw it.",
)
@json_option
@click.pass_obj
def graph(console: Console, file: Path, overrides: Mapping[str, str], kind: str) -> Document:
    """Draw what triggers what."""
    from scar_pulumi.fdl import load
    from scar_pulumi.fdl.graph import as_mermaid, as_svg, as_text, graph_of

    found = load(file, overrides)
    _warn(found.warnings, console)
    drawn = graph_of(found)
    for line in {"text": as_text, "mermaid": as_mermaid, "svg": as_svg}[kind](drawn):
        console.say(line)
    return {"nodes": [vars(node) for node in drawn.nodes.values()], "edges": [vars(edge) for edge in drawn.edges]}


def _warn(problems: Iterable["Problem"], console: Console) -> None:
    for problem in problems:
        console.warn(str(problem))


def _document(problem: "Problem") -> Document:
    return {name: getattr(problem, name) for name in problem.__slots__}
