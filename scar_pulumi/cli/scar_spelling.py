"""SCAR's own spelling: its verbs and flags as its manual has them, carried out by today's verbs.

Each command says today's spelling on one line. `docs/from-scar.md` lists them all.
https://scar.readthedocs.io/en/latest/basic_usage.html
"""

import base64
import json
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from scar_foundation.directories import DEFAULT_STACK
from scar_foundation.errors import InputError, ScarError
from scar_pulumi.cli.console import Console, printable
from scar_pulumi.cli.options import FILE, Decorated, Document
from scar_pulumi.cli.output import count

PROGRAM = "scar-pulumi"
_ALWAYS = frozenset({"init", "log", "run", "update"})
_BY_FLAGS: Mapping[str, frozenset[str]] = {
    "get": frozenset({"-b", "--bucket"}),
    "invoke": frozenset({"-n", "--name", "-f", "--conf-file"}),
    "ls": frozenset({"-b", "--bucket", "-j", "-v", "--verbose"}),
    "put": frozenset({"-b", "--bucket"}),
    "rm": frozenset({"-n", "--name", "-f", "--conf-file", "-a", "--all"}),
}
"""The flags by which a verb that both have is SCAR's."""
_LONGEST_WORD = 60
_EVERYTHING = "1000w"
"""SCAR's `log` looks back as far as there are lines."""


def find_command(verb: str, arguments: Sequence[str]) -> click.Command | None:
    """Return SCAR's command for a verb with its arguments; None where they are today's."""
    if verb in _ALWAYS or _BY_FLAGS.get(verb, frozenset()).intersection(arguments):
        return COMMANDS[verb]
    return None


class Today:
    """Carries out today's verbs; `json` and `verbose` are SCAR's `-j` and `-v`."""

    def __init__(self, console: Console, stack: str, *, json: bool = False, verbose: bool = False) -> None:
        self.console = console
        self.stack = stack
        self.verbose = verbose
        console.json = console.json or json or verbose

    def run(self, verb: str, *arguments: object, show: bool = True, tell: bool = True) -> Any:
        """Run a verb and return its document; with `show` it prints what it prints today."""
        stack = [] if self.stack == DEFAULT_STACK else ["--stack", self.stack]
        words = [verb, *map(str, arguments), *stack]
        if tell:
            self.console.note(f"today: {PROGRAM} {shlex.join(map(_short, words))}")
        console = self.console if show else Console(json=True, stdout=self.console.stdout, stderr=self.console.stderr)
        group = click.get_current_context().find_root().command
        with group.make_context(PROGRAM, words, obj=console) as context:
            return group.invoke(context)


def _short(word: str) -> str:
    """Return a word as the line about today's spelling has it: scripts are long."""
    return f"{word[:_LONGEST_WORD]}…" if word.startswith("{") and len(word) > _LONGEST_WORD else word


def _flags(*options: Callable[[Decorated], Decorated]) -> Callable[[Decorated], Decorated]:
    def decorate(command: Decorated) -> Decorated:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _text(*names: str, help: str, **more: Any) -> Any:  # noqa: A002 - click's word
    return click.option(*names, metavar="TEXT", help=help, **more)


_NAME = _text("-n", "--name", help="The function's name.")
_CONF_FILE = click.option("-f", "--conf-file", "file", metavar="FILE", type=FILE, help="The FDL file.")
_COMMON = _flags(
    _text("-pf", "--profile", help="AWS profile to use."),
    click.option("--stack", metavar="STACK", default=DEFAULT_STACK, show_default=True, help="The stack."),
)
_OUTPUT = _flags(
    click.option("-j", "--json", is_flag=True, help="Print SCAR's JSON document."),
    click.option("-v", "--verbose", is_flag=True, help="Print today's JSON document."),
)
_YES = click.option("-y", "--yes", is_flag=True, help="Don't ask for confirmation.")
_EXEC = _flags(
    click.option("-a", "--asynchronous", is_flag=True, help="Don't wait for the answer."),
    click.option("-o", "--output-file", metavar="FILE", type=FILE, help="Write the answer to a file."),
)
_BUCKET_AND_PATH = _flags(
    _text("-b", "--bucket", required=True, help="The bucket, or BUCKET/FOLDER."),
    _text("-p", "--path", required=True, help="The file or the folder."),
)


