"""Compute environments: their documents, and how they come, change and go."""

import uuid
from collections.abc import Mapping
from typing import Any

from scar_pulumi.cloud.batch.errors import ClientError
from scar_pulumi.cloud.batch.resources import ENVIRONMENT, QUEUE
from scar_pulumi.cloud.batch.transitions import Transitional
from scar_pulumi.cloud.signature import Caller

_RESOURCES = "computeResources"
_SERVICE_ROLE = "arn:aws:iam::{}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("EC2", "SPOT"), ("instanceTypes", "instanceRole", "subnets")),
    **dict.fromkeys(_FARGATE, ("subnets", "securityGroupIds")),
}


class ComputeEnvironments(Transitional):
    """The operations on compute environments."""

    kind = ENVIRONMENT
    noun = "computeEnvironment"

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateComputeEnvironment: it is CREATING, and VALID a moment later."""
        arn = self._new_arn(caller, document)
        _check(document)
        return self._create(caller, _described(arn, caller, document))

    def update(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateComputeEnvironment."""
        found = self._found(caller, document["computeEnvironment"])
        if found["status"] in ("DELETING", "UPDATING"):
            raise ClientError("Cannot update, resource is being modified.")
        changed = {key: value for key, value in document.items() if key not in ("computeEnvironment", _RESOURCES)}
        # What asks for newer instances is no setting.
        given = document.get(_RESOURCES) or {}
        resources = {key: value for key, value in given.items() if key != "updateToLatestImageVersion"}
        if resources:
            changed[_RESOURCES] = (found.get(_RESOURCES) or {}) | resources
            _check_vcpus(changed[_RESOURCES])
        return self._update(found | changed)

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteComputeEnvironment: only one that is disabled and in no queue."""
        if found := self._to_delete(caller, document):
            arn = found["computeEnvironmentArn"]
            orders = (queue["computeEnvironmentOrder"] for queue in self._store.resources(QUEUE, caller))
            if any(arn == entry["computeEnvironment"] for order in orders for entry in order):
                raise ClientError("Cannot delete, found existing JobQueue relationship")
            self._delete(found)
        return {}


def _described(arn: str, caller: Caller, document: Mapping[str, Any]) -> dict[str, Any]:
    identity = str(uuid.uuid4())
    cluster = f"AWSBatch-{document['computeEnvironmentName']}-{identity}"
    described = {
        **document,
        "computeEnvironmentArn": arn,
        "ecsClusterArn": f"arn:aws:ecs:{caller.region}:{caller.account}:cluster/{cluster}",
        "tags": document.get("tags", {}),
        "state": document.get("state", "ENABLED"),
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
