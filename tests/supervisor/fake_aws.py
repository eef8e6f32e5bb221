"""AWS Batch and Lambda, as far as the supervisor calls them, behind a network that loses requests."""

import json
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from scar_foundation.limits import BATCH_OVERRIDES_CHARACTERS
from tests.world.loopback_server import QuietHandler, serving


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def reply(self, status: int, document: Any = None, **headers: str) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)


@dataclass
class Batch:
    """The jobs that were submitted, and what goes wrong."""

    address: str = ""
    jobs: list[dict[str, Any]] = field(default_factory=list)
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


class _BatchHandler(_Handler):
    batch: ClassVar[Batch]

    def do_POST(self) -> None:
        body, batch = self.body(), self.batch
        batch.authorizations.append(self.headers["Authorization"])
        fails = batch.chance.random() < batch.failing
        if fails and batch.chance.random() < 0.5:
            self.reply(503, {"message": "slow down"})
            return
        status, answer = self._carried_out(json.loads(body))
        lost = status == 200 and self.path.endswith("submitjob") and batch.lose_answers > 0
        batch.lose_answers -= lost
        if fails or lost:
            self.close_connection = True
            return
        self.reply(status, answer)

    def _carried_out(self, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        batch = self.batch
        if self.path == "/v1/listjobs":
            if batch.no_listing:
                return 403, {"__type": "AccessDeniedException", "message": "not you"}
            (wanted,) = document["filters"]
            assert wanted["name"] == "JOB_NAME"
            found = [job for job in batch.jobs if job["jobName"].lower() == wanted["values"][0].lower()]
            return 200, {"jobSummaryList": [{"jobId": job["id"], "jobName": job["jobName"]} for job in found]}
        assert self.path == "/v1/submitjob"
        overrides = {key: value for key, value in document.items() if key.endswith("Overrides")}
        # Batch adds up to 256 characters of names, and as much around them. What ECS refuses fails the job later.
        if len(json.dumps(overrides)) > BATCH_OVERRIDES_CHARACTERS - 1024:
            return 400, {"__type": "ClientException", "message": "ECS would refuse it"}
        batch.jobs.append({**document, "id": f"job-{len(batch.jobs)}"})
        return 200, {"jobId": batch.jobs[-1]["id"], "jobName": document["jobName"]}


@contextmanager
def batch_service() -> Iterator[Batch]:
    """AWS Batch on a free loopback port."""
    batch = Batch()
    with serving(type("Serving", (_BatchHandler,), {"batch": batch})) as batch.address:
        yield batch


@dataclass
class Queue:
    """The events in a function's queue, and the refusal that is answered instead, if any."""

    address: str = ""
    events: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    refusal: tuple[int, str] | None = None


class _LambdaHandler(_Handler):
    queue: ClassVar[Queue]

    def do_POST(self) -> None:
        body, queue = self.body(), self.queue
        queue.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        if queue.refusal:
            status, message = queue.refusal
            self.reply(status, {"message": message}, x_amzn_ErrorType="Refused")
            return
        queue.events.append(json.loads(body))
        self.reply(202, x_amzn_RequestId=f"later-{len(queue.events)}")


@contextmanager
def lambda_service() -> Iterator[Queue]:
    """Lambda's Invoke on a free loopback port."""
    queue = Queue()
    with serving(type("Serving", (_LambdaHandler,), {"queue": queue})) as queue.address:
        yield queue
