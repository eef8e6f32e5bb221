"""One event on Lambda and its answer: from the runs of the user's program, or from what takes its place."""

import contextlib
import time
from typing import Any

from supervisor import answer, events, runs
from supervisor.context import Context
from supervisor.errors import ScriptTimedOut, SupervisorError
from supervisor.function import Function
from supervisor.log import Log

_LEAST = 1.0  # seconds that running a program takes at least; with less an event is better run elsewhere


def handle(function: Function, payload: bytes, context: Context, log: Log) -> bytes:
    """The answer to an event, in the envelope that callers of the function know.

    Over HTTP a failure is an answer as well; all others see it raised, so that the platform tries again.
    """
    event = events.parse(payload)
    for kind in (_page, _acceptance, _report_on_messages):
        if (found := kind(function, event, context, log)) is not None:
            return found
    return _result(function, event, context, log)


def _page(function: Function, event: Any, _context: Context, _log: Log) -> bytes | None:
    """The function's page, where a browser asks for it."""
    about = function.configuration.page
    if about is None or not events.asks_for_page(event):
        return None
    from supervisor import page  # noqa: PLC0415 most events are calls

    return page.answer(function.configuration.name, about)


def _acceptance(function: Function, event: Any, context: Context, log: Log) -> bytes | None:
    """That the event waits for its turn, where its caller over HTTP does not wait."""
    if not function.configuration.asynchronous_http or not events.asks_for_later(event):
        return None
    from supervisor import queueing  # noqa: PLC0415 most events are run at once

    return queueing.queue(function, event, context, log)


def _report_on_messages(function: Function, event: Any, context: Context, log: Log) -> bytes | None:
    """Which messages failed, where a queue wants to know; none for functions that hand whole events over to jobs."""
    configuration = function.configuration
    if not configuration.report_batch_item_failures or configuration.execution_mode != "lambda":
        return None
    from supervisor import queue_batch  # noqa: PLC0415 few functions are behind queues

    messages = queue_batch.messages(event)
    if not messages:
        return None
    return queue_batch.answer(messages, lambda one: runs.process(function, one, context, log), log)


def _result(function: Function, event: Any, context: Context, log: Log) -> bytes:
    """What the user's program printed, or why it failed."""
    over_http = events.is_synchronous_http(event)
    if name := events.gateway_request(event):
        # Where a function takes too long, this may be all that its caller gets to know of it.
        log.info(f"the gateway calls this request {name}")
    try:
        with _answered_in_time(function, event if over_http else {}, context, log):
            output = _output(function, event, context, log)
        return answer.envelope(output, context, over_http=over_http)
    except SupervisorError as error:
        if not over_http:
            raise
        log.failure(str(error))
        return answer.failure(error, context)


def _answered_in_time(
    function: Function, event: Any, context: Context, log: Log
) -> contextlib.AbstractContextManager[None]:
    """The caller over HTTP has an answer before its gateway gives up; what is within goes on."""
    moment, give = events.gateway_gives_up(event), context.answer_early
    if moment is None or give is None or context.deadline <= moment:
        return contextlib.nullcontext()
    from supervisor import early  # noqa: PLC0415 events of other kinds have no gateway

    def answer_now() -> None:
        log.warning("the gateway waits no longer: its caller is told so, and this goes on")
        give(answer.unfinished(function.configuration.name, context))

    return early.at(moment, answer_now)


def _output(function: Function, event: Any, context: Context, log: Log) -> bytes:
    """The program's output, or what is told of the job that runs it instead."""
    mode = function.configuration.execution_mode
    if mode == "batch" or (mode == "lambda-batch" and runs.latest(function, context) - time.time() < _LEAST):
        return _delegate(function, event, context, log, ())
    try:
        return runs.process(function, event, context, log)
    except ScriptTimedOut as error:
        if mode != "lambda-batch":
            raise
        log.warning(str(error))
        return _delegate(function, event, context, log, error.done)


def _delegate(function: Function, event: Any, context: Context, log: Log, done: tuple[int, ...]) -> bytes:
    from supervisor import delegation  # noqa: PLC0415 only functions with jobs need it

    return delegation.submit(function, event, context, log, done)
