"""EventBridge: MiniStack keeps buses, rules and patterns; their targets are kept and served here.

So MiniStack, which delivers from memory, has nobody to deliver to. A put event is answered once its deliveries are on
disk. https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_Operations.html
"""

import json
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from scar_foundation.limits import EVENT_ENTRIES_BYTES, EVENT_RULE_TARGETS
from scar_pulumi.cloud.asgi import Request, Response, json_response
from scar_pulumi.cloud.events.deliveries import Deliveries, is_target, served
from scar_pulumi.cloud.events.expressions import Expression, ExpressionError
from scar_pulumi.cloud.events.inputs import input_mistake, input_of
from scar_pulumi.cloud.events.store import Delivery, Document, EventStore
from scar_pulumi.cloud.events.timer import Timer, written
from scar_pulumi.cloud.ministack.upstream import Upstream, json_request
from scar_pulumi.cloud.service import Service, ServiceError, ServiceRequest
from scar_pulumi.cloud.signature import Caller

_TARGET = "AWSEvents."
_ENTRIES = 10


class EventsError(ServiceError):
    """The request is refused, with AWS's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(400, code, message)


def _json_error(error: ServiceError) -> Response:
    body = {"__type": error.code, "message": error.message}
    return json_response(body, error.status, {"x-amzn-errortype": error.code})


class EventBuses:
    """Puts events on buses: what their rules' targets get is stored, and then delivered."""

    def __init__(self, store: EventStore, deliveries: Deliveries, upstream: Upstream) -> None:
        self._store = store
        self._deliveries = deliveries
        self._upstream = upstream

    async def put(self, caller: Caller, bus: str, events: Sequence[Document]) -> None:
        """Put events of AWS's form on a bus; they are on disk when this returns."""
        rules = [rule async for rule in self._rules(caller, bus)] if events else []
        made = [delivery for event in events for delivery in [d async for d in self._matched(caller, rules, event)]]
        if made:
            self._store.add_deliveries(made)
            self._deliveries.begin(made)
            await self._store.flushed()

    async def ask(self, caller: Caller, operation: str, document: Document) -> Response:
        """Ask MiniStack."""
        place: Any = {"account": caller.account, "region": caller.region}
        return await self._upstream.request(json_request("events", f"{_TARGET}{operation}", document, **place))

    async def _rules(self, caller: Caller, bus: str) -> Any:
        """Yield the enabled rules of a bus that have a pattern and targets."""
        token: dict[str, str] = {}
        while True:
            answer = await self.ask(caller, "ListRules", {"EventBusName": bus, **token})
            listed = json.loads(answer.body) if answer.succeeded else {"Rules": []}
            for rule in listed["Rules"]:
                if rule.get("EventPattern") and rule.get("State") != "DISABLED" and self._store.targets(rule["Arn"]):
                    yield rule
            if not listed.get("NextToken"):
                return
            token = {"NextToken": listed["NextToken"]}

    async def _matched(self, caller: Caller, rules: Sequence[Document], event: Document) -> Any:
        for rule in rules:
            question = {"EventPattern": rule["EventPattern"], "Event": json.dumps(event)}
            answer = await self.ask(caller, "TestEventPattern", question)
            if answer.succeeded and json.loads(answer.body).get("Result"):
                for target in self._store.targets(rule["Arn"]):
                    payload = input_of(target, event, rule["Arn"])
                    yield Delivery(str(uuid.uuid4()), {**target, "source": rule["Arn"]}, payload, time.time())


