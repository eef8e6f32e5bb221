"""Compute environments: their documents, and how they come, change and go."""

import uuid
from collections.abc import Callable, Mapping
from typing import Any

from scar_pulumi.local.batch.errors import ClientError
from scar_pulumi.local.batch.resources import ENVIRONMENT, QUEUE, arn_of, check_name, full_arn, page
from scar_pulumi.local.batch.store import Store
from scar_pulumi.local.credentials import Caller

_RESOURCES = "computeResources"
_HEALTHY = "ComputeEnvironment Healthy"
_SERVICE_ROLE = "arn:aws:iam::{}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("EC2", "SPOT"), ("instanceTypes", "instanceRole", "subnets")),
    **dict.fromkeys(_FARGATE, ("subnets", "securityGroupIds")),
}


class ComputeEnvironments:
    """The operations; `later` is called with what ends a transition, `changed` after what may let jobs start."""

    def __init__(self, store: Store, later: Callable[[Callable[[], None]], None]) -> None:
        self._store = store
        self._later = later

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateComputeEnvironment: it is CREATING, and VALID a moment later."""
        name = document["computeEnvironmentName"]
        check_name(name, "computeEnvironmentName")
        arn = arn_of(ENVIRONMENT, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        _check(document)
        self._store.put(ENVIRONMENT, caller, name, arn, _described(arn, caller, document))
        self._later(lambda: self._settle(arn))
        return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeComputeEnvironments."""
        if names := document.get("computeEnvironments"):
            arns = [full_arn(ENVIRONMENT, caller, name) for name in names]
            found = [item for item in map(self._store.resource, arns) if item]
        else:
            found = self._store.resources(ENVIRONMENT, caller)
        return page(found, document, "computeEnvironments")

    def update(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateComputeEnvironment."""
        found = self._found(caller, document["computeEnvironment"])
        if found["status"] in ("DELETING", "UPDATING"):
            raise ClientError("Cannot update, resource is being modified.")
        changed = {key: value for key, value in document.items() if key not in ("computeEnvironment", _RESOURCES)}
        # What asks for newer instances is no setting.
        given = document.get(_RESOURCES) or {}
        resources = {key: value for key, value in given.items() if key != "updateToLatestImageVersion"}
        merged = found | changed | {"status": "UPDATING"}
        if resources:
            merged[_RESOURCES] = (found.get(_RESOURCES) or {}) | resources
            _check_vcpus(merged[_RESOURCES])
        arn = found["computeEnvironmentArn"]
        self._store.update(arn, merged)
        self._later(lambda: self._settle(arn))
        return {"computeEnvironmentName": found["computeEnvironmentName"], "computeEnvironmentArn": arn}

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteComputeEnvironment: only one that is disabled and in no queue."""
        arn = full_arn(ENVIRONMENT, caller, document["computeEnvironment"])
        found = self._store.resource(arn)
        if found is None:
            return {}
        if found["state"] != "DISABLED":
            raise ClientError("Cannot delete, resource must be disabled first: its state is ENABLED.")
        if found["status"] in ("CREATING", "UPDATING"):
            raise ClientError("Cannot delete, resource is being modified.")
        queues = self._store.resources(QUEUE, caller)
        if any(arn == entry["computeEnvironment"] for queue in queues for entry in queue["computeEnvironmentOrder"]):
            raise ClientError("Cannot delete, found existing JobQueue relationship")
        self._store.update(arn, found | {"status": "DELETING"})
        self._later(lambda: self._settle(arn))
        return {}

    def restore(self) -> None:
        """Ends the transitions that a predecessor began."""
        for found in self._store.resources(ENVIRONMENT):
            self._settle(found["computeEnvironmentArn"])

    def _found(self, caller: Caller, reference: str) -> dict[str, Any]:
        found = self._store.resource(full_arn(ENVIRONMENT, caller, reference))
        if found is None:
            raise ClientError(f"{reference} does not exist")
        return found

    def _settle(self, arn: str) -> None:
        found = self._store.resource(arn)
        if found is None:
            return
        if found["status"] == "DELETING":
            self._store.remove(arn)
        elif found["status"] in ("CREATING", "UPDATING"):
            self._store.update(arn, found | {"status": "VALID", "statusReason": _HEALTHY})


def _described(arn: str, caller: Caller, document: Mapping[str, Any]) -> dict[str, Any]:
    identity = str(uuid.uuid4())
    cluster = f"AWSBatch-{document['computeEnvironmentName']}-{identity}"
    described = {
        **document,
        "computeEnvironmentArn": arn,
        "ecsClusterArn": f"arn:aws:ecs:{caller.region}:{caller.account}:cluster/{cluster}",
        "tags": document.get("tags", {}),
        "state": document.get("state", "ENABLED"),
        "status": "CREATING",
        "statusReason": "",
        "serviceRole": document.get("serviceRole") or _SERVICE_ROLE.format(caller.account),
        "containerOrchestrationType": "ECS",
        "uuid": identity,
    }
    if resources := document.get("computeResources"):
        least = {} if resources["type"] in _FARGATE else {"minvCpus": 0, "desiredvCpus": resources.get("minvCpus", 0)}
        described["computeResources"] = {**least, **resources}
    return described


def _check(document: Mapping[str, Any]) -> None:
    if "eksConfiguration" in document:
        raise ClientError("eksConfiguration: the local cloud runs jobs on no EKS cluster; leave it out")
    if document["type"] == "UNMANAGED":
        return
    resources = document.get("computeResources")
    if not resources:
        raise ClientError("computeResources must be provided for a MANAGED compute environment")
    needed = _NEEDED.get(resources["type"], ())
    if missing := [key for key in needed if not resources.get(key)]:
        raise ClientError(f"computeResources: {', '.join(missing)} must be provided for type {resources['type']}")
    _check_vcpus(resources)


def _check_vcpus(resources: Mapping[str, Any]) -> None:
    least, most = resources.get("minvCpus", 0), resources["maxvCpus"]
    if most < 1 or least < 0 or least > most:
        raise ClientError(
            f"minvCpus ({least}) must be 0 or more, and no more than maxvCpus ({most}), which is positive"
        )
    if not least <= resources.get("desiredvCpus", least) <= most:
        raise ClientError("desiredvCpus must be between minvCpus and maxvCpus")
