"""Job queues."""

from collections.abc import Callable, Mapping
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import ENVIRONMENT, QUEUE, full_arn
from scar_pulumi.cloud.batch.store import Store
from scar_pulumi.cloud.batch.transitions import Transitional
from scar_pulumi.cloud.signature import Caller

_SETTABLE = ("state", "schedulingPolicyArn", "priority", "jobStateTimeLimitActions")
_MOST_ENVIRONMENTS = 3


class JobQueues(Transitional):
    """The operations on queues; `end_jobs` is called with the ARN of a queue that goes."""

    kind = QUEUE
    noun = "jobQueue"

    def __init__(
        self, store: Store, later: Callable[[Callable[[], None]], None], end_jobs: Callable[[str], None]
    ) -> None:
        super().__init__(store, later)
        self._end_jobs = end_jobs

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateJobQueue: it is CREATING, and VALID a moment later."""
        arn = self._new_arn(caller, document)
        if document.get("serviceEnvironmentOrder"):
            raise ClientError(
                "serviceEnvironmentOrder: the local cloud runs no service jobs; give compute environments"
            )
        described = {
            "jobQueueName": document["jobQueueName"],
            "jobQueueArn": arn,
            "state": "ENABLED",
            "jobQueueType": "ECS",
            "tags": document.get("tags", {}),
            **_settings(document),
            "computeEnvironmentOrder": self._order(caller, document.get("computeEnvironmentOrder", ())),
            "serviceEnvironmentOrder": [],
        }
        return self._create(caller, described)

    def update(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateJobQueue."""
        found = self._found(caller, document["jobQueue"])
        if found["status"] == "DELETING":
            raise ClientError("Cannot update, resource is being modified.")
        changed = _settings(document)
        if "computeEnvironmentOrder" in document:
            changed["computeEnvironmentOrder"] = self._order(caller, document["computeEnvironmentOrder"])
        return self._update(found | changed)

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteJobQueue: only one that is disabled; the jobs that are still in it end."""
        if found := self._to_delete(caller, document):
            self._delete(found)
            self._end_jobs(found["jobQueueArn"])
        return {}

    def _is_busy(self, arn: str) -> bool:
        return self._store.any("queue = ? AND status IN ('STARTING', 'RUNNING')", arn)

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


def _settings(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: document[key] for key in _SETTABLE if key in document}
