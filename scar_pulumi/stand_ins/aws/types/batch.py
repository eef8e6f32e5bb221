"""Batch: compute environments, queues and their policies, and job definitions, each change a new revision."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from scar_foundation.limits import BATCH_ATTEMPTS, BATCH_TIMEOUT, Range
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.provider import pause, show_progress
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.forms import (
    ARN,
    ARN_OR_NOTHING,
    BATCH_NAME,
    EXIT_CODE,
    JSON_OBJECT_OR_NOTHING,
    REASON,
    SHARE,
)
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    json_text,
    mapping,
    nested,
    number,
    output,
    string,
    strings,
)

_DISABLING = 300.0


@dataclass(frozen=True)
class SlowResource:
    """A kind of resource of Batch that changes slowly: how it is looked at and told to take no more work.

    https://docs.aws.amazon.com/batch/latest/APIReference/API_ComputeEnvironmentDetail.html
    """

    kind: str
    describe: str
    result: str
    update: str
    key: str

    def until_valid(self, cloud: Cloud, values: Properties, timeout: float) -> Properties:
        """Wait until the last change is in effect and return AWS's document."""
        return self._until(cloud, values, "VALID", timeout)

    def disable(self, cloud: Cloud, values: Properties) -> None:
        """Disable it, which Batch requires before a delete, and wait until that is done."""
        found = self._found(cloud, values)
        if not found:
            return
        if found["state"] != "DISABLED":
            show_progress(f"waiting for the {self.kind} to be disabled")
            cloud.call("batch", self.update, values.get("region"), **{self.key: values["name"], "state": "DISABLED"})
        self._until(cloud, values, "VALID", _DISABLING)

    def until_gone(self, cloud: Cloud, values: Properties, timeout: float) -> None:
        """Wait until it is deleted, which lasts until its work has ended."""
        self._until(cloud, values, "", timeout)

    def _until(self, cloud: Cloud, values: Properties, status: str, timeout: float) -> Properties:
        deadline, step, told = time.monotonic() + timeout, 0.02, ""
        while True:
            found = self._found(cloud, values)
            now = str(found.get("status", ""))
            if now == status or not found:
                return found
            if now == "INVALID":
                raise ProviderError(f"{self.kind} {values['name']} is invalid: {found.get('statusReason')}")
            if time.monotonic() > deadline:
                raise ProviderError(f"{self.kind} {values['name']} was still {now} after {timeout:g} s")
            if now != told:
                show_progress(f"waiting for the {self.kind}, which is {now}")
                told = now
            pause(step)
            step = min(step * 2, 0.2)

    def _found(self, cloud: Cloud, values: Properties) -> Properties:
        answer = cloud.call("batch", self.describe, values.get("region"), **{self.result: [values["name"]]})
        return next(iter(answer[self.result]), {})


