"""Failed jobs of services on OSCAR clusters. A cluster does not say what a job was about: the job's log does."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from scar_pulumi.client.failures import Failure, Try, event_for
from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.oscar import ended_at
from scar_pulumi.client.outputs import DeployedService


def failures_of_service(
    service: DeployedService, jobs: Mapping[str, Mapping[str, Any]], lines: Iterable[LogLine], start: int
) -> list[Failure]:
    """Return the failed jobs of a service on an OSCAR cluster that ended after `start`, newest first.

    `lines` are those of its jobs: a cluster does not say what a job was about.
    """
    tries: dict[str, Try] = {name: Try(name, _ended(job)) for name, job in jobs.items()}
    for line in lines:
        if line.stream in tries:
            tries[line.stream].take(line.message)
    found = []
    for name, one in tries.items():
        failed = str(jobs[name].get("status")) == "Failed" and start <= one.when
        places = list(dict.fromkeys(one.inputs)) or [""]
        if failed and not any(_succeeded_job(other, jobs, places, one.when) for other in tries.values()):
            found += [_failure(service, name, one, place) for place in places]
    return sorted(found, key=lambda failure: failure.when, reverse=True)


def _failure(service: DeployedService, job: str, one: Try, place: str) -> Failure:
    told = next((text for _, text in one.failures()), "")
    # The supervisor's own word for what happened comes first where nobody waits for an answer.
    reason = told.partition(f"{place}: ")[2] or told or "the job failed"
    return Failure(service, place, reason, 1, one.when, "", job, event_for(service, place))


def _succeeded_job(one: Try, jobs: Mapping[str, Mapping[str, Any]], places: Sequence[str], after: int) -> bool:
    succeeded = str(jobs[one.request_id].get("status")) == "Succeeded"
    return succeeded and one.when > after and any(place and place in one.inputs for place in places)


def _ended(job: Mapping[str, Any]) -> int:
    """Return when a job ended, in ms since the epoch; 0 while it runs."""
    return int(ended_at(job)) if job.get("finish_time") else 0
