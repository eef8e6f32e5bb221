"""Hands events to targets: functions, state machines, queues, topics, jobs and buses of this cloud.

A delivery is on disk until its target has taken it. Whoever stores one in the same transaction as what caused it (a
schedule that was due, an event that was put) loses none to a kill.
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-targets.html
"""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from scar_foundation.limits import EVENT_AGE, EVENT_ATTEMPTS
from scar_pulumi.cloud.asgi import ASGIApp, Request, Response, call
from scar_pulumi.cloud.events.store import Delivery, EventStore
from scar_pulumi.cloud.ministack.upstream import json_request, query_request, rest_request

_log = logging.getLogger(__name__)
_BACK_OFF = (1.0, 60.0)
"""Seconds before the first retry, and at most."""
_AT_ONCE = 32


class Deliveries:
    """Delivers in tasks of its own; `application` is the local cloud's own interface."""

    def __init__(self, store: EventStore, application: ASGIApp) -> None:
        self._store = store
        self._application = application
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self.counts = {"delivered": 0, "failed": 0}

    def start(self) -> None:
        """Go on with what an earlier daemon left."""
        self.begin(self._store.deliveries())

    async def close(self) -> None:
        """Stop; what is not delivered stays on disk."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def describe(self) -> dict[str, int]:
        """Return how many deliveries wait, and how those since the start ended."""
        return {"waiting": len(self._tasks), **self.counts}

    def begin(self, deliveries: Iterable[Delivery]) -> None:
        """Deliver what is in the store."""
        for delivery in deliveries:
            task = asyncio.create_task(self._deliver(delivery))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _deliver(self, delivery: Delivery) -> None:
        policy = delivery.target.get("RetryPolicy") or {}
        most: int = policy.get("MaximumRetryAttempts", EVENT_ATTEMPTS.most)
        oldest: int = policy.get("MaximumEventAgeInSeconds", EVENT_AGE.most)
        pause, longest = _BACK_OFF
        while (reason := await self._attempt(delivery)) is not None:
            self._store.tried(delivery)
            if delivery.attempts > most or time.time() - delivery.created + pause > oldest:
                await self._give_up(delivery, reason)
                break
            await asyncio.sleep(pause)
            pause = min(pause * 2, longest)
        else:
            self.counts["delivered"] += 1
        self._store.remove_delivery(delivery.id)

    async def _attempt(self, delivery: Delivery) -> str | None:
        """Return why the target did not take it; None when it did."""
        async with self._slots:
            try:
                answer = await call(self._application, request_for(delivery))
            except (KeyError, ValueError) as error:
                return f"{type(error).__name__}: {error}"
            return None if _is_taken(delivery, answer) else f"{answer.status_code}: {answer.body[:500].decode()}"

    async def _give_up(self, delivery: Delivery, reason: str) -> None:
        self.counts["failed"] += 1
        source, target = delivery.target.get("source", ""), delivery.target["Arn"]
        _log.warning("%s: not delivered to %s after %d attempts: %s", source, target, delivery.attempts, reason)
        if queue := (delivery.target.get("DeadLetterConfig") or {}).get("Arn"):
            attributes = {"ERROR_MESSAGE": reason, "RULE_ARN": source, "TARGET_ARN": target}
            answer = await call(self._application, _message(queue, delivery.payload, {}, attributes))
            if not answer.succeeded:
                _log.warning("%s: not delivered to its dead-letter queue %s", source, queue)


def is_target(arn: str) -> bool:
    """Return whether this cloud can deliver to an ARN."""
    return _service(arn) in _REQUESTS


def served() -> str:
    """Return the services of targets, for messages."""
    return ", ".join(_REQUESTS)


def request_for(delivery: Delivery) -> Request:
    """Return the request that hands something to its target. Raises KeyError for an unknown kind of target."""
    return _REQUESTS[_service(delivery.target["Arn"])](delivery)


def _is_taken(delivery: Delivery, answer: Response) -> bool:
    """Return whether a target has it: an execution of the delivery's name may be there from before a kill."""
    if answer.succeeded:
        is_bus = _service(delivery.target["Arn"]) == "events"
        return not is_bus or json.loads(answer.body).get("FailedEntryCount") == 0
    return _service(delivery.target["Arn"]) == "states" and b"ExecutionAlreadyExists" in answer.body