BATCH_TAGS = Tags({"resourceArn": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", at="tags")
_STATES = ("ENABLED", "DISABLED")
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_IN_PLACE = frozenset({"maxVcpus", "minVcpus", "desiredVcpus"})
_IN_PLACE_ON_FARGATE = _IN_PLACE | {"subnets", "securityGroupIds"}
# https://docs.aws.amazon.com/batch/latest/userguide/infrastructure-updates.html
_CHANGEABLE = ("BEST_FIT_PROGRESSIVE", "SPOT_CAPACITY_OPTIMIZED", "SPOT_PRICE_CAPACITY_OPTIMIZED")
_SERVICE_LINKED = ":role/aws-service-role/batch.amazonaws.com/"

_ENVIRONMENT = SlowResource(
    "compute environment",
    describe="describe_compute_environments",
    result="computeEnvironments",
    update="update_compute_environment",
    key="computeEnvironment",
)
_QUEUE = SlowResource(
    "job queue", describe="describe_job_queues", result="jobQueues", update="update_job_queue", key="jobQueue"
)


def _is_new_environment(olds: Mapping[str, Any], news: Mapping[str, Any]) -> frozenset[str]:
    """Decide as the genuine provider does: most changes need AWS's own role and a newer allocation strategy."""
    old, new = (values.get("computeResources") or {} for values in (olds, news))
    changed = {name for name in {*old, *new} if old.get(name) != new.get(name)}
    everywhere = _IN_PLACE_ON_FARGATE if {old.get("type"), new.get("type")} <= {*_FARGATE} else _IN_PLACE
    if changed <= everywhere:
        return frozenset()
    roles = (values.get("serviceRole") or _SERVICE_LINKED for values in (olds, news))
    is_changeable = all(_SERVICE_LINKED in role for role in roles) and all(
        resources.get("allocationStrategy") in _CHANGEABLE for resources in (old, new)
    )
    return frozenset() if is_changeable and "spotIamFleetRole" not in changed else frozenset({"computeResources"})


def _environment_request(operation: str, request: Properties, values: Properties) -> Properties:
    if operation != "update_compute_environment":
        return request
    resources = dict(request.get("computeResources") or {})
    for name in ("spotIamFleetRole", "desiredvCpus"):  # the first never changes, the second is Batch's by now
        resources.pop(name, None)
    changed = {**request, "computeEnvironment": values["name"]}
    return {**changed, "computeResources": resources} if resources else changed


_IMAGE = Range(1, 256)
_COMPUTE_RESOURCES = {
    "type": string(required=True, one_of=("EC2", "SPOT", *_FARGATE), any_case=True),
    "maxVcpus": integer("maxvCpus", required=True),
    "minVcpus": integer("minvCpus", default=0),
    "desiredVcpus": integer("desiredvCpus", computed=True),
    "allocationStrategy": string(one_of=("BEST_FIT", *_CHANGEABLE), any_case=True),
    "bidPercentage": integer(),
    "ec2Configurations": nested(
        {"imageType": string(length=_IMAGE), "imageIdOverride": string(computed=True, length=_IMAGE)},
        "ec2Configuration",
        many=True,
        computed=True,
        replace=True,
    ),
    "ec2KeyPair": string(),
    "imageId": string(),
    "instanceRole": string(form=ARN_OR_NOTHING),
    "instanceTypes": strings(unordered=True),
    "launchTemplate": nested(
        {"launchTemplateId": string(), "launchTemplateName": string(), "version": string(computed=True)}, replace=True
    ),
    "placementGroup": string(replace=True),
    "securityGroupIds": strings(unordered=True),
    "spotIamFleetRole": string(replace=True, form=ARN_OR_NOTHING),
    "subnets": strings(required=True, unordered=True),
    "tags": mapping(),
}

COMPUTE_ENVIRONMENT = ResourceType(
    "aws:batch/computeEnvironment:ComputeEnvironment",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateComputeEnvironment.html",
    identity="{name}",
    name=AutoName("name", 128, prefix="namePrefix"),
    properties={
        "name": string("computeEnvironmentName", computed=True, replace=True, form=BATCH_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=BATCH_NAME),
        "type": string(required=True, replace=True, one_of=("MANAGED", "UNMANAGED"), any_case=True),
        "state": string(default="ENABLED", one_of=_STATES, any_case=True),
        "serviceRole": string(computed=True, form=ARN_OR_NOTHING),
        "computeResources": nested(_COMPUTE_RESOURCES, computed=True),
        "updatePolicy": nested(
            {
                "jobExecutionTimeoutMinutes": integer(computed=True, between=Range(1, 360)),
                "terminateJobsOnUpdate": boolean(computed=True),
            },
            computed=True,
        ),
        "arn": output(template="arn:{partition}:batch:{region}:{account}:compute-environment/{name}"),
        "ecsClusterArn": output(),
        "status": output(),
        "statusReason": output(),
    },
    create=Call("create_compute_environment"),
    read=Call(
        "describe_compute_environments",
        "computeEnvironments",
        {"computeEnvironments": ["{name}"]},
        where=("computeEnvironmentName", "{name}"),
    ),
    updates=("update_compute_environment",),
    settings=(Setting("updatePolicy", "update_compute_environment"),),
    delete=Call("delete_compute_environment", extra={"computeEnvironment": "{name}"}),
    amend_request=_environment_request,
    replacing=_is_new_environment,
    await_change=_ENVIRONMENT.until_valid,
    before_delete=_ENVIRONMENT.disable,
    await_deletion=_ENVIRONMENT.until_gone,
    tags=BATCH_TAGS,
)

JOB_QUEUE = ResourceType(
    "aws:batch/jobQueue:JobQueue",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateJobQueue.html",
    identity="{arn}",
    lookup="arn:{partition}:batch:{region}:{account}:job-queue/{name}",
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string("jobQueueName", computed=True, replace=True, form=BATCH_NAME),
        "priority": integer(required=True, between=Range(0, 1000)),
        "state": string(required=True, one_of=_STATES, any_case=True),
        "computeEnvironmentOrders": nested(
            {"order": integer(required=True), "computeEnvironment": string(required=True, form=ARN)},
            "computeEnvironmentOrder",
            many=True,
        ),
        "jobStateTimeLimitActions": nested(
            {
                "action": string(required=True, one_of=("CANCEL", "TERMINATE")),
                "maxTimeSeconds": integer(required=True, between=Range(600, 86400)),
                "reason": string(required=True),
                "state": string(required=True, one_of=("RUNNABLE",)),
            },
            many=True,
        ),
        "schedulingPolicyArn": string(form=ARN),
        "arn": output(template="arn:{partition}:batch:{region}:{account}:job-queue/{name}"),
    },
    create=Call("create_job_queue"),
    read=Call("describe_job_queues", "jobQueues", {"jobQueues": ["{name}"]}, where=("jobQueueName", "{name}")),
    updates=("update_job_queue",),
    delete=Call("delete_job_queue", extra={"jobQueue": "{name}"}),
    amend_request=lambda operation, request, values: (
        {**request, "jobQueue": values["name"]} if operation == "update_job_queue" else request
    ),
    await_change=_QUEUE.until_valid,
    before_delete=_QUEUE.disable,
    await_deletion=_QUEUE.until_gone,
    tags=BATCH_TAGS,
)


_POLICY_ARN = "arn:{partition}:batch:{region}:{account}:scheduling-policy/{name}"

SCHEDULING_POLICY = ResourceType(
    "aws:batch/schedulingPolicy:SchedulingPolicy",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateSchedulingPolicy.html",
    identity="{arn}",
    lookup=_POLICY_ARN,
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string(computed=True, replace=True, form=BATCH_NAME),
        "fairSharePolicy": nested(
            {
                "computeReservation": integer(default=0, between=Range(0, 99)),
                "shareDecaySeconds": integer(default=0, between=Range(0, 604_800)),
                "shareDistributions": nested(
                    {
                        "shareIdentifier": string(required=True, length=Range(0, 255), form=SHARE),
                        "weightFactor": number(),
                    },
                    "shareDistribution",
                    many=True,
                    unordered=True,
                ),
            },
            "fairsharePolicy",
        ),
        "arn": output(template=_POLICY_ARN),
    },
    create=Call("create_scheduling_policy"),
    read=Call("describe_scheduling_policies", "schedulingPolicies", {"arns": [_POLICY_ARN]}, where=("name", "{name}")),
    updates=("update_scheduling_policy",),
    delete=Call("delete_scheduling_policy"),
    amend_request=lambda operation, request, values: (
        {**request, "arn": values["arn"]} if operation == "update_scheduling_policy" else request
    ),
    tags=BATCH_TAGS,
    idempotent=True,
)


