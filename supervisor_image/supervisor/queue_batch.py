"""Messages of a queue, each for itself: the queue is told which failed, and gives only those again.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

import json
from collections.abc import Callable
from typing import Any

from supervisor.errors import ScriptTimedOut, SupervisorError
from supervisor.log import Log


def messages(event: Any) -> list[dict[str, Any]]:
    """The records of a batch of messages; none where the event is something else."""
    records = event.get("Records") if isinstance(event, dict) else None
    known = isinstance(records, list) and all(
        isinstance(record, dict) and record.get("eventSource") == "aws:sqs" and record.get("messageId")
        for record in records
    )
    return list(records or ()) if known else []


def answer(records: list[dict[str, Any]], run: Callable[[Any], object], log: Log) -> bytes:
    """Run each message's event; what the queue is answered."""
    failed: list[str] = []
    ended = False
    for record in records:
        # After a failure a queue that keeps its order wants all that follow again, as does one whose time is up.
        if ended:
            failed.append(record["messageId"])
            continue
        try:
            run({"Records": [record]})
        except SupervisorError as error:
            log.failure(f"message {record['messageId']}: {error}")
            failed.append(record["messageId"])
            ended = isinstance(error, ScriptTimedOut) or str(record.get("eventSourceARN", "")).endswith(".fifo")
    return json.dumps({"batchItemFailures": [{"itemIdentifier": name} for name in failed]}).encode()
