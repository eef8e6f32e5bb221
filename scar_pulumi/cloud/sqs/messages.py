"""Keeps sent messages in the journal until they are consumed, or in a snapshot of MiniStack's state.

MiniStack has them in memory. A message that was consumed since the last snapshot may come again after a kill, as
standard queues deliver at least once; one that was sent is not lost.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/standard-queues-at-least-once-delivery.html
"""

import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from scar_pulumi.cloud.asgi import Request, Response
from scar_pulumi.cloud.ministack.journal import Journal
from scar_pulumi.cloud.ministack.upstream import Upstream, action_of
from scar_pulumi.cloud.service import Service, ServiceRequest

_TARGET = b"AmazonSQS.SendMessage"
_QUERY_ID = re.compile(rb"<MessageId>([^<]+)</MessageId>")
_KNOWN = 100_000
"""Messages and receipts that are remembered. What is forgotten may come again after a kill."""
_SENDS = ("SendMessage", "SendMessageBatch")
_DELETES = ("DeleteMessage", "DeleteMessageBatch")


class SentMessages:
    """Which entries of the journal are messages that nobody has consumed."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._entries: OrderedDict[str, int] = OrderedDict()
        self._receipts: OrderedDict[str, str] = OrderedDict()

    def sent(self, identifier: str, request: Request) -> None:
        """Keep the request that sends a message."""
        self._entries[identifier] = self._journal.append(request)
        _bound(self._entries)

    def received(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Note which receipt is for which message."""
        for message in messages:
            self._receipts[str(message.get("ReceiptHandle"))] = str(message.get("MessageId"))
        _bound(self._receipts)

    def deleted(self, receipt: str) -> None:
        """Forget the message that was received with a receipt."""
        self.consumed([self._receipts.pop(receipt, "")])

    def consumed(self, identifiers: Iterable[str]) -> None:
        """Forget messages that will not come again."""
        for identifier in identifiers:
            if (number := self._entries.pop(identifier, None)) is not None:
                self._journal.remove(number)

    def processed(self, event: Any, answer: Any) -> None:
        """Forget the messages of an event whose function has succeeded, but for those that it names as failed."""
        records = event.get("Records") if isinstance(event, Mapping) else None
        if not isinstance(records, list) or not all(isinstance(record, Mapping) for record in records):
            return
        failures = answer.get("batchItemFailures") if isinstance(answer, Mapping) else None
        failed = {item.get("itemIdentifier") for item in failures or () if isinstance(item, Mapping)}
        identifiers = [str(record.get("messageId")) for record in records if record.get("eventSource") == "aws:sqs"]
        self.consumed(identifier for identifier in identifiers if identifier not in failed)


class Messages(Service):
    """Serves what is signed for `sqs`: MiniStack answers, and messages are on disk before it is heard."""

    name = "sqs"

    def __init__(self, upstream: Upstream, journal: Journal, sent: SentMessages) -> None:
        self._upstream = upstream
        self._journal = journal
        self._sent = sent

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for SQS."""
        return request.service == "sqs"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        operation = action_of(request)
        answer = await self._upstream.request(request)
        if answer.succeeded and operation in (*_SENDS, *_DELETES, "ReceiveMessage"):
            self._note(operation, request, answer)
            if operation in _SENDS:
                await self._journal.flushed()
        return answer

    def _note(self, operation: str, request: Request, answer: Response) -> None:
        if not request.header("x-amz-target"):
            self._note_query(operation, request, answer)
            return
        asked, told = json.loads(request.body or b"{}"), json.loads(answer.body or b"{}")
        if operation == "SendMessage":
            self._sent.sent(told["MessageId"], request)
        elif operation == "SendMessageBatch":
            entries = {entry["Id"]: entry for entry in asked["Entries"]}
            for result in told.get("Successful", ()):
                self._sent.sent(result["MessageId"], _single(request, asked["QueueUrl"], entries[result["Id"]]))
        elif operation == "ReceiveMessage":
            self._sent.received(told.get("Messages") or ())
        else:
            failed = {result["Id"] for result in told.get("Failed") or ()}
            for entry in asked.get("Entries", [{**asked, "Id": None}]):
                if entry["Id"] not in failed:
                    self._sent.deleted(entry["ReceiptHandle"])

    def _note_query(self, operation: str, request: Request, answer: Response) -> None:
        """Keep what is sent in the older protocol as one entry, until a snapshot has it."""
        if operation in _SENDS and (found := _QUERY_ID.search(answer.body)):
            self._sent.sent(found[1].decode(), request)


def _single(request: Request, queue: str, entry: Mapping[str, Any]) -> Request:
    """Return the request that sends one message of a batch."""
    document = {"QueueUrl": queue, **{name: value for name, value in entry.items() if name != "Id"}}
    body = json.dumps(document).encode()
    kept = [(name, value) for name, value in request.headers if name not in (b"x-amz-target", b"content-length")]
    headers = (*kept, (b"x-amz-target", _TARGET), (b"content-length", b"%d" % len(body)))
    return replace(request, headers=headers, body=body)


def _bound(known: OrderedDict[str, Any]) -> None:
    while len(known) > _KNOWN:
        known.popitem(last=False)
