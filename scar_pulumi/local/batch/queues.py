"""Job queues and scheduling policies."""

from collections.abc import Callable, Mapping
from typing import Any

from scar_pulumi.local.batch.errors import ClientError
from scar_pulumi.local.batch.resources import ENVIRONMENT, POLICY, QUEUE, arn_of, check_name, full_arn, page
from scar_pulumi.local.batch.store import Store
from scar_pulumi.local.credentials import Caller

_HEALTHY = "JobQueue Healthy"
_SETTABLE = ("state", "schedulingPolicyArn", "priority", "jobStateTimeLimitActions")
_MOST_ENVIRONMENTS = 3


class JobQueues:
    """The operations; `later` is called with what ends a transition, `end_jobs` with the ARN of a queue that goes."""

    def __init__(
        self, store: Store, later: Callable[[Callable[[], None]], None], end_jobs: Callable[[str], None]
    ) -> None:
        self._store = store
        self._later = later
        self._end_jobs = end_jobs

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateJobQueue: it is CREATING, and VALID a moment later."""
        name = document["jobQueueName"]
        check_name(name, "jobQueueName")
        arn = arn_of(QUEUE, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        if document.get("serviceEnvironmentOrder"):
            raise ClientError(
                "serviceEnvironmentOrder: the local cloud runs no service jobs; give compute environments"
            )
        order = self._order(caller, document.get("computeEnvironmentOrder", ()))
        settings = {key: document[key] for key in _SETTABLE if key in document}
        described = {
            "jobQueueName": name,
            "jobQueueArn": arn,
            "state": "ENABLED",
            "jobQueueType": "ECS",
            "tags": document.get("tags", {}),
            **settings,
            "computeEnvironmentOrder": order,
            "serviceEnvironmentOrder": [],
            "status": "CREATING",
            "statusReason": "",
        }
        self._store.put(QUEUE, caller, name, arn, described)
        self._later(lambda: self._settle(arn))
        return {"jobQueueName": name, "jobQueueArn": arn}

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeJobQueues."""
        if names := document.get("jobQueues"):
            arns = [full_arn(QUEUE, caller, name) for name in names]
            found = [item for item in map(self._store.resource, arns) if item]
        else:
            found = self._store.resources(QUEUE, caller)
        return page(found, document, "jobQueues")

    def update(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateJobQueue."""
        found = self._store.resource(full_arn(QUEUE, caller, document["jobQueue"]))
        if found is None:
            raise ClientError(f"{document['jobQueue']} does not exist")
        if found["status"] == "DELETING":
            raise ClientError("Cannot update, resource is being modified.")
        changed = {key: document[key] for key in _SETTABLE if key in document}
        if "computeEnvironmentOrder" in document:
            changed["computeEnvironmentOrder"] = self._order(caller, document["computeEnvironmentOrder"])
        arn = found["jobQueueArn"]
        self._store.update(arn, found | changed | {"status": "UPDATING"})
        self._later(lambda: self._settle(arn))
        return {"jobQueueName": found["jobQueueName"], "jobQueueArn": arn}

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteJobQueue: only one that is disabled; the jobs that are still in it end."""
        arn = full_arn(QUEUE, caller, document["jobQueue"])
        found = self._store.resource(arn)
        if found is None:
            return {}
        if found["state"] != "DISABLED":
            raise ClientError("Cannot delete, resource must be disabled first: its state is ENABLED.")
        if found["status"] in ("CREATING", "UPDATING"):
            raise ClientError("Cannot delete, resource is being modified.")
        self._store.update(arn, found | {"status": "DELETING"})
        self._end_jobs(arn)
        self._later(lambda: self._settle(arn))
        return {}

    def restore(self) -> None:
        """Ends the transitions that a predecessor began."""
        for found in self._store.resources(QUEUE):
            self._settle(found["jobQueueArn"])

    def _settle(self, arn: str) -> None:
        found = self._store.resource(arn)
        if found is None:
            return
        if found["status"] == "DELETING":
            if self._store.any("queue = ? AND status IN ('STARTING', 'RUNNING')", arn):
                self._later(lambda: self._settle(arn))
            else:
                self._store.remove(arn)
        elif found["status"] in ("CREATING", "UPDATING"):
            self._store.update(arn, found | {"status": "VALID", "statusReason": _HEALTHY})

    def _order(self, caller: Caller, entries: Any) -> list[dict[str, Any]]:
        if not 1 <= len(entries) <= _MOST_ENVIRONMENTS:
            raise ClientError(f"computeEnvironmentOrder must name 1 to {_MOST_ENVIRONMENTS} compute environments")
        order = [
            {"order": entry["order"], "computeEnvironment": full_arn(ENVIRONMENT, caller, entry["computeEnvironment"])}
            for entry in sorted(entries, key=lambda entry: int(entry["order"]))
        ]
        if len({entry["order"] for entry in order}) < len(order):
            raise ClientError("computeEnvironmentOrder: each order must be there once")
        kinds = {_is_fargate(self._environment(entry["computeEnvironment"])) for entry in order}
        if len(kinds) > 1:
            raise ClientError("computeEnvironmentOrder: EC2 and Fargate compute environments cannot be in one queue")
        return order

    def _environment(self, arn: str) -> Mapping[str, Any]:
        found = self._store.resource(arn)
        if found is None:
            raise ClientError(f"{arn} does not exist")
        if found["status"] == "DELETING" or found["status"] == "CREATING":
            raise ClientError(f"{arn} is not VALID: its status is {found['status']}")
        return found


def _is_fargate(environment: Mapping[str, Any]) -> bool:
    return str((environment.get("computeResources") or {}).get("type", "")).startswith("FARGATE")


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
