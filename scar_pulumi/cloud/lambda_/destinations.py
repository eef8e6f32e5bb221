"""Where the outcome of an asynchronous event goes: an SQS queue, an SNS topic, a function, an event bus or a bucket.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import datetime
import json
import logging
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypedDict
from urllib.parse import quote

from scar_pulumi.cloud.asgi import ASGIApp, Request, call
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, FunctionReference
from scar_pulumi.cloud.ministack.upstream import json_request, query_request, rest_request
from scar_pulumi.cloud.runner import InvocationResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventOutcome:
    """How an event ended: `condition` is Success, RetriesExhausted or EventAgeExceeded."""

    function: DeployedFunction
    request_id: str
    condition: str
    attempts: int
    payload: bytes
    result: InvocationResult | None


class Destinations:
    """Sends invocation records through the local cloud's own API, as the function's account in its region."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def send(self, outcome: EventOutcome) -> None:
        """Send the records that are configured. A destination that fails is logged; the event is done all the same."""
        events = outcome.function.events
        if outcome.condition == "Success":
            await self._send_record(events.on_success, outcome)
            return
        await self._send_record(events.on_failure, outcome)
        if events.dead_letter:
            await self._send(events.dead_letter, outcome, _dead_letter(events.dead_letter, outcome))

    async def _send_record(self, arn: str, outcome: EventOutcome) -> None:
        if not arn:
            return
        make = _RECORD_REQUESTS.get(_service(arn))
        if make is None:
            _log_failure(arn, outcome, "not a destination")
            return
        await self._send(arn, outcome, make(arn, outcome, json.dumps(invocation_record(outcome))))

    async def _send(self, arn: str, outcome: EventOutcome, request: Request) -> None:
        answer = await call(self._application, request)
        if not answer.succeeded:
            _log_failure(arn, outcome, answer.body[:500].decode())


def invocation_record(outcome: EventOutcome) -> dict[str, Any]:
    """Return the document that a destination gets."""
    now = datetime.datetime.now(datetime.UTC)
    document: dict[str, Any] = {
        "version": "1.0",
        "timestamp": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "requestContext": {
            "requestId": outcome.request_id,
            "functionArn": _function_arn(outcome),
            "condition": outcome.condition,
            "approximateInvokeCount": outcome.attempts,
        },
        "requestPayload": json.loads(outcome.payload),
    }
    if outcome.result:
        context: dict[str, Any] = {"statusCode": 200, "executedVersion": outcome.function.version}
        if outcome.result.error:
            context["functionError"] = outcome.result.error
        document["responseContext"] = context
        document["responsePayload"] = json.loads(outcome.result.payload or b"null")
    return document


def _function_arn(outcome: EventOutcome) -> str:
    reference: FunctionReference = outcome.function.reference
    return f"{reference.arn}:{reference.qualifier or '$LATEST'}"


def _service(arn: str) -> str:
    return [*arn.split(":"), "", "", ""][2]


class _AccountAndRegion(TypedDict):
    account: str
    region: str


def _scope(outcome: EventOutcome) -> _AccountAndRegion:
    return {"account": outcome.function.reference.account, "region": outcome.function.reference.region}


def _log_failure(arn: str, outcome: EventOutcome, reason: str) -> None:
    _log.error("%s: event %s: destination %s: %s", outcome.function.reference.name, outcome.request_id, arn, reason)


def _to_queue(arn: str, outcome: EventOutcome, record: str) -> Request:
    return _queue_message(arn, outcome, record, {})


def _to_topic(arn: str, outcome: EventOutcome, record: str) -> Request:
    parameters = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": arn, "Message": record}
    return query_request("sns", parameters, **_scope(outcome))


def _to_function(arn: str, outcome: EventOutcome, record: str) -> Request:
    path = f"/2015-03-31/functions/{quote(arn, safe='')}/invocations"
    request = rest_request("lambda", "POST", path, body=record.encode(), **_scope(outcome))
    return replace(request, headers=(*request.headers, (b"x-amz-invocation-type", b"Event")))


def _to_bus(arn: str, outcome: EventOutcome, record: str) -> Request:
    result = "Success" if outcome.condition == "Success" else "Failure"
    entry = {
        "Source": "lambda",
        "DetailType": f"Lambda Function Invocation Result - {result}",
        "Detail": record,
        "Resources": [arn, _function_arn(outcome)],
        "EventBusName": arn.rpartition("/")[2],
    }
    return json_request("events", "AWSEvents.PutEvents", {"Entries": [entry]}, **_scope(outcome))


def _to_bucket(arn: str, outcome: EventOutcome, record: str) -> Request:
    now = datetime.datetime.now(datetime.UTC)
    name = f"{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
    key = f"aws/lambda/async/{outcome.function.reference.name}/{now:%Y/%m/%d}/{name}"
    return rest_request("s3", "PUT", f"/{arn.rpartition(':')[2]}/{key}", body=record.encode(), **_scope(outcome))


_RECORD_REQUESTS: dict[str, Callable[[str, EventOutcome, str], Request]] = {
    "events": _to_bus,
    "lambda": _to_function,
    "s3": _to_bucket,
    "sns": _to_topic,
    "sqs": _to_queue,
}


def _dead_letter(arn: str, outcome: EventOutcome) -> Request:
    """Return the request that sends the event itself, with its last error as attributes."""
    message = json.loads(outcome.result.payload or b"null") if outcome.result else None
    text = message.get("errorMessage", "") if isinstance(message, dict) else ""
    attributes = {"RequestID": outcome.request_id, "ErrorCode": "200", "ErrorMessage": str(text)[:1024] or "-"}
    if _service(arn) == "sqs":
        return _queue_message(arn, outcome, outcome.payload.decode(), attributes)
    return _to_topic(arn, outcome, outcome.payload.decode())


def _queue_message(arn: str, outcome: EventOutcome, body: str, attributes: dict[str, str]) -> Request:
    account, name = arn.split(":")[4:6]
    document: dict[str, Any] = {"QueueUrl": f"http://127.0.0.1/{account}/{name}", "MessageBody": body}
    if name.endswith(".fifo"):
        document |= {"MessageGroupId": outcome.function.reference.name, "MessageDeduplicationId": outcome.request_id}
    if attributes:
        document["MessageAttributes"] = {
            key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
        }
    return json_request("sqs", "AmazonSQS.SendMessage", document, version="1.0", **_scope(outcome))
