"""Log lines of deployed functions, services and jobs, read once or followed."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.jobs import follow_lines, read_lines
from scar_pulumi.client.logs import LogLine, attributed, follow, of_request, only_request, read
from scar_pulumi.client.outputs import DeployedFunction, DeployedService
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.jobs import FoundJob, Jobs

_LOCAL_PAUSE_SECONDS = 0.3
# An account and region may make five calls a second, of all its users together.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
_PAUSE_SECONDS = 2.0


@dataclass(frozen=True)
class LogQuery:
    """Which lines to read: since `start` (ms since the epoch), of one request or job, once or with those to come."""

    start: int = 0
    request_id: str = ""
    follow: bool = False


class Logs:
    """The logs of what some deployments hold."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def lines(self, called: DeployedFunction | DeployedService, query: LogQuery) -> Iterator[LogLine]:
        """Read the lines of a function or a service."""
        with about(f"log group {log_group(called)}"):
            if isinstance(called, DeployedService):
                yield from self._of_service(called, query)
            else:
                yield from self._of_function(called, query)

    def job_lines(self, found: FoundJob, *, follow: bool = False) -> Iterator[LogLine]:
        """Read what a job prints in all its attempts, its nodes or children included."""
        jobs = Jobs(self._deployments)
        client = self._deployments.clients.client("logs", found.region)
        with about(f"log of job {found.job.id}"):
            if follow:
                yield from follow_lines(client, lambda: jobs.described_again(found), wait=self._pause)
            else:
                yield from read_lines(client, jobs.described_again(found))

    def _of_function(self, function: DeployedFunction, query: LogQuery) -> Iterator[LogLine]:
        client = self._deployments.clients.client("logs", function.region)
        if query.follow:
            lines = attributed(follow(client, function.log_group, query.start, wait=self._pause))
            return only_request(lines, query.request_id) if query.request_id else lines
        if query.request_id:
            return of_request(client, function.log_group, query.request_id, query.start)
        return attributed(read(client, function.log_group, query.start))

    def _of_service(self, service: DeployedService, query: LogQuery) -> Iterator[LogLine]:
        from scar_pulumi.client.oscar import follow_job_lines, read_job_lines  # noqa: PLC0415 - functions need no HTTP

        client, job = self._deployments.cluster(service), query.request_id.rpartition("/")[2]
        if query.follow:
            return follow_job_lines(client, service.name, query.start, wait=self._pause, job=job)
        return read_job_lines(client, service.name, query.start, job=job)

    def _pause(self) -> bool:
        time.sleep(_LOCAL_PAUSE_SECONDS if self._deployments.is_local else _PAUSE_SECONDS)
        return True


def log_group(called: DeployedFunction | DeployedService) -> str:
    """Return where a function or a service logs."""
    return f"{called.cluster}/{called.name}" if isinstance(called, DeployedService) else called.log_group
