"""Step Functions as the gateway's table has it: the operations by name, in AWS's JSON protocol."""

import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from scar_pulumi.cloud.asgi import ASGIApp, Request, Response, json_response
from scar_pulumi.cloud.database import Database
from scar_pulumi.cloud.lambda_.functions import Functions
from scar_pulumi.cloud.lambda_.invocations import Invocations
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states.executions import Executions
from scar_pulumi.cloud.states.interpreter import Interpreter
from scar_pulumi.cloud.states.machines import Machines
from scar_pulumi.cloud.states.map_items import Objects
from scar_pulumi.cloud.states.map_runs import MapRuns
from scar_pulumi.cloud.states.requests import TARGET, StatesError, check_request, json_error
from scar_pulumi.cloud.states.store import StatesStore
from scar_pulumi.cloud.states.tasks import Tasks

_log = logging.getLogger(__name__)
Operation = Callable[[Caller, dict[str, Any]], Awaitable[dict[str, Any]]]
_READS = ("Describe", "Get", "List", "Validate")


class StatesService(Service):
    """Answers requests that are signed for `states`, and runs executions; `application` is the cloud's interface."""

    name = "states"
    refusal = staticmethod(json_error)

    def __init__(
        self, database: Database, functions: Functions, invocations: Invocations, application: ASGIApp
    ) -> None:
        self._store = store = StatesStore(database)
        tasks = Tasks(functions, invocations, application)
        interpreter = Interpreter(store, tasks)
        interpreter.maps = MapRuns(store, interpreter, Objects(application))
        self._executions = Executions(store, interpreter, tasks)
        self._machines = Machines(store, self._executions.stop_all)
        self._operations = self._table()

    def start(self) -> None:
        """Go on with the executions of an earlier daemon."""
        self._executions.resume()

    async def close(self) -> None:
        """Stop; what runs goes on at the next start."""
        await self._executions.close()

    def describe(self) -> dict[str, Any]:
        """Return how many executions run."""
        return self._executions.describe_all()

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for Step Functions."""
        return request.service == "states"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        try:
            answer = await self._answer(incoming.caller or Caller(), request)
        except ServiceError:
            raise
        except Exception as error:
            _log.exception("%s", request.header("x-amz-target"))
            raise ServiceError(500, "ServiceException", f"local cloud: {error}") from error
        response = json_response(answer, headers={"x-amzn-requestid": str(uuid.uuid4())})
        response.headers["content-type"] = "application/x-amz-json-1.0"
        return response

    async def _answer(self, caller: Caller, request: Request) -> dict[str, Any]:
        operation = request.header("x-amz-target").removeprefix(TARGET)
        document = _document(request)
        check_request(operation, document)
        if operation not in self._operations:
            reason = f"the local cloud's Step Functions does not have {operation}"
            raise StatesError("UnknownOperationException", reason)
        answer = await self._operations[operation](caller, document)
        if not operation.startswith(_READS):
            await self._store.flushed()
        return answer

    async def start_execution(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """StartExecution of a machine that exists."""
        return await self._executions.start(self._machines.found(document["stateMachineArn"]), document)

    def _table(self) -> dict[str, Operation]:
        machines, executions = self._machines, self._executions
        return {
            "CreateStateMachine": machines.create,
            "DescribeStateMachine": machines.describe,
            "UpdateStateMachine": machines.update,
            "DeleteStateMachine": machines.delete,
            "ListStateMachines": machines.list,
            "ValidateStateMachineDefinition": machines.validate,
            "ListStateMachineVersions": machines.versions,
            "ListStateMachineAliases": machines.aliases,
            "ListTagsForResource": machines.tags,
            "TagResource": machines.tag,
            "UntagResource": machines.untag,
            "StartExecution": self.start_execution,
            "DescribeExecution": executions.describe,
            "DescribeStateMachineForExecution": executions.machine,
            "ListExecutions": executions.list,
            "StopExecution": executions.stop,
            "RedriveExecution": executions.redrive,
            "GetExecutionHistory": executions.history,
            "ListMapRuns": executions.list_map_runs,
            "DescribeMapRun": executions.describe_map_run,
            "UpdateMapRun": executions.update_map_run,
        }


def _document(request: Request) -> dict[str, Any]:
    try:
        document = json.loads(request.body or b"{}")
    except ValueError:
        raise StatesError("SerializationException", "the request is not JSON") from None
    if not isinstance(document, dict):
        raise StatesError("SerializationException", "the request is not a JSON object")
    return document
