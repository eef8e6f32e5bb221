"""What a job prints, shown or followed: for `jobs logs` and for `logs --job`."""

from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cli._job_target import one_job
from scar_pulumi.cli.console import Console
from scar_pulumi.cli.logs import pause_for, pause_of, show_followed, text_of
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.jobs import find_job, follow_lines, parts_of, read_lines


def show_job_logs(
    target: str, arguments: Namespace, console: Console, function: str | None = None
) -> Mapping[str, Any] | None:
    """Show the lines of all attempts; of a multi-node job or an array those of all nodes or children."""
    found = one_job(target, arguments, console, function)
    batch, logs = (found.clients.client(service, found.region) for service in ("batch", "logs"))
    identifier = found.detail["jobId"]

    def look() -> list[dict[str, Any]]:
        detail = find_job(batch, identifier) or found.detail
        return [detail, *parts_of(batch, detail)]

    with about(f"log of job {identifier}"):
        if arguments.follow:
            pause = pause_of(arguments.stack)
            for line in follow_lines(logs, look, wait=lambda: pause_for(pause)):
                show_followed(line, arguments, console)
            return None
        lines = read_lines(logs, look())
    for line in lines:
        console.say(text_of(line, arguments))
    if not lines:
        console.note(f"job {identifier}: has printed nothing yet; its status is {found.detail['status']}")
    events = [line.document() for line in lines]
    return {"function": found.function, "job": identifier, "status": found.detail["status"], "events": events}
