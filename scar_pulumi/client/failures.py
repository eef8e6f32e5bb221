"""Which inputs of a function failed, read from its log and its jobs: one failure however often it was tried.

A failure is no longer one when a later try, or a later event for the same input, has succeeded.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote_plus, unquote_plus

from scar_pulumi.client.jobs import ENDED, job_of
from scar_pulumi.client.logs import LogLine
from scar_pulumi.client.outputs import DeployedFunction, DeployedService

# The supervisor's lines, as text or JSON; a test reads what a real one has written.
_OWN_LINE = re.compile(r"\S+Z (?P<level>[A-Z]+) (?P<request>\S+) (?P<text>.*)", re.DOTALL)
_INPUT = re.compile(r"(?:running \S+ on (?P<run>.+)|downloaded (?P<got>.+) \(\d+ bytes\))")
_NAMED = re.compile(r"(?P<input>[^\s/:]+/.+?): (?P<reason>.+)", re.DOTALL)
_SUMMARY = re.compile(r"\d+ of \d+ inputs failed: ")
_START = re.compile(r"START RequestId: (\S+)")
# https://docs.aws.amazon.com/lambda/latest/dg/troubleshooting-invocation.html
_PLATFORM = re.compile(r"(?:Task timed out after [\d.]+ seconds|Error: Runtime exited[^\n]*)")
EVENT, EVENT_PLACE = "EVENT", "SCAR_EVENT"
"""The variables in which the supervisor gives a job its event, or the place of one too large for a variable."""


@dataclass(frozen=True)
class Failure:
    """An input that failed, or an event without one; `when` in ms since the epoch, `job` empty outside of Batch."""

    function: DeployedFunction | DeployedService
    input: str
    reason: str
    tries: int
    when: int
    request_id: str
    job: str = ""
    event: Any = field(default=None, repr=False)
    """What runs it again; None where nothing keeps it."""
    otherwise: str = ""
    """Why nothing keeps it."""
    note: Callable[[str], None] = field(default=lambda _request: None, repr=False)
    """Notes that it was run again, where what keeps its event would have it run again each time."""

    def document(self) -> dict[str, Any]:
        """Return the failure as a JSON document."""
        return {
            "function": self.function.name,
            "input": self.input or None,
            "reason": self.reason,
            "tries": self.tries,
            "when": self.when,
            "requestId": self.request_id,
            "job": self.job or None,
        }


@dataclass
class Try:
    """One try of an event: when it began, the inputs that it was about, and what went wrong with them."""

    request_id: str
    when: int
    inputs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def take(self, message: str) -> None:
        """Take in a line of the log."""
        level, text = own_line(message)
        if found := _INPUT.fullmatch(text):
            self.inputs.append(found["run"] or found["got"])
        elif level == "ERROR" and not text.startswith("  ") and not _SUMMARY.match(text):
            self.errors.append(text)
        elif not level and (platform := _PLATFORM.search(message)):
            self.errors.append(platform[0])

    def failures(self) -> Iterator[tuple[str, str]]:
        """Yield the inputs that failed, each with the reason; an empty name where the log names none."""
        for error in self.errors:
            known = next((one for one in self.inputs if error.startswith(f"{one}: ")), None)
            if known is not None:
                yield known, error.removeprefix(f"{known}: ")
            elif found := _NAMED.fullmatch(error):
                yield found["input"], found["reason"]
            else:
                yield self.inputs[-1] if self.inputs else "", error


def own_line(message: str) -> tuple[str, str]:
    """Return the level and the text of a line of the supervisor; an empty level for lines of others."""
    if message.startswith("{"):
        try:
            document = json.loads(message)
        except ValueError:
            return "", message
        if isinstance(document, dict) and isinstance(document.get("message"), str) and "level" in document:
            return str(document["level"]), document["message"].partition("\n")[0]
    found = _OWN_LINE.fullmatch(message)
    return (found["level"], found["text"]) if found else ("", message)


def failures_in_log(function: DeployedFunction, lines: Iterable[LogLine]) -> list[Failure]:
    """Return the failures that a function's log tells of, newest first."""
    tries = list(_tries(lines))
    by_request: dict[str, list[Try]] = {}
    for one in tries:
        by_request.setdefault(one.request_id, []).append(one)
    found = [
        Failure(function, name, reason, len(all_tries), last.when, request, event=event_for(function, name))
        for request, all_tries in by_request.items()
        for last in all_tries[-1:]
        for name, reason in dict(last.failures()).items()
        if not (name and any(_succeeded(one, name, last.when) for one in tries))
    ]
    return sorted(found, key=lambda failure: failure.when, reverse=True)


