"""Log lines of a function, from CloudWatch Logs: read once, or followed without losing or repeating any."""

import datetime
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

# How far back is read again, in ms: lines may become visible after newer ones of other streams.
_LATE = 60_000
_PAGE = 10_000
_START = re.compile(r"START RequestId: (\S+)")
# The supervisor's line with the gateway's id of a request, as text or JSON; a test compares the two.
GATEWAY_LINE = re.compile(r'(?:INFO |"requestId": ")([\w-]+).*the gateway\'s request id is ([^"\s]+)')
_LAST = re.compile(r"(?:END|REPORT) RequestId: (\S+)")


@dataclass(frozen=True)
class LogLine:
    """A line; `timestamp` in ms since the epoch. `request_id` is empty before a container's first event."""

    identity: str
    timestamp: int
    stream: str
    message: str
    request_id: str = ""

    def document(self) -> dict[str, Any]:
        """Return the line as a JSON document."""
        return {
            "timestamp": self.timestamp,
            "stream": self.stream,
            "requestId": self.request_id,
            "message": self.message,
        }


def read(
    logs: Any,
    group: str,
    start: int = 0,
    *,
    end: int | None = None,
    streams: Sequence[str] = (),
    pattern: str = "",
) -> Iterator[LogLine]:
    """Read the lines of a group, oldest first; `start` and `end` in ms since the epoch.

    A group that does not exist has no lines: Lambda creates it when a function first runs.
    """
    request: dict[str, Any] = {"logGroupName": group, "startTime": start, "limit": _PAGE}
    request |= {"endTime": end} if end is not None else {}
    request |= {"logStreamNames": list(streams)} if streams else {}
    request |= {"filterPattern": pattern} if pattern else {}
    return _fresh(_pages(logs, request), {})


def follow(
    logs: Any, group: str, start: int, *, wait: Callable[[], bool], streams: Sequence[str] = ()
) -> Iterator[LogLine]:
    """Read the lines of a group and keep reading; `wait` pauses between two polls and returns whether to go on."""
    seen: dict[str, int] = {}
    newest = start
    while True:
        for line in _fresh(read(logs, group, max(start, newest - _LATE), streams=streams), seen):
            newest = max(newest, line.timestamp)
            yield line
        for identity in [identity for identity, timestamp in seen.items() if timestamp < newest - 2 * _LATE]:
            del seen[identity]
        if not wait():
            return


def of_request(logs: Any, group: str, request_id: str, start: int = 0) -> Iterator[LogLine]:
    """Read the lines of one invocation, its retries included: all of them, not only those that name it.

    The id may also be the gateway's, which is all that a caller learns when a function takes too long.
    """
    marks = list(read(logs, group, start, pattern=f'"{request_id}"'))
    if not marks:
        return
    named = (match for mark in marks if (match := GATEWAY_LINE.search(mark.message)))
    if own := next((match[1] for match in named if match[2] == request_id), None):
        yield from of_request(logs, group, own, start)
        return
    streams = sorted({line.stream for line in marks})
    end = marks[-1].timestamp if _LAST.match(marks[-1].message) else None  # still running
    lines = read(logs, group, marks[0].timestamp, end=end, streams=streams)
    yield from only_request(attributed(lines), request_id)


def only_request(lines: Iterable[LogLine], request_id: str) -> Iterator[LogLine]:
    """Keep the lines of one invocation."""
    return (line for line in lines if line.request_id == request_id or request_id in line.message)


def attributed(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """Add the request id to each line: a stream is one container, which handles one event at a time."""
    current: dict[str, str] = {}
    for line in lines:
        if start := _START.match(line.message):
            current[line.stream] = start[1]
        last = _LAST.match(line.message)
        owner = last[1] if last else current.get(line.stream, "")
        yield LogLine(line.identity, line.timestamp, line.stream, line.message, owner)


def _fresh(lines: Iterable[LogLine], seen: dict[str, int]) -> Iterator[LogLine]:
    for line in lines:
        if line.identity not in seen:
            seen[line.identity] = line.timestamp
            yield line


def _pages(logs: Any, request: dict[str, Any]) -> Iterator[LogLine]:
    while True:
        try:
            page = logs.filter_log_events(**request)
        except logs.exceptions.ResourceNotFoundException:
            return
        lines = [_line(event) for event in page["events"]]
        yield from lines
        if token := page.get("nextToken"):
            request = {**request, "nextToken": token}
        elif len(lines) == _PAGE and lines[-1].timestamp > request["startTime"]:
            # A full page without a token: an emulator cuts there. Lines that are read twice are recognized by identity.
            request = {**request, "startTime": lines[-1].timestamp}
        else:
            return


def _line(event: dict[str, Any]) -> LogLine:
    stream, message = event["logStreamName"], event["message"].rstrip("\n")
    identity = event.get("eventId") or f"{stream}/{event['timestamp']}/{message}"
    return LogLine(identity, event["timestamp"], stream, message)


def milliseconds(moment: str) -> int:
    """Read a time of OSCAR or Kubernetes as ms since the epoch."""
    # Kubernetes gives nanoseconds; Python reads six digits.
    head, dot, rest = moment.removesuffix("Z").partition(".")
    text = f"{head}{dot}{rest[:6]}+00:00" if moment.endswith("Z") else moment
    return int(datetime.datetime.fromisoformat(text).timestamp() * 1000)
