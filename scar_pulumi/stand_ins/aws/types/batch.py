"""Batch: compute environments and job queues."""

from collections.abc import Mapping
from typing import Any

from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
    mapping,
    nested,
    output,
    string,
    strings,
)
from scar_pulumi.stand_ins.aws.waiting import Waited
from scar_pulumi.stand_ins.plugin.wire import Properties

BATCH_TAGS = Tags({"resourceArn": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", at="tags")
_STATES = ("ENABLED", "DISABLED")
_FARGATE = ("FARGATE", "FARGATE_SPOT")
_IN_PLACE = frozenset({"maxVcpus", "minVcpus", "desiredVcpus"})
_IN_PLACE_ON_FARGATE = _IN_PLACE | {"subnets", "securityGroupIds"}
# https://docs.aws.amazon.com/batch/latest/userguide/infrastructure-updates.html
_CHANGEABLE = ("BEST_FIT_PROGRESSIVE", "SPOT_CAPACITY_OPTIMIZED", "SPOT_PRICE_CAPACITY_OPTIMIZED")
_SERVICE_LINKED = ":role/aws-service-role/batch.amazonaws.com/"

_ENVIRONMENT = Waited(
    "compute environment",
    describe="describe_compute_environments",
    result="computeEnvironments",
    update="update_compute_environment",
    key="computeEnvironment",
)
_QUEUE = Waited(
    "job queue", describe="describe_job_queues", result="jobQueues", update="update_job_queue", key="jobQueue"
)


def _is_new_environment(olds: Mapping[str, Any], news: Mapping[str, Any]) -> frozenset[str]:
    """As the genuine provider decides it: most changes need AWS's own role and a newer allocation strategy."""
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


_COMPUTE_RESOURCES = {
    "type": string(required=True, one_of=("EC2", "SPOT", *_FARGATE)),
    "maxVcpus": integer("maxvCpus", required=True),
    "minVcpus": integer("minvCpus", default=0),
    "desiredVcpus": integer("desiredvCpus", computed=True),
    "allocationStrategy": string(),
    "bidPercentage": integer(),
    "ec2Configurations": nested(
        {"imageType": string(), "imageIdOverride": string(computed=True)}, "ec2Configuration", many=True
    ),
    "ec2KeyPair": string(),
    "imageId": string(),
    "instanceRole": string(),
    "instanceTypes": strings(unordered=True),
    "launchTemplate": nested({"launchTemplateId": string(), "launchTemplateName": string(), "version": string()}),
    "placementGroup": string(),
    "securityGroupIds": strings(unordered=True),
    "spotIamFleetRole": string(),
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
        "name": string("computeEnvironmentName", computed=True, replace=True),
        "namePrefix": string(local=True, computed=True, replace=True),
        "type": string(required=True, replace=True, one_of=("MANAGED", "UNMANAGED")),
        "state": string(default="ENABLED", one_of=_STATES),
        "serviceRole": string(computed=True),
        "computeResources": nested(_COMPUTE_RESOURCES),
        "updatePolicy": nested(
            {"jobExecutionTimeoutMinutes": integer(), "terminateJobsOnUpdate": boolean()}, computed=True
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
    amend=_environment_request,
    replaced=_is_new_environment,
    settle=_ENVIRONMENT.until_valid,
    empty=_ENVIRONMENT.disable,
    gone=_ENVIRONMENT.until_gone,
    tags=BATCH_TAGS,
)

JOB_QUEUE = ResourceType(
    "aws:batch/jobQueue:JobQueue",
    service="batch",
    camel=True,
    documentation="https://docs.aws.amazon.com/batch/latest/APIReference/API_CreateJobQueue.html",
    identity="{arn}",
    unique="{name}",
    name=AutoName("name", 128),
    properties={
        "name": string("jobQueueName", computed=True, replace=True),
        "priority": integer(required=True, between=(0, 1000)),
        "state": string(required=True, one_of=_STATES),
        "computeEnvironmentOrders": nested(
            {"order": integer(required=True), "computeEnvironment": string(required=True)},
            "computeEnvironmentOrder",
            many=True,
        ),
        "jobStateTimeLimitActions": nested(
            {
                "action": string(required=True),
                "maxTimeSeconds": integer(required=True),
                "reason": string(required=True),
                "state": string(required=True),
            },
            many=True,
        ),
        "schedulingPolicyArn": string(),
        "arn": output(template="arn:{partition}:batch:{region}:{account}:job-queue/{name}"),
    },
    create=Call("create_job_queue"),
    read=Call("describe_job_queues", "jobQueues", {"jobQueues": ["{name}"]}, where=("jobQueueName", "{name}")),
    updates=("update_job_queue",),
    delete=Call("delete_job_queue", extra={"jobQueue": "{name}"}),
    amend=lambda operation, request, values: (
        {**request, "jobQueue": values["name"]} if operation == "update_job_queue" else request
    ),
    settle=_QUEUE.until_valid,
    empty=_QUEUE.disable,
    gone=_QUEUE.until_gone,
    tags=BATCH_TAGS,
)
