"""Jobs of deployed functions in AWS Batch, found by id or as those of a function."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scar_foundation.errors import InputError
from scar_pulumi.client.cloud_errors import about
from scar_pulumi.client.failures import inputs
from scar_pulumi.client.jobs import (
    ENDED,
    BatchJob,
    belongs_to,
    describe,
    find_job,
    job_of,
    list_jobs,
    no_jobs,
    parts_of,
)
from scar_pulumi.client.outputs import DeployedFunction
from scar_pulumi.deployments.find import Deployments
from scar_pulumi.deployments.stacks import no_such_stack


@dataclass(frozen=True)
class FoundJob:
    """A job as Batch describes it, and the function and region that it belongs to."""

    detail: dict[str, Any]
    function: str
    region: str

    @property
    def job(self) -> BatchJob:
        """The job in short."""
        return job_of(self.detail, self.function)


class Jobs:
    """The jobs of the functions of some deployments."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments

    def functions(self, name: str | None = None) -> list[DeployedFunction]:
        """Return the functions that use Batch, or the named one.

        Raises:
            InputError: The named function does not use Batch.
            ScarError: Nothing is deployed.
        """
        if name is not None:
            function = self._deployments.function(name)
            if function.batch is None:
                raise no_jobs(function)
            return [function]
        if not self._deployments.stacks:
            raise no_such_stack(self._deployments.stack)
        stacks = self._deployments.stacks
        return [function for stack in stacks for function in stack.outputs.functions.values() if function.batch]

    def listed(self, functions: Sequence[DeployedFunction]) -> list[BatchJob]:
        """Return the jobs of functions, newest first."""
        found: list[BatchJob] = []
        for function in functions:
            with about(f"jobs of {function.name}"):
                found += list_jobs(self.batch(function.region), function)
        return sorted(found, key=lambda job: job.created, reverse=True)

    def find(self, target: str, function: str | None = None) -> FoundJob:
        """Find a job by its id, or the newest job of a function; `function` limits the search to its jobs.

        Raises:
            InputError: There is no such job.
        """
        if function is None and self._deployments.has_function(target):
            return self._newest(target)
        functions = self.functions(function)
        for region in dict.fromkeys(found.region for found in functions):
            if job := self._described(target, functions, region):
                return job
        of = f" of {function}" if function else ""
        raise InputError(f"{target}: no such job{of}; `scar-pulumi jobs ls` lists those of the last week")

    def described(self, jobs: Sequence[BatchJob], function: DeployedFunction) -> list[dict[str, Any]]:
        """Return a function's jobs as Batch describes them."""
        with about(f"jobs of {function.name}"):
            return describe(self.batch(function.region), [job.id for job in jobs])

    def inputs(self, jobs: Sequence[BatchJob], functions: Sequence[DeployedFunction]) -> dict[str, list[str]]:
        """Return the objects that the events of jobs are about, by the job's id."""
        details = [
            detail
            for function in functions
            for detail in self.described([job for job in jobs if job.function == function.name], function)
        ]
        return {detail["jobId"]: inputs(detail) for detail in details}

    def parts(self, found: FoundJob) -> list[dict[str, Any]]:
        """Return the children or nodes of a job as Batch describes them."""
        with about(f"job {found.job.id}"):
            return parts_of(self.batch(found.region), found.detail)

    def described_again(self, found: FoundJob) -> list[dict[str, Any]]:
        """Return the present description of a job and of its parts."""
        batch = self.batch(found.region)
        detail = find_job(batch, found.job.id) or found.detail
        return [detail, *parts_of(batch, detail)]

    def meant(self, targets: Sequence[str]) -> list[tuple[BatchJob, str]]:
        """Return jobs by their ids, and all active jobs of functions, each with its region."""
        return list({job.id: (job, region) for target in targets for job, region in self._meant(target)}.values())

    def cancel(self, job: BatchJob, region: str, reason: str) -> None:
        """End a job."""
        with about(f"job {job.id}"):
            self.batch(region).terminate_job(jobId=job.id, reason=reason)

    def batch(self, region: str) -> Any:
        """Return a client of AWS Batch."""
        return self._deployments.clients.client("batch", region)

    def _newest(self, name: str) -> FoundJob:
        (function,) = self.functions(name)
        jobs = self.listed([function])
        if not jobs:
            raise InputError(f"{name}: the function has no jobs yet")
        return self.find(jobs[0].id, name)

    def _described(self, identifier: str, functions: Sequence[DeployedFunction], region: str) -> FoundJob | None:
        with about(f"job {identifier}"):
            detail = find_job(self.batch(region), identifier)
        if detail is None:
            return None
        owner = next((function.name for function in functions if belongs_to(detail, function)), None)
        return FoundJob(detail, owner, region) if owner is not None else None

    def _meant(self, target: str) -> list[tuple[BatchJob, str]]:
        if not self._deployments.has_function(target):
            found = self.find(target)
            return [(found.job, found.region)]
        (function,) = self.functions(target)
        return [(job, function.region) for job in self.listed([function]) if job.status not in ENDED]