_AS_DOCUMENT = ("containerProperties", "nodeProperties")


def _revision_request(operation: str, request: Properties, values: Properties) -> Properties:
    if operation != "register_job_definition":
        return request
    documents = {name: json.loads(request[name]) for name in _AS_DOCUMENT if request.get(name)}
    # Each revision has tags of its own.
    tags = request.get("tags") or values.get("tags")
    return {**request, **documents, **({"tags": tags} if tags else {})}


def _active(cloud: Cloud, values: Properties) -> list[Properties]:
    """Return the revisions that jobs can be submitted with, the newest first."""
    known = {"jobDefinitionName": values["name"], "status": "ACTIVE"}
    found = cloud.call("batch", "describe_job_definitions", values.get("region"), **known)["jobDefinitions"]
    return sorted(found, key=lambda one: int(one["revision"]), reverse=True)


def _newest(cloud: Cloud, answer: Properties, values: Properties) -> Properties | None:  # noqa: ARG001
    return next(iter(_active(cloud, values)), None)


def _deregister_older(cloud: Cloud, values: Properties, seconds: float) -> Properties:  # noqa: ARG001
    revisions = _active(cloud, values)
    if values.get("deregisterOnNewRevision", True):
        for older in revisions[1:]:
            _deregister(cloud, older, values)
    return revisions[0] if revisions else {}


