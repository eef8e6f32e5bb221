"""The verbs, as a table: the module of a verb is imported when the verb is used, so that `--help` is quick."""

import importlib
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

from scar_pulumi.cli.console import Console


class VerbModule(Protocol):
    """What the module of one or more verbs has."""

    def configure(self, verb: str, parser: ArgumentParser) -> None:
        """Add the verb's arguments to its parser."""

    def run(self, verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
        """Do it; returns the document that `--json` prints."""


@dataclass(frozen=True)
class Verb:
    """A verb of the command line."""

    name: str
    summary: str
    module: str

    def load(self) -> VerbModule:
        """Import the verb's module."""
        return cast(VerbModule, importlib.import_module(f"scar_pulumi.cli.{self.module}"))


GROUPS: Mapping[str, tuple[Verb, ...]] = {
    "stacks": (
        Verb("up", "deploy an FDL file: create or update its stack", "stack"),
        Verb("preview", "show what `up` would change", "stack"),
        Verb("refresh", "bring the stack's state in line with the cloud", "stack"),
        Verb("destroy", "remove the stack's resources; buckets and their files stay", "stack"),
        Verb("outputs", "show what the stack's functions, services and buckets are", "stack"),
    ),
    "functions and files": (
        Verb("invoke", "call a function or service and show its answer", "invoke"),
        Verb("put", "upload files and folders", "storage"),
        Verb("get", "download an object or a folder", "storage"),
        Verb("ls", "list functions, services and buckets, or what is in a bucket", "storage"),
        Verb("rm", "remove objects, or a bucket", "storage"),
        Verb("logs", "show the log lines of a function or service", "logs"),
        Verb("jobs", "the jobs that functions have handed to AWS Batch: ls, show, logs, cancel", "jobs"),
    ),
    "FDL files": (Verb("fdl", "check, show, convert and draw an FDL file; its schema for editors", "fdl"),),
    "this machine": (
        Verb("local", "the local cloud: start, stop, status, logs, reset, run, env", "local"),
        Verb("engine", "find or prepare the Pulumi engine", "engine"),
    ),
}

VERBS: Mapping[str, Verb] = {verb.name: verb for group in GROUPS.values() for verb in group}