def _command(name: str, help: str, *options: Any, **settings: Any) -> Callable[[Callable[..., Any]], click.Command]:  # noqa: A002
    """Make a command of SCAR's; it gets a `Today` for its common options."""

    def decorate(function: Callable[..., Any]) -> click.Command:
        def run(
            console: Console,
            /,
            *,
            stack: str,
            profile: str | None,
            json: bool = False,
            verbose: bool = False,
            **given: Any,
        ) -> Any:
            if profile:
                os.environ["AWS_PROFILE"] = profile
            return function(Today(console, stack, json=json, verbose=verbose), **given)

        run.__doc__ = function.__doc__
        decorated: Any = _flags(*options, _COMMON)(click.pass_obj(run))
        make: Any = click.command(name, help=f"{help} (SCAR's spelling)", **settings)
        command: click.Command = make(decorated)
        return command

    return decorate


@_command(
    "init",
    "Deploy a function: from an FDL file, or from flags, of which it writes one.",
    _CONF_FILE,
    _NAME,
    _text("-i", "--image", help="The container image."),
    _text("-if", "--image-file", help="The image in a file, from docker save."),
    _text("-s", "--init-script", help="The script that runs for each event."),
    click.option("-ph", "--preheat", is_flag=True, help="Has no effect: deploying invokes nothing."),
    _text("-ep", "--extra-payload", help="Has no effect: put the files into the image."),
    _text("-db", "--deployment-bucket", help="Has no effect: images go through the image repository."),
    _text("-api", "--api-gateway-name", help="The name of an HTTP API that calls the function."),
    _text("-d", "--description", help="The function's description."),
    _text("-e", "--environment", multiple=True, help="NAME=VALUE for the container. Repeatable."),
    _text("-le", "--lambda-environment", multiple=True, help="NAME=VALUE for the function. Repeatable."),
    click.option("-m", "--memory", type=int, help="MB."),
    click.option("-t", "--timeout", type=int, help="Seconds."),
    click.option("-tt", "--timeout-threshold", type=int, help="Seconds that the script leaves of them."),
    _text("-ll", "--log-level", help="The level of the supervisor's lines."),
    _text("-l", "--layers", multiple=True, help="Has no effect: images have no layers of Lambda's."),
    _text("-ib", "--input-bucket", help="The bucket whose new files start the function."),
    _text("-ob", "--output-bucket", help="The bucket for its results."),
    _text("-em", "--execution-mode", help="lambda, lambda-batch or batch."),
    _text("-r", "--iam-role", help="The ARN of its role."),
    _text("-sv", "--supervisor-version", help="Has no effect: a supervisor comes with scar-pulumi."),
    _text("-rt", "--runtime", help="Has no effect: every function is an image."),
    click.option("-bm", "--batch-memory", type=int, help="MB of a job."),
    click.option("-bc", "--batch-vcpus", type=int, help="vCPUs of a job."),
    click.option("-g", "--enable-gpu", is_flag=True, help="A GPU for a job."),
    _OUTPUT,
    _YES,
)
def _init(today: Today, *, file: Path | None, name: str | None, yes: bool, **flags: Any) -> Document | None:
    from scar_pulumi.cli.scar_file import file_of_flags, write_file  # noqa: PLC0415 - brings YAML

    given = [flag for flag, value in flags.items() if value not in (None, False, ())]
    if file is not None and (name or given):
        named = ", ".join(f"--{flag.replace('_', '-')}" for flag in [*(["name"] if name else []), *given])
        raise InputError(f"{file}: is the whole function; leave out {named}, or write it into the file")
    if file is None and not (flags["image"] or flags["image_file"]):
        raise InputError("no function is given; write -f FILE, or -i IMAGE -n NAME")
    if file is None:
        name, text = file_of_flags(name, flags)
        file = write_file(name, text, Path())
        today.console.note(f"{file}: the FDL file that these flags mean")
    document = today.run("up", file, *(["--yes"] if yes else []))
    return _initialized(today, file, document)