def _deregister_all(cloud: Cloud, values: Properties) -> None:
    for revision in _active(cloud, values):
        _deregister(cloud, revision, values)


def _deregister(cloud: Cloud, revision: Properties, values: Properties) -> None:
    arn = revision["jobDefinitionArn"]
    cloud.call("batch", "deregister_job_definition", values.get("region"), jobDefinition=arn)


_ACTION = string(required=True, one_of=("RETRY", "EXIT"), any_case=True)
_reason = partial(string, length=Range(1, 512), form=REASON)
_EXIT = {
    "action": _ACTION,
    "onExitCode": string(length=Range(1, 512), form=EXIT_CODE),
    "onReason": _reason(),
    "onStatusReason": _reason(),
}

JOB_DEFINITION = ResourceType(
    "aws:batch/jobDefinition:JobDefinition",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_RegisterJobDefinition.html",
    identity="{arn}",
    lookup="arn:{partition}:batch:{region}:{account}:job-definition/{name}[:{revision}]",
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string("jobDefinitionName", computed=True, replace=True, form=BATCH_NAME),
        "type": string(required=True, one_of=("container", "multinode"), any_case=True),
        "containerProperties": json_text(form=JSON_OBJECT_OR_NOTHING),
        "nodeProperties": json_text(form=JSON_OBJECT_OR_NOTHING),
        "parameters": mapping(),
        "platformCapabilities": strings(unordered=True, one_of=("EC2", "FARGATE")),
        "propagateTags": boolean(default=False),
        "retryStrategy": nested(
            {
                "attempts": integer(between=BATCH_ATTEMPTS),
                "evaluateOnExits": nested(_EXIT, "evaluateOnExit", many=True, replace=True),
            }
        ),
        "schedulingPriority": integer(),
        "timeout": nested({"attemptDurationSeconds": integer(between=BATCH_TIMEOUT)}),
        "deregisterOnNewRevision": boolean(local=True, default=True),
        "arn": output("jobDefinitionArn", volatile="always"),
        "arnPrefix": output(template="arn:{partition}:batch:{region}:{account}:job-definition/{name}"),
        "revision": integer(output=True, volatile="always"),
    },
    create=Call("register_job_definition"),
    read=Call("describe_job_definitions", extra={"jobDefinitionName": "{name}", "status": "ACTIVE"}),
    rewrite=True,
    delete=Call("deregister_job_definition", extra={"jobDefinition": "{arn}"}),
    amend_request=_revision_request,
    to_document=_newest,
    await_change=_deregister_older,
    before_delete=_deregister_all,
    tags=BATCH_TAGS,
)
