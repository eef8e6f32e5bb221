"""Compute environments, job queues and scheduling policies, with their names, ARNs, pages and tags."""

import base64
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from scar_foundation.limits import (
    BATCH_NAME_CHARACTERS,
    BATCH_NAME_PATTERN,
    BATCH_PAGE,
    BATCH_QUEUE_ENVIRONMENTS,
    BATCH_TAGS,
)
from scar_pulumi.cloud.batch.requests import ClientError
from scar_pulumi.cloud.batch.store import BatchStore
from scar_pulumi.cloud.signature import Caller

ENVIRONMENT, QUEUE, DEFINITION, POLICY = "compute-environment", "job-queue", "job-definition", "scheduling-policy"
_RESOURCES = "computeResources"
_SERVICE_ROLE = "arn:aws:iam::{}:role/aws-service-role/batch.amazonaws.com/AWSServiceRoleForBatch"
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_NEEDED: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("EC2", "SPOT"), ("instanceTypes", "instanceRole", "subnets")),
    **dict.fromkeys(_FARGATE, ("subnets", "securityGroupIds")),
}
_SETTABLE = ("state", "schedulingPolicyArn", "priority", "jobStateTimeLimitActions")


def arn_of(kind: str, caller: Caller, name: str) -> str:
    """Return the ARN of a resource."""
    return f"arn:aws:batch:{caller.region}:{caller.account}:{kind}/{name}"


def caller_of_arn(arn: str) -> Caller:
    """Return the account and region of an ARN."""
    _, _, _, region, account, *_ = arn.split(":")
    return Caller(account, region, "batch")


def full_arn(kind: str, caller: Caller, reference: str) -> str:
    """Return the ARN that a name or an ARN means."""
    return reference if reference.startswith("arn:") else arn_of(kind, caller, reference)


def check_name(name: str, key: str) -> None:
    """Raise ClientError for a name that Batch does not accept."""
    if len(name) > BATCH_NAME_CHARACTERS or not re.fullmatch(BATCH_NAME_PATTERN, name):
        raise ClientError(
            f"{key} should match valid pattern: {BATCH_NAME_PATTERN}, with {BATCH_NAME_CHARACTERS} characters at most; "
            f"{name!r} does not"
        )


