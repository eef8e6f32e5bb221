"""Calls that nobody waits for: put into the function's own queue, and answered before it runs.

What Lambda's queue does with events that fail, it does with these: it tries again, then tells the failure destination.
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html
"""

import json
from typing import Any

from supervisor import answer, aws
from supervisor.context import Context
from supervisor.errors import EventNotQueued
from supervisor.events import QUEUED
from supervisor.function import Function
from supervisor.log import Log

LARGEST = 1024 * 1024
"""Bytes of an event in the queue: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""


def queue(function: Function, event: dict[str, Any], context: Context, log: Log) -> bytes:
    """Put the event into the queue; the response document for its caller, with the request that it becomes."""
    payload = json.dumps({**event, QUEUED: context.request_id}).encode()
    try:
        request_id = _queued(function, payload)
    except EventNotQueued as error:
        log.failure(str(error))
        return answer.failure(error, context, error.status)
    log.info(f"queued as request {request_id}")
    return answer.accepted(request_id, context)


def _queued(function: Function, payload: bytes) -> str:
    if len(payload) > LARGEST:
        raise EventNotQueued(
            f"the request comes to {len(payload):,} bytes, files in base64, and {LARGEST:,} can wait for a function; "
            "put the file into its input bucket, or wait for the answer",
            413,
        )
    name = function.environment.get("AWS_LAMBDA_FUNCTION_NAME") or function.configuration.name
    try:
        return aws.invoke_later(name, payload)
    except aws.AwsError as error:
        if error.status == 429:
            raise EventNotQueued(f"the function's queue takes no more for now: {error}", 429) from error
        raise EventNotQueued(f"{error}; its role has to allow lambda:InvokeFunction on itself") from error
    except (OSError, ValueError) as error:
        raise EventNotQueued(f"Lambda cannot be reached: {error}; in a VPC it needs a way there", 503) from error