def _tries(lines: Iterable[LogLine]) -> Iterator[Try]:
    """Yield the tries in the order in which they began; a stream is one container, with one event at a time."""
    current: dict[str, Try] = {}
    for line in lines:
        if start := _START.match(line.message):
            current[line.stream] = Try(start[1], line.timestamp)
            yield current[line.stream]
        elif line.stream in current:
            current[line.stream].take(line.message)


def _succeeded(one: Try, name: str, after: int) -> bool:
    return one.when > after and name in one.inputs and name not in dict(one.failures())


def failures_of_jobs(function: DeployedFunction, details: Sequence[Mapping[str, Any]], start: int) -> list[Failure]:
    """Return the failures among a function's jobs, as Batch describes them, that ended after `start`, newest first."""
    done = [detail for detail in details if detail["status"] == ENDED[0]]
    succeeded = {name: detail["stoppedAt"] for detail in done for name in inputs(detail)}
    found = []
    for detail in details:
        job = job_of(detail, function.name)
        names = [name for name in inputs(detail) if succeeded.get(name, 0) < job.stopped]
        if job.status == "FAILED" and job.stopped >= start and (names or not inputs(detail)):
            tries = max(1, len(detail.get("attempts") or ()))
            event = event_of(detail)
            found.append(
                Failure(function, ", ".join(names), job.reason, tries, job.stopped, job.request_id, job.id, event)
            )
    return sorted(found, key=lambda failure: failure.when, reverse=True)


def inputs(detail: Mapping[str, Any]) -> list[str]:
    """Return the objects that a described job's event is about, as `BUCKET/KEY`; none where it has no such event."""
    return list(dict.fromkeys(_objects(event_of(detail))))


def event_of(detail: Mapping[str, Any]) -> Any:
    """Return a described job's event; None where it has none, or only its place in a bucket."""
    text = _variables(detail).get(EVENT)
    return _json(text) if text else None


def with_event(detail: Mapping[str, Any], s3: Any) -> dict[str, Any]:
    """Return a described job with the event that was too large for a variable, as long as its bucket has it."""
    place = _variables(detail).get(EVENT_PLACE)
    if not place:
        return dict(detail)
    bucket, _, key = place.partition("/")
    try:
        text = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode()
    except s3.exceptions.ClientError:  # expired, or not for these credentials to read
        return dict(detail)
    container = detail.get("container") or {}
    variables = [*(container.get("environment") or ()), {"name": EVENT, "value": text}]
    return {**detail, "container": {**container, "environment": variables}}


def _variables(detail: Mapping[str, Any]) -> dict[str, str]:
    ranges = (detail.get("nodeProperties") or {}).get("nodeRangeProperties") or ()
    containers = [detail.get("container") or {}, *(one.get("container") or {} for one in ranges)]
    return {
        str(entry.get("name")): str(entry.get("value"))
        for container in containers
        for entry in container.get("environment") or ()
    }


def _objects(event: Any) -> Iterator[str]:
    """Yield the objects in an event of S3 or MinIO, or in one that a queue, a topic or a bus passes on."""
    if isinstance(event, list):
        for one in event:
            yield from _objects(one)
    elif isinstance(event, str) and event.startswith(("{", "[")):
        yield from _objects(_json(event))
    elif isinstance(event, dict):
        named = event.get("s3") or event.get("detail")
        bucket, stored = ((named or {}).get(part) if isinstance(named, dict) else None for part in ("bucket", "object"))
        if isinstance(bucket, dict) and isinstance(stored, dict):
            yield f"{bucket.get('name')}/{unquote_plus(str(stored.get('key')))}"
        else:
            yield from (found for one in event.values() for found in _objects(one))


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


def event_for(function: DeployedFunction | DeployedService, name: str) -> Any:
    """Return the event that S3 or MinIO would send for an object of a function's inputs; None for other storages.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    bucket, _, key = name.partition("/")
    provider = next((path.provider for path in function.inputs if f"{name}/".startswith(f"{path.path}/")), "s3.default")
    kind = provider.partition(".")[0]
    if not key or kind not in ("s3", "minio"):
        return None
    stored = {"bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"}, "object": {"key": quote_plus(key, safe="/")}}
    source = "aws:s3" if kind == "s3" else "minio:s3"
    region = function.region if isinstance(function, DeployedFunction) else ""
    record = {"eventSource": source, "eventName": "ObjectCreated:Put", "awsRegion": region, "s3": stored}
    return {"Records": [record]}
