"""`logs`: the log lines of a function, a service or a job."""

import datetime
import re
import time
from collections.abc import Iterable
from dataclasses import dataclass

import click

from scar_foundation.errors import InputError
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.options import CALLED_HELP, Document, deployments_options, timestamps_option
from scar_pulumi.client.logs import LogLine
from scar_pulumi.deployments import Deployments
from scar_pulumi.deployments.jobs import Jobs
from scar_pulumi.deployments.logs import LogQuery, Logs, log_group

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LOOK_BACK = "1d"
_FOLLOW_LOOK_BACK = "10m"


@dataclass(frozen=True)
class LinePrinter:
    """Prints log lines: followed ones as they come, in JSON one document for each."""

    console: Console
    follow: bool
    timestamps: bool

    def show(self, lines: Iterable[LogLine]) -> list[Document] | None:
        """Print lines and return them as documents; None when they were followed."""
        shown: list[Document] = []
        self.console.follows = self.follow
        for line in lines:
            if self.follow and self.console.json:
                self.console.json_line(line.document())
            else:
                self.console.say(self._text(line))
            if not self.follow:
                shown.append(line.document())
        return None if self.follow else shown

    def _text(self, line: LogLine) -> str:
        if not self.timestamps:
            return line.message
        moment = datetime.datetime.fromtimestamp(line.timestamp / 1000).astimezone()
        return f"{moment:%Y-%m-%d %H:%M:%S}.{line.timestamp % 1000:03d}  {line.message}"


@click.command
@click.argument("name", help=CALLED_HELP)
@click.option("-f", "--follow", is_flag=True, help="Keep printing new lines until Ctrl-C.")
@click.option(
    "--since",
    metavar="TIME",
    help="How far back: 30s, 10m, 2h, 7d, or a date such as 2026-05-01T12:00.  "
    f"[default: {_LOOK_BACK}; with -f {_FOLLOW_LOOK_BACK}; with --request-id everything]",
)
@click.option("--request-id", metavar="ID", help="Only the lines of this request, or of this job of an OSCAR service.")
@click.option("--job", metavar="ID", help="What a job of the function prints, in AWS Batch.")
@timestamps_option
@deployments_options(search=True)
@click.option("--json", is_flag=True, expose_value=False, help="Print one JSON document; with -f, one for each line.")
def logs(
    console: Console,
    deployments: Deployments,
    /,
    *,
    name: str,
    follow: bool,
    since: str | None,
    request_id: str | None,
    job: str | None,
    timestamps: bool,
) -> Document | None:
    """Show the log lines of a function or service."""
    printer = LinePrinter(console, follow, timestamps)
    if job is not None:
        if request_id is not None or since is not None:
            raise InputError("--job: shows the whole log of a job; leave out --request-id and --since")
        return show_job_log(printer, deployments, job, name)
    query = LogQuery(_start(since, request_id, follow=follow), request_id or "", follow)
    called = deployments.called(name)
    shown = printer.show(Logs(deployments).lines(called, query))
    if shown is None:
        return None
    if not shown:
        console.note(_nothing(name, since, request_id))
    return {"function": name, "logGroup": log_group(called), "events": shown}


def show_job_log(
    printer: LinePrinter, deployments: Deployments, target: str, function: str | None = None
) -> Document | None:
    """Print what a job prints in all its attempts, its nodes or children included."""
    found = Jobs(deployments).find(target, function)
    shown = printer.show(Logs(deployments).job_lines(found, follow=printer.follow))
    if shown is None:
        return None
    job = found.job
    if not shown:
        printer.console.note(f"job {job.id}: has printed nothing yet; its status is {job.status}")
    return {"function": found.function, "job": job.id, "status": job.status, "events": shown}


def milliseconds_since(text: str, now: float) -> int:
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
            f"--since: {text} is not a time; write 30s, 10m, 2h, 7d, or a date such as 2026-05-01T12:00"
        ) from None


def _start(since: str | None, request_id: str | None, *, follow: bool) -> int:
    if since is None and request_id is not None:
        return 0
    return milliseconds_since(since or (_FOLLOW_LOOK_BACK if follow else _LOOK_BACK), time.time())


def _nothing(name: str, since: str | None, request_id: str | None) -> str:
    if request_id:
        return f"{name}: no lines of request {request_id}"
    return f"{name}: no lines since {since or _LOOK_BACK}; --since looks further back, -f waits for new ones"
