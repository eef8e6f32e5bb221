"""AWS Batch as far as the supervisor asks it, SubmitJob and ListJobs, behind a network that loses requests."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from tests.world.loopback_server import QuietHandler, serving

_LARGEST = 30 * 1024  # https://docs.aws.amazon.com/batch/latest/userguide/service_limits.html


@dataclass
class Batch:
    """The jobs that were submitted, and what goes wrong."""

    address: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    failing: float = 0.0  # this share of requests fails, half of those after they were carried out
    lose_answers: int = 0  # so many submissions are carried out and not answered
    no_listing: bool = False
    chance: random.Random = field(default_factory=lambda: random.Random(2))  # noqa: S311 the same failures each time

    def variables(self, number: int = 0) -> dict[str, str]:
        job = self.jobs[number]
        overrides = job.get("containerOverrides")
        if overrides is None:
            (nodes,) = job["nodeOverrides"]["nodePropertyOverrides"]
            assert nodes["targetNodes"] == "0:"
            overrides = nodes["containerOverrides"]
        return {pair["name"]: pair["value"] for pair in overrides["environment"]}


class _Handler(QuietHandler):
    batch: ClassVar[Batch]
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        batch, document = self.batch, json.loads(body)
        batch.requests.append(self.path)
        batch.authorizations.append(self.headers["Authorization"])
        fails = batch.chance.random() < batch.failing
        if fails and batch.chance.random() < 0.5:
            self._reply(503, {"message": "slow down"})
            return
        status, answer = self._carried_out(document, len(body))
        lost = status == 200 and self.path.endswith("submitjob") and batch.lose_answers > 0
        batch.lose_answers -= lost
        if fails or lost:
            self.close_connection = True
            return
        self._reply(status, answer)

    def _carried_out(self, document: dict[str, Any], size: int) -> tuple[int, dict[str, Any]]:
        batch = self.batch
        if self.path == "/v1/listjobs":
            if batch.no_listing:
                return 403, {"__type": "AccessDeniedException", "message": "not you"}
            (wanted,) = document["filters"]
            assert wanted["name"] == "JOB_NAME"
            found = [job for job in batch.jobs if job["jobName"].lower() == wanted["values"][0].lower()]
            return 200, {"jobSummaryList": [{"jobId": job["id"], "jobName": job["jobName"]} for job in found]}
        assert self.path == "/v1/submitjob"
        if size > _LARGEST:
            return 400, {"__type": "ClientException", "message": "too large"}
        batch.jobs.append({**document, "id": f"job-{len(batch.jobs)}"})
        return 200, {"jobId": batch.jobs[-1]["id"], "jobName": document["jobName"]}

    def _reply(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def batch_service() -> Iterator[Batch]:
    """The service on a free loopback port."""
    batch = Batch()
    with serving(type("Serving", (_Handler,), {"batch": batch})) as batch.address:
        yield batch
