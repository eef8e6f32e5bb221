"""What the jobs of a service on an OSCAR cluster have printed, as log lines."""

import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.oscar import ClusterClient


def read(client: ClusterClient, service: str, start: int = 0, *, job: str = "") -> Iterator[LogLine]:
    """Read the lines of all jobs, or of one, since `start` (ms since the epoch): job after job, the oldest first."""
    for name in _names(client.jobs(service), start, job):
        yield from (line for line in _lines(name, client.log(service, name) or "") if line.timestamp >= start)


def follow(
    client: ClusterClient, service: str, start: int, *, wait: Callable[[], bool], job: str = ""
) -> Iterator[LogLine]:
    """Read lines and keep reading; `wait` pauses between two looks and says whether to go on."""
    seen: dict[str, int] = {}
    ended: set[str] = set()
    while True:
        jobs = client.jobs(service)
        for name in _names(jobs, start, job):
            if name in ended:
                continue
            if jobs[name].get("finish_time"):
                ended.add(name)  # before the last look: nothing comes after it
            lines = list(_lines(name, client.log(service, name) or ""))
            yield from (line for line in lines[seen.get(name, 0) :] if line.timestamp >= start)
            seen[name] = len(lines)
        if not wait():
            return


def _names(jobs: Mapping[str, Mapping[str, Any]], start: int, job: str) -> list[str]:
    chosen = [name for name in jobs if job in ("", name) and _ended(jobs[name]) >= start]
    return sorted(chosen, key=lambda name: (str(jobs[name].get("creation_time") or ""), name))


def _ended(job: Mapping[str, Any]) -> float:
    """When a job ended, in ms since the epoch; infinitely late while it runs."""
    moment = job.get("finish_time")
    return _milliseconds(str(moment)) if moment else float("inf")


def _lines(job: str, text: str) -> Iterator[LogLine]:
    for number, line in enumerate(text.splitlines()):
        moment, _, message = line.partition(" ")
        try:
            yield LogLine(f"{job}/{number}", _milliseconds(moment), job, message, job)
        except ValueError:  # a server that does not tell times
            yield LogLine(f"{job}/{number}", 0, job, line, job)


def _milliseconds(moment: str) -> int:
    # Kubernetes tells nanoseconds, of which Python takes six digits.
    head, dot, rest = moment.removesuffix("Z").partition(".")
    text = f"{head}{dot}{rest[:6]}+00:00" if moment.endswith("Z") else moment
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)
