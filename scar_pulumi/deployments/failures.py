"""Inputs that deployed functions failed on, found in their logs and jobs, and run again."""

import json
from collections.abc import Sequence

from scar_foundation.errors import InputError
from scar_pulumi.client.call import Call, json_body
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.failures import Failure, failures_in_log, failures_of_jobs, with_event
from scar_pulumi.client.invocation import call_lambda
from scar_pulumi.client.jobs import ENDED
from scar_pulumi.client.outputs import DeployedFunction, DeployedService
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.jobs import Jobs
from scar_pulumi.deployments.logs import LogQuery, Logs
from scar_pulumi.deployments.stacks import no_such_stack


class Failures:
    """The failures of the functions of some deployments."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def functions(self, name: str | None = None) -> list[DeployedFunction]:
        """Return the named function, or all.

        Raises:
            InputError: It is a service.
            ScarError: Nothing is deployed.
        """
        if name is not None:
            called = self._deployments.called(name)
            if isinstance(called, DeployedService):
                raise InputError(f"{name}: is a service; `scar-pulumi logs {name}` shows how its jobs ended")
            return [called]
        if not self._deployments.stacks:
            raise no_such_stack(self._deployments.stack)
        return [one for stack in self._deployments.stacks for one in stack.outputs.functions.values()]

    def listed(self, functions: Sequence[DeployedFunction], start: int) -> list[Failure]:
        """Return the failures since `start`, in ms since the epoch, newest first."""
        found = [failure for function in functions for failure in self._of(function, start)]
        return sorted(found, key=lambda failure: failure.when, reverse=True)

    def run_again(self, failure: Failure) -> str:
        """Queue the event of a failure, as its storage would, and return the id of the new request."""
        function = failure.function
        call = Call(json_body(json.dumps(failure.event)), later=True)
        with about(f"function {function.name}"):
            return call_lambda(function, call, self._deployments.clients).request_id

    def _of(self, function: DeployedFunction, start: int) -> list[Failure]:
        found = failures_in_log(function, Logs(self._deployments).lines(function, LogQuery(start)))
        return [*found, *self._of_jobs(function, start)]

    def _of_jobs(self, function: DeployedFunction, start: int) -> list[Failure]:
        if function.batch is None:
            return []
        jobs = Jobs(self._deployments)
        ended = [job for job in jobs.listed([function]) if job.status in ENDED and job.stopped >= start]
        details = jobs.described(ended, function) if any(job.status == "FAILED" for job in ended) else []
        s3 = self._deployments.clients.client("s3", function.region)
        return failures_of_jobs(function, [with_event(detail, s3) for detail in details], start)