def page(items: Sequence[Any], document: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return one page of a result: `maxResults` items from `nextToken` on."""
    start, size = bounds(document)
    return page_of(items[start : start + size + 1], start, size, key)


def bounds(document: Mapping[str, Any]) -> tuple[int, int]:
    """Return where a page starts and how many items it has. Raises ClientError."""
    size = document.get("maxResults") or BATCH_PAGE.most
    if size not in BATCH_PAGE:
        raise ClientError(f"maxResults must be {BATCH_PAGE}")
    return _start(document.get("nextToken")), size


def page_of(items: Sequence[Any], start: int, size: int, key: str) -> dict[str, Any]:
    """Return a page; `items` are its own and, if there is a next page, the first of that."""
    answer: dict[str, Any] = {key: list(items[:size])}
    if len(items) > size:
        answer["nextToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return answer


def _start(token: str | None) -> int:
    try:
        return int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError:
        raise ClientError("nextToken was not issued by Batch") from None


class Tags:
    """The operations on tags, of resources and jobs."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store

    def list(self, arn: str) -> dict[str, Any]:
        """ListTagsForResource: return the tags."""
        return {"tags": self._read(arn)}

    def tag(self, arn: str, tags: Mapping[str, str]) -> dict[str, Any]:
        """TagResource: add tags, or change them."""
        self._write(arn, {**self._read(arn), **tags})
        return {}

    def untag(self, arn: str, keys: Sequence[str]) -> dict[str, Any]:
        """UntagResource: remove tags."""
        self._write(arn, {key: value for key, value in self._read(arn).items() if key not in keys})
        return {}

    def _read(self, arn: str) -> dict[str, str]:
        if job := self._store.job(arn.partition(":job/")[2]):
            return dict(job.spec.get("tags", {}) if job.tags is None else job.tags)
        if (document := self._store.resource(arn)) is not None:
            return dict(document.get("tags", {}))
        raise ClientError(f"{arn} does not exist")

    def _write(self, arn: str, tags: dict[str, str]) -> None:
        if len(tags) > BATCH_TAGS:
            raise ClientError(f"{arn} would have {len(tags)} tags; the most is {BATCH_TAGS}")
        if job := self._store.job(arn.partition(":job/")[2]):
            job.tags = tags
            self._store.save(job)
        elif (document := self._store.resource(arn)) is not None:
            self._store.update(arn, document | {"tags": tags})


class Transitional:
    """Resources of one kind, which are created, updated and deleted a moment after the request is answered.

    `later` is called with what ends such a transition.
    """

    kind: ClassVar[str]
    """The kind's name in ARNs."""
    noun: ClassVar[str]
    """The kind's name in requests and responses, such as `jobQueue`."""

    def __init__(self, store: BatchStore, later: Callable[[Callable[[], None]], None]) -> None:
        self._store = store
        self._later = later

    def describe(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeComputeEnvironments, DescribeJobQueues: return those that are named, else all."""
        if names := document.get(f"{self.noun}s"):
            arns = [full_arn(self.kind, caller, name) for name in names]
            found = [item for item in map(self._store.resource, arns) if item]
        else:
            found = self._store.resources(self.kind, caller)
        return page(found, document, f"{self.noun}s")

    def restore(self) -> None:
        """End the transitions that an earlier daemon began."""
        for found in self._store.resources(self.kind):
            self._settle(found[f"{self.noun}Arn"])

    def _new_arn(self, caller: Caller, document: Mapping[str, Any]) -> str:
        name = document[f"{self.noun}Name"]
        check_name(name, f"{self.noun}Name")
        arn = arn_of(self.kind, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        return arn

    def _create(self, caller: Caller, described: Mapping[str, Any]) -> dict[str, Any]:
        name, arn = described[f"{self.noun}Name"], described[f"{self.noun}Arn"]
        self._store.put(self.kind, caller, name, arn, {**described, "status": "CREATING", "statusReason": ""})
        return self._begun(described)

    def _found(self, caller: Caller, reference: str) -> dict[str, Any]:
        found = self._store.resource(full_arn(self.kind, caller, reference))
        if found is None:
            raise ClientError(f"{reference} does not exist")
        return found

    def _update(self, changed: Mapping[str, Any]) -> dict[str, Any]:
        self._store.update(changed[f"{self.noun}Arn"], {**changed, "status": "UPDATING"})
        return self._begun(changed)

    def _to_delete(self, caller: Caller, document: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the resource that a request deletes, None when it is gone. Raises ClientError."""
        found = self._store.resource(full_arn(self.kind, caller, document[self.noun]))
        if found and found["state"] != "DISABLED":
            raise ClientError("Cannot delete, resource must be disabled first: its state is ENABLED.")
        if found and found["status"] in ("CREATING", "UPDATING"):
            raise ClientError("Cannot delete, resource is being modified.")
        return found

    def _delete(self, found: Mapping[str, Any]) -> None:
        self._store.update(found[f"{self.noun}Arn"], {**found, "status": "DELETING"})
        self._begun(found)

    def _is_busy(self, arn: str) -> bool:  # noqa: ARG002 - queues look for their jobs
        """Return whether a resource that is being deleted is still in use."""
        return False

    def _begun(self, resource: Mapping[str, Any]) -> dict[str, Any]:
        arn = resource[f"{self.noun}Arn"]
        self._later(lambda: self._settle(arn))
        return {key: resource[key] for key in (f"{self.noun}Name", f"{self.noun}Arn")}

    def _settle(self, arn: str) -> None:
        found = self._store.resource(arn)
        if found is None:
            return
        if found["status"] in ("CREATING", "UPDATING"):
            healthy = f"{self.noun[0].upper()}{self.noun[1:]} Healthy"
            self._store.update(arn, {**found, "status": "VALID", "statusReason": healthy})
        elif found["status"] == "DELETING" and self._is_busy(arn):
            self._later(lambda: self._settle(arn))
        elif found["status"] == "DELETING":
            self._store.remove(arn)


class ComputeEnvironments(Transitional):
    """The operations on compute environments."""

    kind = ENVIRONMENT
    noun = "computeEnvironment"

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateComputeEnvironment: make one that is CREATING, and VALID a moment later."""
        arn = self._new_arn(caller, document)
        _check(document)
        return self._create(caller, _described(arn, caller, document))

    def update(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateComputeEnvironment: change what is given."""
        found = self._found(caller, document["computeEnvironment"])
        if found["status"] in ("DELETING", "UPDATING"):
            raise ClientError("Cannot update, resource is being modified.")
        changed = {key: value for key, value in document.items() if key not in ("computeEnvironment", _RESOURCES)}
        # A request for newer instances, not a setting.
        given = document.get(_RESOURCES) or {}
        resources = {key: value for key, value in given.items() if key != "updateToLatestImageVersion"}
        if resources:
            changed[_RESOURCES] = (found.get(_RESOURCES) or {}) | resources
            _check_vcpus(changed[_RESOURCES])
        return self._update(found | changed)

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteComputeEnvironment: delete one that is disabled and in no queue."""
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
        raise ClientError("eksConfiguration: the local cloud has no EKS; leave it out")
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


class JobQueues(Transitional):
    """The operations on job queues; `end_jobs` is called with the ARN of a queue that is deleted."""

    kind = QUEUE
    noun = "jobQueue"

    def __init__(
        self, store: BatchStore, later: Callable[[Callable[[], None]], None], end_jobs: Callable[[str], None]
    ) -> None:
        super().__init__(store, later)
        self._end_jobs = end_jobs

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateJobQueue: make one that is CREATING, and VALID a moment later."""
        arn = self._new_arn(caller, document)
        if document.get("serviceEnvironmentOrder"):
            raise ClientError(
                "serviceEnvironmentOrder: the local cloud has no service jobs; use computeEnvironmentOrder"
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
        """UpdateJobQueue: change what is given."""
        found = self._found(caller, document["jobQueue"])
        if found["status"] == "DELETING":
            raise ClientError("Cannot update, resource is being modified.")
        changed = _settings(document)
        if "computeEnvironmentOrder" in document:
            changed["computeEnvironmentOrder"] = self._order(caller, document["computeEnvironmentOrder"])
        return self._update(found | changed)

    def delete(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteJobQueue: delete one that is disabled, and end its jobs."""
        if found := self._to_delete(caller, document):
            self._delete(found)
            self._end_jobs(found["jobQueueArn"])
        return {}

    def _is_busy(self, arn: str) -> bool:
        return self._store.has_running_jobs(arn)

    def _order(self, caller: Caller, entries: Any) -> list[dict[str, Any]]:
        if len(entries) not in BATCH_QUEUE_ENVIRONMENTS:
            raise ClientError(f"computeEnvironmentOrder must name {BATCH_QUEUE_ENVIRONMENTS} compute environments")
        order = [
            {"order": entry["order"], "computeEnvironment": full_arn(ENVIRONMENT, caller, entry["computeEnvironment"])}
            for entry in sorted(entries, key=lambda entry: int(entry["order"]))
        ]
        if len({entry["order"] for entry in order}) < len(order):
            raise ClientError("computeEnvironmentOrder: each order must be unique")
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


class SchedulingPolicies:
    """The operations on scheduling policies; only the jobs' priorities have an effect."""

    def __init__(self, store: BatchStore) -> None:
        self._store = store

    def create(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """CreateSchedulingPolicy: make a policy."""
        name = document["name"]
        check_name(name, "name")
        arn = arn_of(POLICY, caller, name)
        if self._store.resource(arn):
            raise ClientError("Object already exists")
        self._store.put(POLICY, caller, name, arn, {"tags": {}, "fairsharePolicy": {}, **document, "arn": arn})
        return {"name": name, "arn": arn}

    def describe(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DescribeSchedulingPolicies: return the policies that exist, by ARN."""
        return {"schedulingPolicies": [item for item in map(self._store.resource, document["arns"]) if item]}

    def list(self, caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """ListSchedulingPolicies: return their ARNs."""
        found = [{"arn": item["arn"]} for item in self._store.resources(POLICY, caller)]
        return page(found, document, "schedulingPolicies")

    def update(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """UpdateSchedulingPolicy: change what is given."""
        found = self._store.resource(document["arn"])
        if found is None:
            raise ClientError(f"{document['arn']} does not exist")
        self._store.update(document["arn"], found | document)
        return {}

    def delete(self, _caller: Caller, document: dict[str, Any]) -> dict[str, Any]:
        """DeleteSchedulingPolicy: delete one that no queue uses."""
        if any(queue.get("schedulingPolicyArn") == document["arn"] for queue in self._store.resources(QUEUE)):
            raise ClientError("Cannot delete, found existing JobQueue relationship")
        self._store.remove(document["arn"])
        return {}
