"""Scheduling policies."""

from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import POLICY, QUEUE, arn_of, check_name, page
from scar_pulumi.cloud.batch.store import Store
from scar_pulumi.cloud.signature import Caller


class SchedulingPolicies:
    """The operations on scheduling policies, of which the local cloud heeds the jobs' priorities."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateSchedulingPolicy."""
        name = document["name"]
        check_name(name, "name")
        arn = arn_of(POLICY, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        self._store.put(POLICY, caller, name, arn, {"tags": {}, "fairsharePolicy": {}, **document, "arn": arn})
        return {"name": name, "arn": arn}

    def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeSchedulingPolicies."""
        return {"schedulingPolicies": [item for item in map(self._store.resource, document["arns"]) if item]}

    def list(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListSchedulingPolicies."""
        found = [{"arn": item["arn"]} for item in self._store.resources(POLICY, caller)]
        return page(found, document, "schedulingPolicies")

    def update(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateSchedulingPolicy."""
        found = self._store.resource(document["arn"])
        if found is None:
            raise ClientError(f"{document['arn']} does not exist")
        self._store.update(document["arn"], found | document)
        return {}

    def delete(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteSchedulingPolicy: only one that no queue has."""
        if any(queue.get("schedulingPolicyArn") == document["arn"] for queue in self._store.resources(QUEUE)):
            raise ClientError("Cannot delete, found existing JobQueue relationship")
        self._store.remove(document["arn"])
        return {}