def _initialized(today: Today, file: Path, document: Any) -> Document | None:
    from scar_pulumi.fdl import load  # noqa: PLC0415 - help reads no FDL

    functions = load(file).functions
    for function in functions:
        today.console.say(f"Function '{function.name}' successfully created.")
    deployed = (document or {}).get("outputs", {}).get("functions", {})
    made = [
        {
            "FunctionArn": deployed.get(one.name, {}).get("arn"),
            "Timeout": one.timeout,
            "MemorySize": one.memory,
            "FunctionName": one.name,
        }
        for one in functions
    ]
    return document if today.verbose else _lambda_output(made)


def _lambda_output(found: Sequence[Document]) -> Document:
    """Return SCAR's document: what it is about, or a list where a file has several functions."""
    return {"LambdaOutput": found[0] if len(found) == 1 else list(found)}


@_command(
    "run",
    "Call a function with a script, with arguments, or on every file of a bucket.",
    _NAME,
    _CONF_FILE,
    _text("-s", "--run-script", help="A script that runs in place of the function's."),
    _text("-ib", "--input-bucket", help="Run on every file of this bucket, or BUCKET/FOLDER: one event each."),
    _EXEC,
    _OUTPUT,
    click.argument("arguments", nargs=-1, type=click.UNPROCESSED),
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
)
def _run(
    today: Today,
    *,
    name: str | None,
    file: Path | None,
    run_script: str | None,
    input_bucket: str | None,
    arguments: tuple[str, ...],
    **execution: Any,
) -> Document | None:
    name = _one_function(name, file)
    if input_bucket:
        return _run_over(today, name, file, input_bucket)
    script = run_script or (_script_of(file, name) if file else None)
    event = _event(script, arguments)
    return _called(today, name, file, ["--direct", *(["--data", json.dumps(event)] if event else [])], **execution)


def _event(script: str | None, arguments: Sequence[str]) -> dict[str, str]:
    """Return the event that the supervisor knows from SCAR; arguments go before a script."""
    if arguments:
        return {"cmd_args": json.dumps(list(arguments))}
    if script is None:
        return {}
    try:
        return {"script": base64.b64encode(Path(script).read_bytes()).decode()}
    except OSError as error:
        raise InputError(f"{script}: {error.strerror}") from None


def _script_of(file: Path, name: str) -> str | None:
    """Return the `run_script` of a function in its file, which is SCAR's alone."""
    import yaml  # noqa: PLC0415 - help reads no FDL

    document = yaml.safe_load(file.read_text())
    entries = document.get("functions", {}).get("aws", ()) if isinstance(document.get("functions"), dict) else ()
    sections: list[Mapping[str, Any]] = [one.get("lambda") or {} for one in entries]
    script = next((one.get("run_script") for one in sections if one.get("name") == name), None)
    return str(file.parent / str(script)) if script else None


def _one_function(name: str | None, file: Path | None) -> str:
    """Return the function that `-n` or `-f` means."""
    if name:
        return name
    if file is None:
        raise InputError("no function is given; write -n NAME or -f FILE")
    names = _names_in(file)
    if len(names) != 1:
        raise InputError(f"{file}: has {count(len(names), 'function')} ({', '.join(names)}); choose one with -n NAME")
    return names[0]


def _names_in(file: Path) -> list[str]:
    from scar_pulumi.fdl import load  # noqa: PLC0415 - help reads no FDL

    fdl = load(file)
    return [*(one.name for one in fdl.on_aws), *(one.name for one in fdl.oscar)]


