"""Lambda: one event after the other from the Runtime API, until the platform ends the process."""

from collections.abc import Mapping
from http.client import HTTPException

from supervisor.errors import SupervisorError
from supervisor.function import Function
from supervisor.log import Log
from supervisor.runtime_api import Invocation, RuntimeApi, RuntimeApiError

_TOO_LARGE = 413


def serve(environment: Mapping[str, str]) -> int:
    """Take events for ever; returns only when the function cannot take any more."""
    api = RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    try:
        function = Function.read(environment)
    except SupervisorError as error:
        Log().failure(str(error))
        api.fail_init(type(error).__name__, str(error))
        return 1
    try:
        while True:
            _take(api, function, api.next())
    except (HTTPException, OSError, RuntimeApiError) as error:
        function.log.failure(f"the Runtime API is gone: {error}")
        return 1


def _take(api: RuntimeApi, function: Function, invocation: Invocation) -> None:
    log = function.log.of_request(invocation.request_id)
    try:
        _answer(api, function, invocation, log)
    except RuntimeApiError as error:  # this event is lost to us, the next one is not
        log.failure(f"the answer was not taken: {error}")


def _answer(api: RuntimeApi, function: Function, invocation: Invocation, log: Log) -> None:
    # Imported when the first event is there: everything before it delays the first poll.
    from supervisor import early  # noqa: PLC0415
    from supervisor import invocation as work  # noqa: PLC0415
    from supervisor.context import Context  # noqa: PLC0415

    right = early.Once()

    def answer_early(answer: bytes) -> None:
        if not right.take():
            return
        try:  # over a connection of its own: this is another thread
            _respond(RuntimeApi(function.environment["AWS_LAMBDA_RUNTIME_API"]), invocation.request_id, answer)
        except (HTTPException, OSError, RuntimeApiError) as error:
            log.failure(f"the answer was not taken: {error}")

    context = Context(
        request_id=invocation.request_id,
        deadline=invocation.deadline,
        log_group=function.environment.get("AWS_LAMBDA_LOG_GROUP_NAME", ""),
        log_stream=function.environment.get("AWS_LAMBDA_LOG_STREAM_NAME", ""),
        trace_id=invocation.trace_id,
        answer_early=answer_early,
    )
    try:
        answer = work.handle(function, invocation.payload, context, log)
    except SupervisorError as error:
        log.failure(str(error))
        if right.take():
            api.fail(invocation.request_id, type(error).__name__, str(error))
    except Exception as error:  # noqa: BLE001 whatever it is, the next event must be taken
        log.failure(_traceback(error))
        if right.take():
            api.fail(invocation.request_id, type(error).__name__, f"the supervisor failed: {error}")
    else:
        if right.take():
            _respond(api, invocation.request_id, answer)


def _respond(api: RuntimeApi, request_id: str, answer: bytes) -> None:
    try:
        api.respond(request_id, answer)
    except RuntimeApiError as error:
        if error.status != _TOO_LARGE:
            raise
        api.fail(request_id, "AnswerTooLarge", f"the answer has {len(answer)} bytes, more than Lambda takes")


def _traceback(error: Exception) -> str:
    import traceback  # noqa: PLC0415

    return "".join(traceback.format_exception(error))