class EventsService(Service):
    """Answers requests that are signed for `events`; what it does not know is MiniStack's."""

    name = "events"
    refusal = staticmethod(_json_error)

    def __init__(self, store: EventStore, buses: EventBuses, timer: Timer, upstream: Upstream) -> None:
        self._store = store
        self._buses = buses
        self._timer = timer
        self._upstream = upstream
        self._operations = {
            "PutTargets": self._put_targets,
            "RemoveTargets": self._remove_targets,
            "ListTargetsByRule": self._list_targets,
            "ListRuleNamesByTarget": self._list_rules,
            "PutEvents": self._put_events,
            "PutRule": self._put_rule,
            "DeleteRule": self._delete_rule,
            "EnableRule": self._switch_rule,
            "DisableRule": self._switch_rule,
        }

    def takes(self, request: ServiceRequest) -> bool:
        """Return whether a request is signed for EventBridge."""
        return request.service == "events"

    async def __call__(self, incoming: ServiceRequest) -> Response:
        """Answer one request."""
        request = await incoming.read()
        operation = request.header("x-amz-target").removeprefix(_TARGET)
        if operation not in self._operations:
            return await self._upstream.request(request)
        try:
            document = json.loads(request.body or b"{}")
        except ValueError:
            raise EventsError("SerializationException", "the request is not JSON") from None
        answer = await self._operations[operation](incoming.caller or Caller(), document, request)
        await self._store.flushed()
        return answer

    async def _put_targets(self, caller: Caller, document: Document, _request: Request) -> Response:
        rule, targets = await self._rule(caller, document), document.get("Targets") or []
        for target in targets:
            _check_target(target)
        ids = {target["Id"] for target in (*self._store.targets(rule), *targets)}
        if len(ids) > EVENT_RULE_TARGETS:
            raise EventsError("LimitExceededException", f"The requested resource exceeds the maximum number allowed: "
                                                        f"{EVENT_RULE_TARGETS} targets of a rule")  # fmt: skip
        with self._store.transaction():
            for target in targets:
                self._store.put_target(rule, target)
        return json_response({"FailedEntryCount": 0, "FailedEntries": []})

    async def _remove_targets(self, caller: Caller, document: Document, _request: Request) -> Response:
        rule = await self._rule(caller, document)
        missing = [one for one in document["Ids"] if not self._store.remove_target(rule, one)]
        failed = [
            {"TargetId": one, "ErrorCode": "ResourceNotFoundException", "ErrorMessage": f"{one} does not exist"}
            for one in missing
        ]
        return json_response({"FailedEntryCount": len(failed), "FailedEntries": failed})

    async def _list_targets(self, caller: Caller, document: Document, _request: Request) -> Response:
        return json_response({"Targets": self._store.targets(await self._rule(caller, document))})

    async def _list_rules(self, caller: Caller, document: Document, _request: Request) -> Response:
        prefix = _rule_arn(caller, {**document, "Name": ""})
        rules = [arn.removeprefix(prefix) for arn in self._store.rules_with(document["TargetArn"])
                 if arn.startswith(prefix) and "/" not in arn.removeprefix(prefix)]  # fmt: skip
        return json_response({"RuleNames": rules})

    async def _put_events(self, caller: Caller, document: Document, _request: Request) -> Response:
        entries = document.get("Entries") or []
        if not 1 <= len(entries) <= _ENTRIES:
            raise EventsError("ValidationException", f"Entries must have 1 to {_ENTRIES} items, not {len(entries)}")
        size = sum(map(_size, entries))
        if size > EVENT_ENTRIES_BYTES:
            raise EventsError("ValidationException", f"Total size of the entries in the request is over the limit: "
                                                     f"{size} bytes, the most is {EVENT_ENTRIES_BYTES}")  # fmt: skip
        results: list[Document] = [_refused(entry) or {} for entry in entries]
        good = [entry for entry, result in zip(entries, results, strict=True) if not result]
        answers = await self._stored(caller, good)
        merged = [result or next(answers) for result in results]
        for bus in dict.fromkeys(_bus_name(entry) for entry in good):
            await self._buses.put(
                caller,
                bus,
                [
                    _event(caller, entry, result["EventId"])
                    for entry, result in zip(entries, merged, strict=True)
                    if "EventId" in result and _bus_name(entry) == bus
                ],
            )
        failed = sum("EventId" not in result for result in merged)
        return json_response({"FailedEntryCount": failed, "Entries": merged})

    async def _stored(self, caller: Caller, entries: Sequence[Document]) -> Iterator[Document]:
        """Let MiniStack give the events their ids, and keep them for its archives."""
        if not entries:
            return iter(())
        answer = await self._buses.ask(caller, "PutEvents", {"Entries": list(entries)})
        if not answer.succeeded:
            refusal = json.loads(answer.body)
            raise EventsError(refusal.get("__type", "InternalException"), refusal.get("message", ""))
        return iter(json.loads(answer.body)["Entries"])

    async def _put_rule(self, caller: Caller, document: Document, request: Request) -> Response:
        expression = document.get("ScheduleExpression")
        if expression:
            try:
                Expression(expression).check(one_time=False)
            except ExpressionError as error:
                raise EventsError(
                    "ValidationException", f"Parameter ScheduleExpression is not valid: {error}"
                ) from None
            if _bus_name(document) != "default":
                reason = "ScheduleExpression is supported only on the default event bus."
                raise EventsError("ValidationException", reason)
        answer = await self._upstream.request(request)
        if answer.succeeded:
            self._set_schedule(_rule_arn(caller, document), expression, document.get("State", "ENABLED"))
        return answer

    async def _delete_rule(self, caller: Caller, document: Document, request: Request) -> Response:
        arn = _rule_arn(caller, document)
        if self._store.targets(arn):
            raise EventsError("ValidationException", "Rule can't be deleted since it has targets.")
        answer = await self._upstream.request(request)
        if answer.succeeded:
            self._store.remove_schedule(arn)
        return answer

    async def _switch_rule(self, caller: Caller, document: Document, request: Request) -> Response:
        answer = await self._upstream.request(request)
        arn = _rule_arn(caller, document)
        if answer.succeeded and (schedule := self._store.schedule(arn)):
            state = "ENABLED" if request.header("x-amz-target").endswith("EnableRule") else "DISABLED"
            self._set_schedule(arn, schedule["ScheduleExpression"], state)
        return answer

    def _set_schedule(self, arn: str, expression: str | None, state: str) -> None:
        """Store when a rule is due; the countdown of a rate begins when the rule is made."""
        schedule = {"ScheduleExpression": expression, "State": state}
        if expression is None:
            self._store.remove_schedule(arn)
        elif schedule != self._store.schedule(arn):
            now = time.time()
            due = None if state == "DISABLED" else Expression(expression).following(now, now)
            self._store.put_schedule(arn, schedule, due)
        self._timer.wake()

    async def _rule(self, caller: Caller, document: Document) -> str:
        """Return the ARN of a rule that exists."""
        named = {"Name": document.get("Rule", ""), "EventBusName": _bus_name(document)}
        answer = await self._buses.ask(caller, "DescribeRule", named)
        if not answer.succeeded:
            raise EventsError("ResourceNotFoundException", f"Rule {named['Name']} does not exist on EventBus "
                                                           f"{named['EventBusName']}.")  # fmt: skip
        return _rule_arn(caller, named)