def _called(
    today: Today, name: str, file: Path | None, words: Sequence[str], *, asynchronous: bool, output_file: Path | None
) -> Document | None:
    """Call a function and show its answer as SCAR does."""
    words = [*words, *(["--async"] if asynchronous else []), *(["--output", str(output_file)] if output_file else [])]
    answer = today.run("invoke", name, *words, *(["--fdl", file] if file else []), show=False)
    lines = [f"Request Id: {answer['requestId']}"]
    if asynchronous:
        lines.append(f"Function '{name}' launched correctly")
    else:
        lines += [f"Log Group Name: {answer['logGroup']}", f"Log Stream Name: {answer['logStream']}"]
    for line in lines:
        today.console.say(line)
    body = base64.b64decode(answer.get("bodyBase64", "")) or str(answer.get("body", "")).encode()
    if not (asynchronous or output_file or today.console.json):
        today.console.write(body)
    return answer if today.verbose else {"LambdaOutput": _run_document(answer, asynchronous=asynchronous)}


def _run_document(answer: Document, *, asynchronous: bool) -> Document:
    known = {"StatusCode": answer["statusCode"], "RequestId": answer["requestId"]}
    if asynchronous:
        return known
    payload = answer.get("body", answer.get("bodyBase64"))
    return {
        "StatusCode": known["StatusCode"],
        "Payload": payload,
        "LogGroupName": answer["logGroup"],
        "LogStreamName": answer["logStream"],
        "RequestId": known["RequestId"],
    }


def _run_over(today: Today, name: str, file: Path | None, place: str) -> Document:
    from scar_pulumi.deployments import Deployments  # noqa: PLC0415 - help needs no deployments
    from scar_pulumi.deployments.storage_events import Sent, run_over  # noqa: PLC0415 - likewise

    deployments = Deployments.find(today.stack, fdl=file, progress=today.console.tell)
    done: list[Sent] = []
    failed: list[Sent] = []
    with today.console.progress(f"queueing the files of {place}") as progress:
        for sent in run_over(deployments, name, place):
            (failed if sent.error else done).append(sent)
            progress.update(count(len(done) + len(failed), "file"))
            if not sent.error:
                today.console.say(printable(f"{sent.object}: Request Id: {sent.request_id}"))
    if failed:
        raise ScarError("\n".join(f"{one.object}: {one.error}" for one in failed))
    today.console.say(f"Function '{name}' launched correctly on {count(len(done), 'file')}")
    return {"LambdaOutput": [{"StatusCode": 202, "Key": one.object, "RequestId": one.request_id} for one in done]}


@_command(
    "invoke",
    "Call a function through its HTTP endpoint.",
    _NAME,
    _CONF_FILE,
    _text("-db", "--data-binary", help="The file to send."),
    _text("-jd", "--json-data", help="The JSON to send."),
    _text("-p", "--parameters", help="Query parameters, a JSON object."),
    _EXEC,
)
def _invoke(
    today: Today,
    *,
    name: str | None,
    file: Path | None,
    data_binary: str | None,
    json_data: str | None,
    parameters: str | None,
    **execution: Any,
) -> Document | None:
    given = {"--data-binary": data_binary, "--json-data": json_data, "--parameters": parameters}
    words = [word for flag, value in given.items() if value is not None for word in (flag, value)]
    return _called(today, _one_function(name, file), file, words, **execution)


@_command(
    "log",
    "Show the log of a function.",
    _NAME,
    _CONF_FILE,
    _text("-ls", "--log-stream-name", "stream", help="Only the lines of this stream."),
    _text("-ri", "--request-id", help="Only the lines of this request."),
)
def _log(
    today: Today, *, name: str | None, file: Path | None, stream: str | None, request_id: str | None
) -> Document | None:
    names = [name] if name else _names_in(file) if file else [_one_function(name, file)]
    found = [
        today.run(
            "logs",
            one,
            *(["--request-id", request_id] if request_id else ["--since", _EVERYTHING]),
            *(["--fdl", file] if file else []),
            show=stream is None,
        )
        for one in names
    ]
    if stream is None:
        return found[0] if len(found) == 1 else {"functions": found}
    events = [event for one in found for event in one["events"] if event["stream"] == stream]
    for event in events:
        today.console.say_foreign(event["message"])
    return {**found[0], "events": events}


