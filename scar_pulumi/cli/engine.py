"""`engine`: the Pulumi engine that deploys stacks."""

import click

from scar_pulumi import engine as pulumi
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.options import Document, json_option


@click.command
@json_option
@click.pass_obj
def engine(console: Console) -> Document:
    """Find the Pulumi engine, or prepare it.

    Preparing takes some minutes, once. Shows the engine's version, where it comes from, and its command.
    """
    found = pulumi.find_engine(console.tell)
    document = {"version": found.version, "origin": found.origin, "command": str(found.command)}
    for name, value in document.items():
        console.say(f"{name:<9}{value}")
    return document
