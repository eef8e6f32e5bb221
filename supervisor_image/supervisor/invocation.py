"""Process one Lambda invocation: run the user's program, or respond with what stands in for a run."""

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from typing import Any

from supervisor import events, response, runs
from supervisor.errors import ScriptTimedOut, SupervisorError
from supervisor.events import http
from supervisor.function import Context, Function
from supervisor.log import Log

_SHORTEST_RUN = 1.0  # seconds; with less time left, an event is better submitted as a job


def handle(function: Function, payload: bytes, context: Context, log: Log) -> bytes:
    """Return the response to an event, in the document that SCAR's callers know.

    A failure is a response only over HTTP; elsewhere it is raised, so that Lambda retries.
    """
    event = events.parse(payload)
    for stand_in in (_page, _acceptance, _sqs_report):
        if (found := stand_in(function, event, context, log)) is not None:
            return found
    return _result(function, event, context, log)


def _page(function: Function, event: Any, _context: Context, _log: Log) -> bytes | None:
    """Return the function's page where a browser asks for it."""
    page = function.configuration.page
    if page is None or not http.asks_for_page(event):
        return None
    return response.page(function.configuration.name, page)


def _acceptance(function: Function, event: Any, context: Context, log: Log) -> bytes | None:
    """Queue an HTTP call whose caller does not wait, and return that it was accepted."""
    if not function.configuration.asynchronous_http or not http.asks_for_queueing(event):
        return None
    from supervisor import handover

    return handover.queue_event(function, event, context, log)


def _sqs_report(function: Function, event: Any, context: Context, log: Log) -> bytes | None:
    """Run each message of an SQS queue on its own, where the queue expects to be told which of them failed.

    A function that hands events over to AWS Batch gets one job for all messages.
    """
    configuration = function.configuration
    if not configuration.report_batch_item_failures or configuration.execution_mode != "lambda":
        return None
    messages = sqs_messages(event)
    if not messages:
        return None
    return sqs_response(messages, lambda one: runs.run_event(function, one, context, log), log)


def _result(function: Function, event: Any, context: Context, log: Log) -> bytes:
    """Return what the user's program printed, or over HTTP why it failed."""
    over_http = http.is_synchronous(event)
    if name := http.gateway_request_id(event):
        # If the function takes too long, this id may be all that the caller has.
        log.info(f"the gateway's request id is {name}")
    try:
        with _response_in_time(function, event if over_http else {}, context, log):
            output = _output(function, event, context, log)
        return response.success(output, context, over_http=over_http)
    except SupervisorError as error:
        if not over_http:
            raise
        log.failure(str(error))
        return response.failure(error, context)


def _response_in_time(
    function: Function, event: Any, context: Context, log: Log
) -> contextlib.AbstractContextManager[None]:
    """Respond to an HTTP caller before the gateway gives up, while the block goes on."""
    moment, respond = http.gateway_deadline(event), context.respond_early
    if moment is None or respond is None or context.deadline <= moment:
        return contextlib.nullcontext()

    def respond_now() -> None:
        log.warning("the gateway is about to time out: its caller is told so, and the function goes on")
        respond(response.still_running(function.configuration.name, context))

    return call_at(moment, respond_now)


def _output(function: Function, event: Any, context: Context, log: Log) -> bytes:
    """Return the program's output, or the message about the job that runs it instead."""
    mode = function.configuration.execution_mode
    if mode == "batch" or (mode == "lambda-batch" and runs.latest_end(function, context) - time.time() < _SHORTEST_RUN):
        return _delegate(function, event, context, log, ())
    try:
        return runs.run_event(function, event, context, log)
    except ScriptTimedOut as error:
        if mode != "lambda-batch":
            raise
        log.warning(str(error))
        return _delegate(function, event, context, log, error.done)


def _delegate(function: Function, event: Any, context: Context, log: Log, done: tuple[int, ...]) -> bytes:
    from supervisor import handover

    return handover.submit_job(function, event, context, log, done)


def sqs_messages(event: Any) -> list[dict[str, Any]]:
    """Return the messages of an SQS event; none where the event is something else."""
    records = event.get("Records") if isinstance(event, dict) else None
    known = isinstance(records, list) and all(
        isinstance(record, dict) and record.get("eventSource") == "aws:sqs" and record.get("messageId")
        for record in records
    )
    return list(records or ()) if known else []


def sqs_response(messages: list[dict[str, Any]], run: Callable[[Any], object], log: Log) -> bytes:
    """Run each message, and return which of them failed: SQS delivers only those again.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
    """
    failed: list[str] = []
    stopped = False
    for message in messages:
        # After a failure a FIFO queue needs all messages that follow back; after a timeout any queue does.
        if stopped:
            failed.append(message["messageId"])
            continue
        try:
            run({"Records": [message]})
        except SupervisorError as error:
            log.failure(f"message {message['messageId']}: {error}")
            failed.append(message["messageId"])
            stopped = isinstance(error, ScriptTimedOut) or str(message.get("eventSourceARN", "")).endswith(".fifo")
    return json.dumps({"batchItemFailures": [{"itemIdentifier": name} for name in failed]}).encode()


class OneResponse:
    """The turn to respond to an event, which only the first one to ask gets.

    Lambda passes a response on at once, and lets the runtime go on until it asks for the next event.
    https://docs.aws.amazon.com/lambda/latest/dg/runtimes-custom.html#runtimes-custom-build
    """

    def __init__(self) -> None:
        self._lock = Lock()

    def take(self) -> bool:
        """Take the turn; return False where somebody has responded already."""
        return self._lock.acquire(blocking=False)


@contextlib.contextmanager
def call_at(moment: float, action: Callable[[], None]) -> Iterator[None]:
    """Call the action at that moment (seconds since the epoch), unless the block has ended by then."""
    ended = Event()

    def wait() -> None:
        if not ended.wait(max(0.0, moment - time.time())):
            action()

    thread = Thread(target=wait)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
