"""`engine`: the Pulumi engine that stacks are deployed with."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cli._parser import json_option
from scar_pulumi.cli.console import Console
from scar_pulumi.engine import find_engine


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.description = "Find the Pulumi engine, or prepare it (once, some minutes), and show which one it is."
    json_option(parser)


def run(_verb: str, _arguments: Namespace, console: Console) -> Mapping[str, Any]:
    """Make the engine ready and show it."""
    engine = find_engine(console.note)
    document = {"version": engine.version, "origin": engine.origin, "command": str(engine.command)}
    for name, value in document.items():
        console.say(f"{name:<9}{value}")
    return document
