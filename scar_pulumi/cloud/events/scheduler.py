"""EventBridge Scheduler: schedules and their groups.

https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Operations.html
"""

import base64
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import unquote

from botocore.utils import parse_timestamp

from scar_foundation.limits import SCHEDULE_NAME_CHARACTERS, SCHEDULE_NAME_PATTERN
from scar_pulumi.cloud.asgi import Request, Response, json_response
from scar_pulumi.cloud.events.deliveries import is_target, served
from scar_pulumi.cloud.events.expressions import ExpressionError
from scar_pulumi.cloud.events.store import Document, EventStore
from scar_pulumi.cloud.events.timer import Timer, expression_of, first_due
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.service_models import request_mistakes, service_model
from scar_pulumi.cloud.signature import Caller

_DEFAULT_GROUP = "default"
_PAGE = 100
_SHOWN = ("Arn", "CreationDate", "GroupName", "LastModificationDate", "Name", "State")
_JSON_TARGETS = ("lambda", "states", "events")
Operation = Callable[[Caller, Document], Document]


class SchedulerError(ServiceError):
    """The request is refused, with AWS's code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(status, code, message, details={"Message": message})


class SchedulerService(Service):
    """Answers requests that are signed for `scheduler`."""

    name = "scheduler"

    def __init__(self, store: EventStore, timer: Timer) -> None:
        self._store = store
        self._timer = timer
        self._operations: Mapping[str, Operation] = {
            "CreateSchedule": self._create,
            "GetSchedule": self._get,
            "UpdateSchedule": self._update,
            "DeleteSchedule": self._delete,
            "ListSchedules": self._list,
            "CreateScheduleGroup": self._create_group,
            "GetScheduleGroup": self._get_group,
            "DeleteScheduleGroup": self._delete_group,
            "ListScheduleGroups": self._list_groups,
            "TagResource": self._tag,
            "UntagResource": self._untag,
            "ListTagsForResource": self._tags,
        }

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for EventBridge Scheduler."""
        return request.service == "scheduler"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        operation, document = _parsed(await incoming.read())
        if wrong := request_mistakes("scheduler", operation, document, frozenset()):
            raise SchedulerError(400, "ValidationException", wrong)
        answer = self._operations[operation](incoming.caller or Caller(), document)
        if not operation.startswith(("Get", "List")):
            self._timer.wake()
            await self._store.flushed()
        return json_response(answer, headers={"x-amzn-requestid": str(uuid.uuid4())})

    def _create(self, caller: Caller, document: Document) -> Document:
        """Make a schedule. A rate without a start date is due at once."""
        self._check(caller, document)
        arn = _arn(caller, document)
        if self._store.schedule(arn):
            raise SchedulerError(409, "ConflictException", f"Schedule {document['Name']} already exists.")
        now = time.time()
        made = {**_settled(document), "Arn": arn, "CreationDate": now, "LastModificationDate": now}
        self._store.put_schedule(arn, made, first_due(made, now))
        return {"ScheduleArn": arn}

    def _update(self, caller: Caller, document: Document) -> Document:
        """Replace a schedule: what is not given is taken away. Its next time stays where only its target changes."""
        self._check(caller, document)
        arn = _arn(caller, document)
        present, now = self._found(arn), time.time()
        changed = {
            **_settled(document),
            "Arn": arn,
            "CreationDate": present["CreationDate"],
            "LastModificationDate": now,
        }
        timing = ("ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "EndDate", "State")
        is_same = all(present.get(name) == changed.get(name) for name in timing)
        due = self._store.due_of(arn) if is_same else first_due(changed, now)
        self._store.put_schedule(arn, changed, due)
        return {"ScheduleArn": arn}

    def _get(self, caller: Caller, document: Document) -> Document:
        return self._found(_arn(caller, document))

    def _delete(self, caller: Caller, document: Document) -> Document:
        arn = _arn(caller, document)
        self._found(arn)
        self._store.remove_schedule(arn)
        return {}

    def _list(self, caller: Caller, document: Document) -> Document:
        group, start = document.get("GroupName"), document.get("NamePrefix", "")
        prefix = _prefix(caller, "schedule") + (f"{group}/{start}" if group else "")
        found = [
            {**{key: one[key] for key in _SHOWN}, "Target": {"Arn": one["Target"]["Arn"]}}
            for one in self._store.schedules(prefix)
            if one["Name"].startswith(start) and document.get("State") in (None, one["State"])
        ]
        return _page(found, document, "Schedules")

    def _create_group(self, caller: Caller, document: Document) -> Document:
        name = document["Name"]
        _check_name(name)
        arn = _prefix(caller, "schedule-group") + name
        if name == _DEFAULT_GROUP or self._store.group(arn):
            raise SchedulerError(409, "ConflictException", f"Schedule group {name} already exists.")
        self._store.put_group(arn, {**_group(arn, name), "Tags": document.get("Tags") or []})
        return {"ScheduleGroupArn": arn}

    def _get_group(self, caller: Caller, document: Document) -> Document:
        found = self._found_group(caller, document["Name"])
        return {key: value for key, value in found.items() if key != "Tags"}

    def _delete_group(self, caller: Caller, document: Document) -> Document:
        """Delete a group with its schedules."""
        name = document["Name"]
        if name == _DEFAULT_GROUP:
            raise SchedulerError(400, "ValidationException", "The default schedule group cannot be deleted.")
        arn = self._found_group(caller, name)["Arn"]
        self._store.remove_group(arn, f"{_prefix(caller, 'schedule')}{name}/")
        return {}

    def _list_groups(self, caller: Caller, document: Document) -> Document:
        start = document.get("NamePrefix", "")
        found = [self._found_group(caller, _DEFAULT_GROUP), *self._store.groups(_prefix(caller, "schedule-group"))]
        shown = [{key: one[key] for key in one if key != "Tags"} for one in found if one["Name"].startswith(start)]
        return _page(shown, document, "ScheduleGroups")

    def _tags(self, _caller: Caller, document: Document) -> Document:
        return {"Tags": self._tagged(document)["Tags"]}

    def _tag(self, _caller: Caller, document: Document) -> Document:
        found = self._tagged(document)
        added = {tag["Key"] for tag in document["Tags"]}
        kept = [tag for tag in found["Tags"] if tag["Key"] not in added]
        self._store.put_group(found["Arn"], {**found, "Tags": [*kept, *document["Tags"]]})
        return {}

    def _untag(self, _caller: Caller, document: Document) -> Document:
        found = self._tagged(document)
        kept = [tag for tag in found["Tags"] if tag["Key"] not in document["TagKeys"]]
        self._store.put_group(found["Arn"], {**found, "Tags": kept})
        return {}

    def _tagged(self, document: Document) -> Document:
        """Return a group by its ARN: schedules have no tags."""
        if found := self._store.group(document["ResourceArn"]):
            return found
        raise _missing(f"{document['ResourceArn']} is no schedule group")

    def _found(self, arn: str) -> Document:
        if found := self._store.schedule(arn):
            return found
        raise _missing(f"Schedule {arn.rpartition('/')[2]} does not exist.")

    def _found_group(self, caller: Caller, name: str) -> Document:
        arn = _prefix(caller, "schedule-group") + name
        if found := self._store.group(arn):
            return found
        if name == _DEFAULT_GROUP:
            return {**_group(arn, name), "Tags": []}
        raise _missing(f"Schedule group {name} does not exist.")

    def _check(self, caller: Caller, document: Document) -> None:
        _check_name(document["Name"])
        self._found_group(caller, document.get("GroupName") or _DEFAULT_GROUP)
        window = document["FlexibleTimeWindow"]
        if (window["Mode"] == "FLEXIBLE") != ("MaximumWindowInMinutes" in window):
            raise _invalid("MaximumWindowInMinutes is needed where Mode is FLEXIBLE, and nowhere else")
        try:
            expression_of(document).check(one_time=True)
        except ExpressionError as error:
            raise _invalid(f"Invalid Schedule Expression {document['ScheduleExpression']}: {error}") from None
        _check_target(document["Target"])


def _check_target(target: Mapping[str, Any]) -> None:
    if not is_target(target["Arn"]):
        raise _invalid(
            f"Provided Arn is not in correct format, or not served here: {target['Arn']}; targets are {served()}"
        )
    service = target["Arn"].split(":")[2]
    if service in _JSON_TARGETS and target.get("Input"):
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise _invalid(f"Input of a target of {service} must be JSON: {error}") from None
    if service == "events" and not target.get("EventBridgeParameters"):
        raise _invalid("EventBridgeParameters is needed for a bus as target")
    if service == "batch":
        raise _invalid("the local cloud's schedules do not submit jobs; let a state machine or a rule do that")


def _settled(document: Document) -> Document:
    """Return a schedule with AWS's defaults."""
    target = document["Target"]
    policy = {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185, **(target.get("RetryPolicy") or {})}
    made = {
        "GroupName": _DEFAULT_GROUP,
        "ScheduleExpressionTimezone": "UTC",
        "State": "ENABLED",
        "ActionAfterCompletion": "NONE",
        **{name: value for name, value in document.items() if name != "ClientToken"},
        "Target": {**target, "RetryPolicy": policy},
    }
    for name in ("StartDate", "EndDate"):
        if made.get(name) is not None:
            made[name] = parse_timestamp(made[name]).timestamp()
    return made


def _parsed(request: Request) -> tuple[str, Document]:
    """Return the operation and the members of a request in the REST JSON protocol."""
    service = service_model("scheduler")
    for name in service.operation_names:
        model = service.operation_model(name)
        pattern = re.sub(r"\{\w+\}", "([^/]+)", model.http["requestUri"])
        if request.method == model.http["method"] and (found := re.fullmatch(pattern, request.path)):
            return name, _members(request, model, found)
    raise SchedulerError(404, "UnknownOperationException", f"{request.method} {request.path}: unknown operation")


def _members(request: Request, model: Any, found: re.Match[str]) -> Document:
    try:
        document: Document = json.loads(request.body or b"{}")
    except ValueError:
        raise _invalid("the request is not JSON") from None
    names = re.findall(r"\{(\w+)\}", model.http["requestUri"])
    document |= {name: unquote(value) for name, value in zip(names, found.groups(), strict=True)}
    for name, shape in (model.input_shape.members if model.input_shape else {}).items():
        values = request.parameters(shape.serialization.get("name", ""))
        if shape.serialization.get("location") == "querystring" and values:
            document[name] = values if shape.type_name == "list" else _typed(values[0], shape.type_name)
    return document


def _typed(value: str, kind: str) -> str | int:
    return int(value) if kind == "integer" and value.isdecimal() else value


def _prefix(caller: Caller, kind: str) -> str:
    return f"arn:aws:scheduler:{caller.region}:{caller.account}:{kind}/"


def _arn(caller: Caller, document: Document) -> str:
    return f"{_prefix(caller, 'schedule')}{document.get('GroupName') or _DEFAULT_GROUP}/{document['Name']}"


def _group(arn: str, name: str) -> Document:
    now = time.time()
    return {"Arn": arn, "Name": name, "State": "ACTIVE", "CreationDate": now, "LastModificationDate": now}


def _check_name(name: str) -> None:
    if len(name) > SCHEDULE_NAME_CHARACTERS or not re.fullmatch(SCHEDULE_NAME_PATTERN, name):
        raise _invalid(
            f"Value '{name}' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: "
            f"{SCHEDULE_NAME_PATTERN}, and have {SCHEDULE_NAME_CHARACTERS} characters at most"
        )


def _page(items: Sequence[Document], document: Document, key: str) -> Document:
    size = document.get("MaxResults") or _PAGE
    try:
        start = int(base64.urlsafe_b64decode(document["NextToken"])) if document.get("NextToken") else 0
    except ValueError:
        raise _invalid("NextToken was not issued by EventBridge Scheduler") from None
    answer: Document = {key: list(items[start : start + size])}
    if len(items) > start + size:
        answer["NextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer


def _invalid(message: str) -> SchedulerError:
    return SchedulerError(400, "ValidationException", message)


def _missing(message: str) -> SchedulerError:
    return SchedulerError(404, "ResourceNotFoundException", message)
