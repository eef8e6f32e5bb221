"""Events that Lambda has kept when they failed for good: read back from a function's failure destination.

A bucket is listed. A queue is looked through without taking anything but what is run again, unless a look would move
messages elsewhere.
Other destinations pass events on and keep none.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from scar_pulumi.client.clients import Clients
from scar_pulumi.client.outputs import DeployedFunction

_FOLDER = "aws/lambda/async"
_MOST_RECORDS = 1000
_LOOK_SECONDS = 30
"""How long messages that were looked at are hidden from others, if they are not put back before."""
_MESSAGES = 10
_TAG = "scar-pulumi:again"
Note = Callable[[str], None]
"""Notes that an event was run again, as the request that it is given."""
_SINGLE_TRY = "has no failure destination, which keeps the events of failed calls (lambda.failure_destination)"


class KeptEvent(NamedTuple):
    """An event, and what notes in its destination that it was run again as a request."""

    event: Any
    note: Note


class Kept(NamedTuple):
    """The events of a function by request id; `otherwise` says of others why they cannot be had."""

    events: Mapping[str, KeptEvent]
    otherwise: str


def kept_events(function: DeployedFunction, clients: Clients, start: int) -> Kept:
    """Return the events that the failure destination of a function has kept since `start` (ms since the epoch)."""
    try:
        return _read(function, _destination(function, clients), clients, start)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        return Kept({}, f"'{function.name}': its failure destination cannot be read ({code})")


def _destination(function: DeployedFunction, clients: Clients) -> str:
    client = clients.client("lambda", function.region)
    with suppress(client.exceptions.ResourceNotFoundException):
        found = client.get_function_event_invoke_config(FunctionName=function.arn)
        return str(((found.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination") or "")
    return ""


def _read(function: DeployedFunction, destination: str, clients: Clients, start: int) -> Kept:
    if not destination:
        return Kept({}, f"'{function.name}' {_SINGLE_TRY}")
    kind = destination.split(":")[2]
    if kind == "s3":
        records = _in_bucket(clients.client("s3", function.region), destination.rpartition(":")[2], function, start)
    elif kind == "sqs":
        records = _in_queue(clients.client("sqs", destination.split(":")[3]), destination)
    else:
        return Kept({}, f"events that fail go to {destination}, which keeps none")
    events = {
        str(record["requestContext"]["requestId"]): KeptEvent(record["requestPayload"], note)
        for record, note in records
        if _is_about(record, function)
    }
    return Kept(events, f"{destination} does not have it: only asynchronous calls go there, and each runs again once")


def _is_about(record: Any, function: DeployedFunction) -> bool:
    context = record.get("requestContext") if isinstance(record, dict) else None
    about = str(context.get("functionArn")) if isinstance(context, dict) else ""
    return "requestPayload" in record and f"{about}:".startswith(f"{function.arn}:") if about else False


def _in_bucket(s3: Any, bucket: str, function: DeployedFunction, start: int) -> Iterator[tuple[Any, Note]]:
    """Yield the records that were not run again: those are tagged with the new request."""
    folder = f"{_FOLDER}/{function.arn.split(':')[6]}/"
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=folder)
    found = [one for page in pages for one in page.get("Contents", ())]
    for one in sorted(found, key=lambda one: one["Key"], reverse=True)[:_MOST_RECORDS]:
        place = {"Bucket": bucket, "Key": one["Key"]}
        if one["LastModified"].timestamp() * 1000 >= start and not _tags(s3, place).get(_TAG):
            yield _json(s3.get_object(**place)["Body"].read()), partial(_tag, s3, place)


def _tags(s3: Any, place: Mapping[str, str]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in s3.get_object_tagging(**place).get("TagSet", ())}


def _tag(s3: Any, place: Mapping[str, str], request: str) -> None:
    tags = {**_tags(s3, place), _TAG: request}
    s3.put_object_tagging(**place, Tagging={"TagSet": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]})


def _in_queue(sqs: Any, arn: str) -> Iterator[tuple[Any, Note]]:
    """Yield the messages; one that is run again leaves the queue, and comes back if it fails again."""
    url = sqs.get_queue_url(QueueName=arn.rpartition(":")[2], QueueOwnerAWSAccountId=arn.split(":")[4])["QueueUrl"]
    if (sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["RedrivePolicy"]).get("Attributes") or {}).get(
        "RedrivePolicy"
    ):
        return  # each look counts as a try there
    looked_at: list[str] = []
    try:
        while len(looked_at) < _MOST_RECORDS and (messages := _messages(sqs, url)):
            looked_at += [message["ReceiptHandle"] for message in messages]
            for message in messages:
                yield _json(message["Body"]), partial(_delete, sqs, url, message["ReceiptHandle"])
    finally:
        for handle in looked_at:
            sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=0)


def _delete(sqs: Any, url: str, handle: str, _request: str) -> None:
    sqs.delete_message(QueueUrl=url, ReceiptHandle=handle)


def _messages(sqs: Any, url: str) -> list[dict[str, Any]]:
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=_MESSAGES, VisibilityTimeout=_LOOK_SECONDS)
    return list(received.get("Messages", ()))


def _json(text: str | bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
