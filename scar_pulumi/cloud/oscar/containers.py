"""One event of a service in its container."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scar_pulumi.cloud.oscar import contract
from scar_pulumi.cloud.oscar.job_log import JobLogs
from scar_pulumi.cloud.oscar.quantities import megabytes
from scar_pulumi.cloud.oscar.services import Service
from scar_pulumi.cloud.runner import Runner, Task, TaskResult
from scar_pulumi.cloud.runner.executors.interface import Volume

_STORAGE = 10 * 1024
"""Megabytes that a container may write; what it does not write takes no room."""


@dataclass(frozen=True)
class Outcome:
    """How it ended, and what it answered."""

    result: TaskResult
    answer: bytes


class Containers:
    """Runs services as OSCAR's jobs do; `endpoint` is where the local cloud answers as AWS."""

    def __init__(self, runner: Runner, endpoint: str) -> None:
        self._runner = runner
        self._endpoint = endpoint
        self._logs = JobLogs()

    async def run(
        self, service: Service, name: str, event: bytes, *, folder: Path, log: Path, started: Callable[[], None]
    ) -> Outcome:
        """Run an event to its end. `folder` must not be there; it is used meanwhile, and gone afterwards.

        Raises LocalCloudError when there is no container to be had, RunnerStoppedError when the runner stops first.
        """
        try:
            task = self._task(service, name, event, folder, log)
            result = await self._runner.run(task, started, self._logs)
            return Outcome(result, _answer(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _task(self, service: Service, name: str, event: bytes, folder: Path, log: Path) -> Task:
        shutil.rmtree(folder, ignore_errors=True)  # what a kill has left
        folder.mkdir(mode=0o700, parents=True)
        log.touch(mode=0o600)
        definition = service.definition
        contract.write_files(folder / "config", contract.configuration_files(definition, event))
        contract.write_files(folder / "providers", contract.provider_files(definition))
        (folder / "answer").mkdir()
        (folder / "answer").chmod(0o777)  # whoever the image's user is; the folder above is closed to others
        return Task(
            name=service.name,
            image=service.image,
            memory=megabytes(definition["memory"]),
            storage=_STORAGE,
            log_group=f"oscar/{service.cluster}/{service.name}",
            log_stream=str(log),
            volumes=(
                Volume(folder / "config", contract.CONFIG, read_only=True),
                Volume(folder / "providers", contract.PROVIDERS, read_only=True),
                Volume(folder / "answer", contract.ANSWER),
            ),
            environment=contract.variables(definition, name, event, self._endpoint),
        )


def _answer(folder: Path) -> bytes:
    path = folder / "answer" / "answer"
    return path.read_bytes() if path.is_file() and not path.is_symlink() else b""
