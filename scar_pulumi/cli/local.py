"""`local`: the local cloud on this machine."""

import dataclasses
import datetime
import json
import shlex
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scar_foundation.directories import backend_directory
from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli import local_run
from scar_pulumi.cli._parser import json_option, yes_option
from scar_pulumi.cli.console import Console
from scar_pulumi.cloud import LocalCloud, Status, is_local_stack
from scar_pulumi.deployments.source_files import forget_local

_ACTIONS = {
    "start": "start it, if it is not running; any verb on a local stack does that",
    "stop": "stop it; what it holds stays",
    "status": "show whether it runs, and where",
    "logs": "show what it writes about itself",
    "reset": "throw away all it holds: functions, buckets with their files, images, local stacks",
    "run": local_run.SUMMARY,
    "env": 'print what `eval "$(scar-pulumi local env)"` sets, so that plain `pulumi up` works on a local stack',
}


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the actions and their arguments."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for action, summary in _ACTIONS.items():
        below = actions.add_parser(action, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if action == "logs":
            below.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
        if action == "reset":
            yes_option(below)
        if action == "run":
            local_run.configure(below)
        if action == "env":
            below.add_argument("-s", "--stack", metavar="STACK", default="local", help="the stack (default: local)")
        json_option(below)


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    """Do it."""
    return _RUN[arguments.action](arguments, console)


def _start(_arguments: Namespace, console: Console) -> Mapping[str, Any]:
    status = LocalCloud().start(console.note)
    console.say(f"running at {status.endpoint} (process {status.pid})")
    return _status_document(status)


def _stop(_arguments: Namespace, console: Console) -> Mapping[str, Any]:
    cloud = LocalCloud()
    was_running = cloud.status() is not None
    with console.progress("stopping the local cloud"):
        cloud.stop()
    console.say("stopped" if was_running else "was not running")
    return {"running": False, "stopped": was_running}


def _status(_arguments: Namespace, console: Console) -> Mapping[str, Any]:
    status = LocalCloud().status()
    if status is None:
        console.say("not running; any verb on a local stack starts it")
        return {"running": False}
    console.say(f"running at {status.endpoint} (process {status.pid}, since {_moment(status.started)})")
    for name, value in status.details.items():
        console.say(f"{name}: {value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)}")
    return _status_document(status)


def _status_document(status: Status) -> Mapping[str, Any]:
    return {"running": True, **dataclasses.asdict(status)}


def _moment(seconds: float) -> str:
    return f"{datetime.datetime.fromtimestamp(seconds).astimezone():%Y-%m-%d %H:%M:%S}"


def _logs(arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    lines = []
    for line in LocalCloud().logs(follow=arguments.follow):
        text = line.rstrip("\n")
        if console.json and arguments.follow:
            console.json_line({"message": text})
        elif console.json:
            lines.append(text)
        else:
            console.say(text)
    return None if arguments.follow else {"lines": lines}


def _reset(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    question = "Throw away all functions, buckets with their files, images and stacks of the local cloud?"
    if not console.must_confirm(question, yes=arguments.yes):
        raise ScarError("local cloud: not confirmed; nothing was thrown away")
    with console.progress("resetting the local cloud"):
        LocalCloud().reset()
        _forget_local_stacks()
    console.say("the local cloud is empty")
    return {"reset": True}


def _forget_local_stacks() -> None:
    """Remove the state of local stacks, too: it speaks of resources that no longer exist."""
    shutil.rmtree(backend_directory(), ignore_errors=True)
    forget_local()


def _env(arguments: Namespace, console: Console) -> Mapping[str, Any]:
    if not is_local_stack(arguments.stack):
        raise InputError(f"--stack: {arguments.stack} is not local; such a stack needs nothing but `pulumi` on PATH")
    from scar_pulumi.engine import Stack, find_engine, stack_environment, unset_for_local  # noqa: PLC0415 - a second
    from scar_pulumi.engine.project import find_project  # noqa: PLC0415 - brings YAML

    engine = find_engine(console.note)
    cloud = LocalCloud()
    cloud.start(console.note)
    environment = stack_environment(arguments.stack, cloud, engine)
    if find_project(None, Path.cwd()):
        # `pulumi up -s local` does not make a stack that is missing.
        Stack(None, arguments.stack, cloud=cloud, progress=console.note, stream=console.stderr).create()
    unset = unset_for_local()
    for name in unset:
        console.say(f"unset {name}")
    for name, value in environment.items():
        console.say(f"export {name}={shlex.quote(value)}")
    return {"environment": environment, "unset": unset}


_RUN: Mapping[str, Callable[[Namespace, Console], Mapping[str, Any] | None]] = {
    "start": _start,
    "stop": _stop,
    "status": _status,
    "logs": _logs,
    "reset": _reset,
    "run": local_run.run,
    "env": _env,
}
