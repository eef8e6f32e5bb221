"""Inputs that deployed functions and services failed on, found in their logs and jobs, and run again."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from scar_foundation.errors import ScarError
from scar_pulumi.client.call import Call, json_body
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.failures import Failure, failures_in_log, failures_of_jobs, with_event
from scar_pulumi.client.invocation import call_lambda
from scar_pulumi.client.jobs import ENDED
from scar_pulumi.client.outputs import DeployedFunction, DeployedService
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.jobs import Jobs
from scar_pulumi.deployments.logs import LogQuery, Logs
from scar_pulumi.deployments.service_jobs import ServiceJobs
from scar_pulumi.deployments.stacks import no_such_stack

if TYPE_CHECKING:
    from scar_pulumi.client.kept_events import Kept


class Failures:
    """The failures of the functions and services of some deployments; `untold` says what could not be found out."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments
        self._services = ServiceJobs(deployments)
        self.untold: list[str] = []

    def called(self, name: str | None = None) -> list[DeployedFunction | DeployedService]:
        """Return the named function or service, or all.

        Raises:
            ScarError: Nothing is deployed.
        """
        if name is not None:
            return [self._deployments.called(name)]
        if not self._deployments.stacks:
            raise no_such_stack(self._deployments.stack)
        return [one for stack in self._deployments.stacks for one in stack.called()]

    def listed(self, called: Sequence[DeployedFunction | DeployedService], start: int) -> list[Failure]:
        """Return the failures since `start`, in ms since the epoch, newest first."""
        found = [failure for one in called for failure in self._of(one, start)]
        return sorted(found, key=lambda failure: failure.when, reverse=True)

    def run_again(self, failure: Failure) -> str:
        """Queue the event of a failure, as its storage would, and return the id of the new request or job."""
        called = failure.function
        if isinstance(called, DeployedService):
            return self._services.run_again(called, failure)
        call = Call(json_body(json.dumps(failure.event)), later=True)
        with about(f"function {called.name}"):
            request = call_lambda(called, call, self._deployments.clients).request_id
            failure.note(request)
            return request

    def _of(self, called: DeployedFunction | DeployedService, start: int) -> list[Failure]:
        if isinstance(called, DeployedService):
            return list(self._of_service(called, start))
        found = failures_in_log(called, Logs(self._deployments).lines(called, LogQuery(start)))
        if any(failure.event is None for failure in found):
            found = self._with_kept_events(called, found, start)
        return [*found, *self._of_jobs(called, start)]

    def _with_kept_events(self, function: DeployedFunction, found: Sequence[Failure], start: int) -> list[Failure]:
        """Return failures with the events that the function's failure destination has kept, or why it has not."""
        from scar_pulumi.client.kept_events import kept_events  # noqa: PLC0415 - few failures need it

        kept = kept_events(function, self._deployments.clients, start)
        return [_completed(failure, kept) if failure.event is None else failure for failure in found]

    def _of_service(self, service: DeployedService, start: int) -> Iterator[Failure]:
        try:
            yield from self._services.failures(service, start)
        except ScarError as error:
            self.untold.append(f"service {service.name}: {error}")

    def _of_jobs(self, function: DeployedFunction, start: int) -> list[Failure]:
        if function.batch is None:
            return []
        jobs = Jobs(self._deployments)
        ended = [job for job in jobs.listed([function]) if job.status in ENDED and job.stopped >= start]
        details = jobs.described(ended, function) if any(job.status == "FAILED" for job in ended) else []
        s3 = self._deployments.clients.client("s3", function.region)
        return failures_of_jobs(function, [with_event(detail, s3) for detail in details], start)


def _completed(failure: Failure, kept: "Kept") -> Failure:
    if failure.request_id not in kept.events:
        return replace(failure, otherwise=kept.otherwise)
    event, note = kept.events[failure.request_id]
    return replace(failure, event=event, note=note)
