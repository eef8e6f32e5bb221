"""The operations on state machines: create, describe, update, delete, list, tag and check a definition.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_Operations.html
"""

import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from scar_pulumi.cloud.signature import Caller
from scar_pulumi.cloud.states.definitions import mistakes
from scar_pulumi.cloud.states.requests import StatesError, bounds, check_arn, check_name, machine_arn, page_of
from scar_pulumi.cloud.states.store import StatesStore

_TAGS = 50
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.+")
_LOGGING = {"level": "OFF", "includeExecutionData": False}
_SETTINGS = ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")
_SAME = ("definition", "type", "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration")


class Machines:
    """The state machines of all accounts; `end` stops what runs of one that is deleted."""

    def __init__(self, store: StatesStore, end: Callable[[str], Any]) -> None:
        self._store = store
        self._end = end

    async def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateStateMachine. Idempotent for a machine that is the same; its role and tags are not compared."""
        name = document["name"]
        check_name(name)
        arn = machine_arn(caller, name)
        _refuse_publishing(document)
        _check(document)
        _check_tags(document.get("tags") or ())
        made = {
            "stateMachineArn": arn,
            "name": name,
            "status": "ACTIVE",
            "type": document.get("type", "STANDARD"),
            "creationDate": time.time(),
            "revisionId": str(uuid.uuid4()),
            "loggingConfiguration": _LOGGING,
            "tracingConfiguration": {"enabled": False},
            "encryptionConfiguration": {"type": "AWS_OWNED_KEY"},
            **{key: document[key] for key in _SETTINGS if key in document},
            "tags": document.get("tags") or [],
        }
        if present := self._store.machine(arn):
            if any(present[key] != made[key] for key in _SAME):
                raise StatesError("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
            made = present
        else:
            self._store.put_machine(arn, made)
        return {"stateMachineArn": arn, "creationDate": made["creationDate"]}

    async def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeStateMachine."""
        found = self.found(document["stateMachineArn"])
        shown = {key: value for key, value in found.items() if key not in ("tags", "updated")}
        return _without_data(shown) if document.get("includedData") == "METADATA_ONLY" else shown

    async def update(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateStateMachine. Running executions go on with what they started with."""
        arn = document["stateMachineArn"]
        found = self.found(arn)
        _refuse_publishing(document)
        changes = {key: document[key] for key in _SETTINGS if key in document}
        if not changes:
            raise StatesError("MissingRequiredParameter", "Either the definition, the role ARN or a setting is needed")
        _check({**found, **changes})
        now, revision = time.time(), str(uuid.uuid4())
        self._store.put_machine(arn, {**found, **changes, "updated": now, "revisionId": revision})
        return {"updateDate": now, "revisionId": revision}

    async def delete(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteStateMachine. What runs of it is stopped; its executions go with it. Idempotent."""
        arn = document["stateMachineArn"]
        check_arn(arn, "stateMachine")
        if self._store.machine(arn):
            await self._end(arn)
            self._store.remove_machine(arn)
        return {}

    async def list(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListStateMachines."""
        start, size = bounds(document)
        found = self._store.machines(machine_arn(caller, ""))[start : start + size + 1]
        shown = ("stateMachineArn", "name", "type", "creationDate")
        return page_of([{key: one[key] for key in shown} for one in found], start, size, "stateMachines")

    async def validate(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ValidateStateMachineDefinition."""
        found = mistakes(document["definition"])
        diagnostics = []
        for mistake in found[: document.get("maxResults") or 100]:
            code, _, message = mistake.partition(": ")
            _, _, place = message.rpartition(" at ")
            diagnostics.append({"severity": "ERROR", "code": code, "message": message, "location": place})
        return {"result": "FAIL" if found else "OK", "diagnostics": diagnostics, "truncated": False}

    async def tags(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListTagsForResource."""
        return {"tags": self._tagged(document["resourceArn"])["tags"]}

    async def tag(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """TagResource."""
        found = self._tagged(document["resourceArn"])
        added = {tag["key"] for tag in document["tags"]}
        tags = [*(tag for tag in found["tags"] if tag["key"] not in added), *document["tags"]]
        _check_tags(tags)
        self._store.put_machine(document["resourceArn"], {**found, "tags": tags})
        return {}

    async def untag(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UntagResource."""
        found = self._tagged(document["resourceArn"])
        tags = [tag for tag in found["tags"] if tag["key"] not in document["tagKeys"]]
        self._store.put_machine(document["resourceArn"], {**found, "tags": tags})
        return {}

    async def versions(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListStateMachineVersions: there are none, as publishing is refused; the genuine plugin asks all the same."""
        self.found(document["stateMachineArn"])
        return {"stateMachineVersions": []}

    async def aliases(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListStateMachineAliases: there are none, as there are no versions."""
        self.found(document["stateMachineArn"])
        return {"stateMachineAliases": []}

    def found(self, arn: str) -> dict[str, Any]:
        """Return a machine's document. Raises StatesError."""
        check_arn(arn, "stateMachine")
        if found := self._store.machine(arn):
            return found
        raise StatesError("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")

    def _tagged(self, arn: str) -> dict[str, Any]:
        if found := self._store.machine(arn):
            return found
        raise StatesError("ResourceNotFound", f"Resource not found: '{arn}'")


def _check(document: Mapping[str, Any]) -> None:
    if document.get("type", "STANDARD") == "EXPRESS":
        reason = "the local cloud does not have EXPRESS state machines, only children of that type in a Distributed Map"
        raise StatesError("StateMachineTypeNotSupported", f"{reason}; use type STANDARD")
    if not _ROLE.fullmatch(document["roleArn"]):
        raise StatesError("InvalidArn", f"Invalid Role Arn: '{document['roleArn']}'")
    if found := mistakes(document["definition"]):
        raise StatesError("InvalidDefinition", f"Invalid State Machine Definition: '{'; '.join(found)}'")


def _refuse_publishing(document: Mapping[str, Any]) -> None:
    if document.get("publish"):
        raise StatesError("ValidationException", "the local cloud does not have versions of state machines (publish)")


def _check_tags(tags: Any) -> None:
    if len(tags) > _TAGS:
        raise StatesError("TooManyTags", f"{len(tags)} tags are too many; the most is {_TAGS}")


def _without_data(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: "" if key == "definition" else value for key, value in document.items()}
