"""Where the outcome of an asynchronous event goes: an SQS queue, an SNS topic, a function, an event bus or a bucket.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import datetime
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypedDict
from urllib.parse import quote

from scar_pulumi.cloud.asgi import Application, Request, Response, call
from scar_pulumi.cloud.lambda_.functions import DeployedFunction, FunctionReference
from scar_pulumi.cloud.ministack.upstream import json_request, query_request, rest_request
from scar_pulumi.cloud.runner import InvocationResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventOutcome:
    """What became of an event: `condition` is Success, RetriesExhausted or EventAgeExceeded."""

    function: DeployedFunction
    request_id: str
    condition: str
    attempts: int
    payload: bytes
    result: InvocationResult | None


class Destinations:
    """Sends records through the cloud's own API, as the function's account in its region."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._senders: dict[str, Callable[[str, EventOutcome], Awaitable[Response]]] = {
            "events": self._to_bus,
            "lambda": self._to_function,
            "s3": self._to_bucket,
            "sns": self._to_topic,
            "sqs": self._to_queue,
        }

    async def send(self, outcome: EventOutcome) -> None:
        """Sends what is configured; a destination that fails is logged, and the event counts as done, as on AWS."""
        events = outcome.function.events
        if outcome.condition == "Success":
            await self._send(events.on_success, outcome)
            return
        await self._send(events.on_failure, outcome)
        if events.dead_letter:
            await self._to_dead_letter(events.dead_letter, outcome)

    async def _send(self, arn: str, outcome: EventOutcome) -> None:
        if not arn:
            return
        sender = self._senders.get(_service(arn))
        answer = await sender(arn, outcome) if sender else Response(400, b"not a destination")
        _check(arn, outcome, answer)

    async def _to_queue(self, arn: str, outcome: EventOutcome) -> Response:
        return await self._ask(outcome, self._queue_message(arn, outcome, json.dumps(invocation_record(outcome)), {}))

    async def _to_topic(self, arn: str, outcome: EventOutcome) -> Response:
        parameters = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": arn}
        message = {"Message": json.dumps(invocation_record(outcome))}
        return await self._ask(outcome, query_request("sns", {**parameters, **message}, **_scope(outcome)))

    async def _to_function(self, arn: str, outcome: EventOutcome) -> Response:
        path = f"/2015-03-31/functions/{quote(arn, safe='')}/invocations"
        request = rest_request(
            "lambda", "POST", path, body=json.dumps(invocation_record(outcome)).encode(), **_scope(outcome)
        )
        headers = (*request.headers, (b"x-amz-invocation-type", b"Event"))
        return await self._ask(outcome, Request("POST", path, headers=headers, body=request.body))

    async def _to_bus(self, arn: str, outcome: EventOutcome) -> Response:
        result = "Success" if outcome.condition == "Success" else "Failure"
        entry = {
            "Source": "lambda",
            "DetailType": f"Lambda Function Invocation Result - {result}",
            "Detail": json.dumps(invocation_record(outcome)),
            "Resources": [arn, _function_arn(outcome)],
            "EventBusName": arn.rpartition("/")[2],
        }
        return await self._ask(
            outcome, json_request("events", "AWSEvents.PutEvents", {"Entries": [entry]}, **_scope(outcome))
        )

    async def _to_bucket(self, arn: str, outcome: EventOutcome) -> Response:
        now = datetime.datetime.now(datetime.UTC)
        name = f"{now:%Y-%m-%dT%H.%M.%S}-{uuid.uuid4()}"
        key = f"aws/lambda/async/{outcome.function.reference.name}/{now:%Y/%m/%d}/{name}"
        path = f"/{arn.rpartition(':')[2]}/{key}"
        return await self._ask(
            outcome,
            rest_request("s3", "PUT", path, body=json.dumps(invocation_record(outcome)).encode(), **_scope(outcome)),
        )

    async def _to_dead_letter(self, arn: str, outcome: EventOutcome) -> None:
        """Sends the event itself. https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
        message = json.loads(outcome.result.payload or b"null") if outcome.result else None
        text = message.get("errorMessage", "") if isinstance(message, dict) else ""
        attributes = {"RequestID": outcome.request_id, "ErrorCode": "200", "ErrorMessage": str(text)[:1024] or "-"}
        if _service(arn) == "sqs":
            request = self._queue_message(arn, outcome, outcome.payload.decode(), attributes)
        else:
            parameters = {"Action": "Publish", "Version": "2010-03-31", "TopicArn": arn}
            request = query_request("sns", {**parameters, "Message": outcome.payload.decode()}, **_scope(outcome))
        _check(arn, outcome, await self._ask(outcome, request))

    def _queue_message(self, arn: str, outcome: EventOutcome, body: str, attributes: dict[str, str]) -> Request:
        account, name = arn.split(":")[4:6]
        document: dict[str, Any] = {"QueueUrl": f"http://127.0.0.1/{account}/{name}", "MessageBody": body}
        if name.endswith(".fifo"):
            document |= {
                "MessageGroupId": outcome.function.reference.name,
                "MessageDeduplicationId": outcome.request_id,
            }
        if attributes:
            document["MessageAttributes"] = {
                key: {"DataType": "String", "StringValue": value} for key, value in attributes.items()
            }
        return json_request("sqs", "AmazonSQS.SendMessage", document, version="1.0", **_scope(outcome))

    async def _ask(self, _outcome: EventOutcome, request: Request) -> Response:
        return await call(self._application, request)


def invocation_record(outcome: EventOutcome) -> dict[str, Any]:
    """The document that a destination gets."""
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


def _check(arn: str, outcome: EventOutcome, answer: Response) -> None:
    if not answer.succeeded:
        name = outcome.function.reference.name
        _log.error("%s: event %s: destination %s: %s", name, outcome.request_id, arn, answer.body[:500].decode())