def _check_target(target: Mapping[str, Any]) -> None:
    if not target.get("Id") or not isinstance(target.get("Arn"), str):
        raise EventsError("ValidationException", "each target needs Id and Arn")
    if not is_target(target["Arn"]):
        reason = f"Provided Arn is not in correct format, or not served here: {target['Arn']}; targets are {served()}"
        raise EventsError("ValidationException", reason)
    if wrong := input_mistake(target):
        raise EventsError("ValidationException", f"target {target['Id']}: {wrong}")
    if target["Arn"].split(":")[2] == "batch" and not target.get("BatchParameters"):
        raise EventsError("ValidationException", f"target {target['Id']}: BatchParameters is needed")


def _bus_name(document: Mapping[str, Any]) -> str:
    return str(document.get("EventBusName") or "default").rpartition("/")[2]


def _rule_arn(caller: Caller, document: Mapping[str, Any]) -> str:
    bus = _bus_name(document)
    place = f"arn:aws:events:{caller.region}:{caller.account}:rule/"
    return f"{place}{document['Name']}" if bus == "default" else f"{place}{bus}/{document['Name']}"


def _refused(entry: Mapping[str, Any]) -> Document | None:
    """Return why an entry is not an event, as AWS answers it; None when it is one."""
    missing = next((name for name in ("Source", "DetailType", "Detail") if not entry.get(name)), None)
    if missing:
        reason = f"Parameter {missing} is not valid. Reason: {missing} is a required argument."
        return {"ErrorCode": "InvalidArgument", "ErrorMessage": reason}
    try:
        is_object = isinstance(json.loads(entry["Detail"]), dict)
    except ValueError:
        is_object = False
    return None if is_object else {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}


def _size(entry: Mapping[str, Any]) -> int:
    """Return the size of an entry. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html"""
    texts = [entry.get(name) or "" for name in ("Source", "DetailType", "Detail")]
    size = sum(len(str(text).encode()) for text in (*texts, *(entry.get("Resources") or ())))
    return size + (14 if entry.get("Time") else 0)


def _event(caller: Caller, entry: Mapping[str, Any], identifier: str) -> Document:
    moment = entry.get("Time")
    return {
        "version": "0",
        "id": identifier,
        "detail-type": entry["DetailType"],
        "source": entry["Source"],
        "account": caller.account,
        "time": written(moment if isinstance(moment, int | float) else time.time()),
        "region": caller.region,
        "resources": entry.get("Resources") or [],
        "detail": json.loads(entry["Detail"]),
    }
