"""Synchronous calls: somebody waits for the answer of one container."""

import asyncio
import shutil
import uuid
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from scar_foundation.errors import LocalCloudError
from scar_pulumi.cloud.oscar.containers import Containers
from scar_pulumi.cloud.oscar.job_log import read_log
from scar_pulumi.cloud.oscar.services import Service
from scar_pulumi.cloud.runner import Limits

_SECONDS = 300.0
"""Longest call: OSCAR's default of READ_TIMEOUT and WRITE_TIMEOUT."""
_LOG_LIMIT = 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What the caller gets; the status is HTTP's."""

    status: int
    body: bytes


class Calls:
    """Runs services while callers wait; `synchronous.max_scale` says how many of a service at once."""

    def __init__(self, directory: Path, containers: Containers) -> None:
        self._directory = directory
        self._running = directory / "running"
        shutil.rmtree(self._running, ignore_errors=True)  # what a kill has left
        self._running.mkdir(mode=0o700, parents=True)
        self._containers = containers
        self._everybody = asyncio.Semaphore(Limits().synchronous)
        self._slots: defaultdict[tuple[str, str, int], asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(0))

    async def run(self, service: Service, event: bytes) -> Answer:
        """Run an event; a container that fails is an answer, too."""
        most = int((service.definition.get("synchronous") or {}).get("max_scale") or 0) or Limits().synchronous
        key = service.cluster, service.name, most
        if key not in self._slots:
            self._slots[key] = asyncio.Semaphore(most)
        async with self._slots[key], self._everybody:
            try:
                return await asyncio.wait_for(self._run(service, event), _SECONDS)
            except TimeoutError:
                return Answer(504, f"{service.name}: no answer within {_SECONDS:.0f} s".encode())
            except LocalCloudError as error:
                return Answer(503, str(error).encode())

    async def _run(self, service: Service, event: bytes) -> Answer:
        name = f"{service.name}-{uuid.uuid4()}"
        log = self._running / f"{name}.log"
        try:
            outcome = await self._containers.run(
                service, name, event, folder=self._running / name, log=log, started=lambda: None
            )
            printed = read_log(log)
            self._keep(service, log)
        finally:
            log.unlink(missing_ok=True)
        if outcome.result.exit_code == 0:
            return Answer(200, outcome.answer)
        return Answer(500, f"exit status {outcome.result.exit_code}\n{printed[-4096:]}".encode())

    def log(self, service: Service) -> Path:
        """What calls of a service have printed, the latest last."""
        return self._directory / f"{service.cluster}.{service.name}.log".replace("/", "_")

    def _keep(self, service: Service, log: Path) -> None:
        path = self.log(service)
        if path.is_file() and path.stat().st_size > _LOG_LIMIT:
            path.unlink()
        with path.open("ab") as kept:
            kept.write(log.read_bytes())