def _service(arn: str) -> str:
    return arn.split(":")[2] if arn.count(":") >= 5 else ""


def _place(arn: str) -> dict[str, Any]:
    _, _, _, region, account, *_ = arn.split(":")
    return {"account": account, "region": region}


def _function(delivery: Delivery) -> Request:
    arn = delivery.target["Arn"]
    path = f"/2015-03-31/functions/{quote(arn, safe=':')}/invocations"
    request = rest_request("lambda", "POST", path, body=delivery.payload.encode(), **_place(arn))
    return replace(request, headers=(*request.headers, (b"x-amz-invocation-type", b"Event")))


def _machine(delivery: Delivery) -> Request:
    arn = delivery.target["Arn"]
    document = {"stateMachineArn": arn, "name": delivery.id, "input": delivery.payload}
    return json_request("states", "AWSStepFunctions.StartExecution", document, version="1.0", **_place(arn))


def _queue(delivery: Delivery) -> Request:
    return _message(delivery.target["Arn"], delivery.payload, delivery.target.get("SqsParameters") or {}, {})


def _message(arn: str, body: str, parameters: Mapping[str, str], attributes: Mapping[str, str]) -> Request:
    place = _place(arn)
    url = f"http://127.0.0.1/{place['account']}/{arn.rpartition(':')[2]}"
    document: dict[str, Any] = {"QueueUrl": url, "MessageBody": body}
    if group := parameters.get("MessageGroupId"):
        document["MessageGroupId"] = group
        if arn.endswith(".fifo"):
            document["MessageDeduplicationId"] = hashlib.sha256(body.encode()).hexdigest()
    if attributes:
        document["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value or "-"} for name, value in attributes.items()
        }
    return json_request("sqs", "AmazonSQS.SendMessage", document, version="1.0", **place)


def _topic(delivery: Delivery) -> Request:
    arn = delivery.target["Arn"]
    return query_request("sns", {"Action": "Publish", "TopicArn": arn, "Message": delivery.payload}, **_place(arn))


def _job(delivery: Delivery) -> Request:
    arn, parameters = delivery.target["Arn"], delivery.target["BatchParameters"]
    document = {"jobName": parameters["JobName"], "jobQueue": arn, "jobDefinition": parameters["JobDefinition"]}
    if size := (parameters.get("ArrayProperties") or {}).get("Size"):
        document["arrayProperties"] = {"size": size}
    if attempts := (parameters.get("RetryStrategy") or {}).get("Attempts"):
        document["retryStrategy"] = {"attempts": attempts}
    return rest_request("batch", "POST", "/v1/submitjob", body=json.dumps(document).encode(), **_place(arn))


def _bus(delivery: Delivery) -> Request:
    """Put an event again, on another bus: what a rule passes on is an event, what a schedule has is its detail."""
    arn, parameters = delivery.target["Arn"], delivery.target.get("EventBridgeParameters")
    document = json.loads(delivery.payload)
    if parameters is None:
        parameters = {"Source": document["source"], "DetailType": document["detail-type"]}
        document = document["detail"]
    entry = {**parameters, "Detail": json.dumps(document), "EventBusName": arn.rpartition("/")[2]}
    return json_request("events", "AWSEvents.PutEvents", {"Entries": [entry]}, **_place(arn))


_REQUESTS: Mapping[str, Callable[[Delivery], Request]] = {
    "batch": _job,
    "events": _bus,
    "lambda": _function,
    "sns": _topic,
    "sqs": _queue,
    "states": _machine,
}