@_command(
    "ls",
    "List functions, or the files of a bucket.",
    _text("-b", "--bucket", help="The bucket, or BUCKET/FOLDER."),
    _OUTPUT,
)
def _ls(today: Today, *, bucket: str | None) -> Document | None:
    if bucket:
        return today.run("ls", bucket)  # type: ignore[no-any-return]
    document = today.run("ls")
    if not today.console.json or today.verbose:
        return document  # type: ignore[no-any-return]
    from scar_pulumi.deployments import Deployments  # noqa: PLC0415 - help needs no deployments

    clients = Deployments.find(today.stack, progress=today.console.tell).clients
    listed = []
    for one in document["functions"]:
        settings = clients.client("lambda", one["region"]).get_function_configuration(FunctionName=one["arn"])
        listed.append(
            {
                "Name": one["name"],
                "Memory": settings["MemorySize"],
                "Timeout": settings["Timeout"],
                "Image_id": one["image"],
                "Api_gateway": one["url"] or "-",
            }
        )
    return {"Functions": listed}


@_command("put", "Upload files.", _BUCKET_AND_PATH)
def _put(today: Today, *, bucket: str, path: str) -> Document | None:
    return today.run("put", bucket, path)  # type: ignore[no-any-return]


@_command("get", "Download files.", _BUCKET_AND_PATH)
def _get(today: Today, *, bucket: str, path: str) -> Document | None:
    return today.run("get", bucket, path)  # type: ignore[no-any-return]


@_command(
    "rm",
    "Delete functions; buckets and their files stay.",
    _NAME,
    _CONF_FILE,
    click.option("-a", "--all", "everything", is_flag=True, help="All functions of the stack."),
    _OUTPUT,
    _YES,
)
def _rm(today: Today, *, name: str | None, file: Path | None, everything: bool, yes: bool) -> Document | None:
    agreed = ["--yes"] if yes else []
    if sum(map(bool, (name, file, everything))) != 1:
        raise InputError("nothing to delete is given; write -n NAME, -f FILE or -a")
    if file:
        return _removed(today, _names_in(file) if file.is_file() else [], today.run("destroy", file, *agreed))
    from scar_pulumi.deployments import Deployments  # noqa: PLC0415 - help needs no deployments

    stacks = Deployments.find(today.stack, progress=today.console.tell).stacks
    chosen = stacks if everything else [stack for stack in stacks if stack.called(name or "")]
    if not chosen:
        raise InputError(
            f"{name or 'all'}: no such function in stack {today.stack}; `{PROGRAM} ls` lists what there is"
        )
    for stack in chosen:
        others = sorted({one.name for one in stack.called()} - {name})
        if not everything and others:
            raise InputError(
                f"{name}: is not the only function of project {stack.project} (there are also {', '.join(others)}); "
                f"remove it from the FDL file and run `{PROGRAM} up FILE`, or delete all of them with "
                f"`{PROGRAM} destroy --project {stack.project}`"
            )
    documents = [today.run("destroy", "--project", stack.project, *agreed) for stack in chosen]
    gone = [one.name for stack in chosen for one in stack.called()]
    return _removed(today, gone, documents[0] if len(documents) == 1 else {"stacks": documents})


def _removed(today: Today, names: Sequence[str], document: Document) -> Document:
    for name in names:
        today.console.say(f"Function '{name}' successfully deleted.")
    return document if today.verbose else _lambda_output([{"FunctionName": name} for name in names])


@_command("update", "Deploy the FDL file again.", _CONF_FILE, _OUTPUT, _YES)
def _update(today: Today, *, file: Path | None, yes: bool) -> Document | None:
    if file is None:
        raise InputError("no FDL file is given; edit the function's file and write -f FILE")
    return _initialized(today, file, today.run("up", file, *(["--yes"] if yes else [])))


COMMANDS: Mapping[str, click.Command] = {
    command.name or "": command for command in (_get, _init, _invoke, _log, _ls, _put, _rm, _run, _update)
}
"""SCAR's verbs."""
