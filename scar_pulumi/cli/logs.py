"""`logs`: a function's log lines."""

import datetime
import re
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.cli._clusters import open_cluster
from scar_pulumi.cli._target import CalledService, find_called, is_local, stack_options
from scar_pulumi.cli.console import Console
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.logs import LogLine, attributed, follow, of_request, only_request, read
from scar_pulumi.client.oscar import follow_job_lines, read_job_lines

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LOOK_BACK = "1d"
_FOLLOW_LOOK_BACK = "10m"
_LOCAL_PAUSE = 0.3
# Five calls a second are allowed in an account and region, to all its users together.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_PAUSE = 2.0


def configure(_verb: str, parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the function's name in the FDL file, or an OSCAR service's")
    parser.add_argument("-f", "--follow", action="store_true", help="go on with new lines until Ctrl-C")
    parser.add_argument(
        "--since",
        metavar="TIME",
        help=f"how far back: 30s, 10m, 2h, 7d, or a date such as 2026-05-01T12:00 "
        f"(default {_LOOK_BACK}; with -f {_FOLLOW_LOOK_BACK}; with --request-id all)",
    )
    parser.add_argument("--request-id", metavar="ID", help="only the lines of this call, or job of an OSCAR service")
    parser.add_argument("--job", metavar="ID", help="what a job of the function prints, in AWS Batch")
    parser.add_argument("--timestamps", action="store_true", help="begin lines with their time")
    stack_options(parser, search=True)
    parser.add_argument("--json", action="store_true", help="print one JSON document; with -f, one for each line")


def run(_verb: str, arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    """Show the lines."""
    if arguments.job is not None:
        return _of_job(arguments, console)
    start = _start(arguments, time.time())
    function, clients = find_called(arguments.name, arguments, console)
    if isinstance(function, CalledService):
        group = f"{function.service.cluster}/{function.service.name}"
        lines = _service_lines(function, start, arguments, console)
    else:
        group = function.log_group
        lines = _lines(clients.client("logs", function.region), group, start, arguments)
    with about(f"log group {group}"):
        if arguments.follow:
            for line in lines:
                show_followed(line, arguments, console)
            return None
        shown = []
        for line in lines:
            shown.append(line.document())
            console.say(text_of(line, arguments))
    if not shown:
        console.note(_nothing(arguments))
    return {"function": arguments.name, "logGroup": group, "events": shown}


def _of_job(arguments: Namespace, console: Console) -> Mapping[str, Any] | None:
    from scar_pulumi.cli._job_logs import show_job_logs  # noqa: PLC0415 - calls without jobs need nothing of it

    if arguments.request_id is not None or arguments.since is not None:
        raise InputError("--job: shows all of a job; leave out --request-id and --since")
    return show_job_logs(arguments.job, arguments, console, function=arguments.name)


def since(text: str, now: float) -> int:
    """Read how far back to look, in ms since the epoch.

    Raises:
        InputError: It is neither a duration nor a date.
    """
    if match := re.fullmatch(r"(\d+)([smhdw])", text.strip()):
        return max(0, int((now - int(match[1]) * _UNITS[match[2]]) * 1000))
    try:
        return int(datetime.datetime.fromisoformat(text).astimezone().timestamp() * 1000)
    except ValueError:
        raise InputError(
            f"--since: {text} is no time; write 30s, 10m, 2h, 7d, or a date such as 2026-05-01T12:00"
        ) from None


def _start(arguments: Namespace, now: float) -> int:
    if arguments.since is not None:
        return since(arguments.since, now)
    if arguments.request_id is not None:
        return 0
    return since(_FOLLOW_LOOK_BACK if arguments.follow else _LOOK_BACK, now)


def _lines(client: Any, group: str, start: int, arguments: Namespace) -> Iterator[LogLine]:
    request_id = arguments.request_id
    if arguments.follow:
        pause = pause_of(arguments.stack)
        lines = attributed(follow(client, group, start, wait=lambda: pause_for(pause)))
        return only_request(lines, request_id) if request_id else lines
    if request_id:
        return of_request(client, group, request_id, start)
    return attributed(read(client, group, start))


def _service_lines(found: CalledService, start: int, arguments: Namespace, console: Console) -> Iterator[LogLine]:
    client, service = open_cluster(found.stack, found.service.cluster, console), found.service.name
    job = (arguments.request_id or "").rpartition("/")[2]
    if not arguments.follow:
        return read_job_lines(client, service, start, job=job)
    pause = pause_of(arguments.stack)
    return follow_job_lines(client, service, start, wait=lambda: pause_for(pause), job=job)


def pause_of(stack: str) -> float:
    """Say how long to wait between two looks, in seconds."""
    return _LOCAL_PAUSE if is_local(stack) else _PAUSE


def pause_for(seconds: float) -> bool:
    """Wait, and go on."""
    time.sleep(seconds)
    return True


def show_followed(line: LogLine, arguments: Namespace, console: Console) -> None:
    """Show a line as soon as it is there."""
    if console.json:
        console.json_line(line.document())
    else:
        console.say(text_of(line, arguments))


def text_of(line: LogLine, arguments: Namespace) -> str:
    """Write a line for a terminal."""
    if not arguments.timestamps:
        return line.message
    moment = datetime.datetime.fromtimestamp(line.timestamp / 1000).astimezone()
    return f"{moment:%Y-%m-%d %H:%M:%S}.{line.timestamp % 1000:03d}  {line.message}"


def _nothing(arguments: Namespace) -> str:
    if arguments.request_id:
        return f"{arguments.name}: no lines of request {arguments.request_id}"
    back = arguments.since or _LOOK_BACK
    return f"{arguments.name}: no lines since {back}; --since looks further back, -f waits for new ones"
