"""CloudWatch: log groups, and the rules of EventBridge, which the SDK has here, with their targets."""

from scar_foundation.limits import LOG_RETENTION_CHOICES, Range
from scar_foundation.plugin.failures import ProviderError
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.documents import request
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING, EVENT_BUS, EVENT_NAME, LOG_GROUP_NAME
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
    output,
    string,
)

LOG_GROUP = ResourceType(
    "aws:cloudwatch/logGroup:LogGroup",
    service="logs",
    camel=True,
    documentation="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html",
    identity="{name}",
    name=AutoName("name", 512, prefix="namePrefix"),
    properties={
        "name": string("logGroupName", computed=True, replace=True, form=LOG_GROUP_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=LOG_GROUP_NAME),
        "kmsKeyId": string(),
        "logGroupClass": string(computed=True, replace=True, one_of=("STANDARD", "INFREQUENT_ACCESS", "DELIVERY")),
        "retentionInDays": integer(default=0, one_of=(0, *LOG_RETENTION_CHOICES)),
        "skipDestroy": boolean(local=True, default=False),
        "arn": output(template="arn:{partition}:logs:{region}:{account}:log-group:{name}"),
    },
    create=Call("create_log_group"),
    read=Call("describe_log_groups", "logGroups", {"logGroupNamePrefix": "{name}"}, where=("logGroupName", "{name}")),
    settings=(
        Setting("retentionInDays", "put_retention_policy", "delete_retention_policy", unset=0),
        Setting("kmsKeyId", "associate_kms_key", "disassociate_kms_key"),
    ),
    delete=Call("delete_log_group"),
    tags=Tags({"resourceArn": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", at="tags"),
    created="creationTime",
)


_BUS = string(default="default", replace=True, length=Range(1, 1600), form=EVENT_BUS)


def _remove_targets(cloud: Cloud, rule: Properties) -> None:
    """Remove a rule's targets, if the program allowed it: EventBridge refuses to delete a rule that has any."""
    if not rule.get("forceDestroy"):
        return
    place = {"Rule": rule["name"], "EventBusName": rule["eventBusName"]}
    targets = cloud.call("events", "list_targets_by_rule", rule.get("region"), **place)["Targets"]
    if targets:
        ids = [target["Id"] for target in targets]
        cloud.call("events", "remove_targets", rule.get("region"), **place, Ids=ids)


EVENT_RULE = ResourceType(
    "aws:cloudwatch/eventRule:EventRule",
    service="events",
    documentation="https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html",
    identity="[{eventBusName}/|default]{name}",
    name=AutoName("name", 64, prefix="namePrefix"),
    properties={
        "name": string(computed=True, replace=True, form=EVENT_NAME),
        "namePrefix": string(local=True, computed=True, replace=True, form=EVENT_NAME),
        "eventBusName": _BUS,
        "description": string(length=Range(0, 512)),
        "eventPattern": json_text(),
        "scheduleExpression": string(length=Range(0, 256)),
        "roleArn": string(form=ARN_OR_NOTHING),
        "state": string(
            default="ENABLED", one_of=("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")
        ),
        "forceDestroy": boolean(local=True, default=False),
        "arn": output(template="arn:{partition}:events:{region}:{account}:rule/[{eventBusName}/|default]{name}"),
    },
    create=Call("put_rule"),
    read=Call("describe_rule"),
    rewrite=True,
    delete=Call("delete_rule"),
    before_delete=_remove_targets,
    tags=Tags(
        {"ResourceARN": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", pairs=("Key", "Value")
    ),
    idempotent=True,
)

_PARTS = ("Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "BatchParameters", "SqsParameters",
          "DeadLetterConfig", "RetryPolicy")  # fmt: skip


def _target_request(operation: str, asked: Properties, values: Properties) -> Properties:
    """Return the request of an operation on one target, which is an entry in a list."""
    place = {"Rule": values["rule"], "EventBusName": values["eventBusName"]}
    if operation == "put_targets":
        target = request(EVENT_TARGET, values, _PARTS)
        return {**place, "Targets": [{name: value for name, value in target.items() if value not in ("", {})}]}
    return {**asked, **place}


def _target(_: Cloud, answer: Properties, values: Properties) -> Properties | None:
    found = next((target for target in answer["Targets"] if target["Id"] == values["targetId"]), None)
    return found and {**found, "Rule": values["rule"], "EventBusName": values.get("eventBusName", "default")}


def _put(cloud: Cloud, values: Properties, _: float) -> Properties:
    """Return the target that was put; EventBridge answers also where it refuses one."""
    place = {"Rule": values["rule"], "EventBusName": values["eventBusName"]}
    answer = cloud.call("events", "list_targets_by_rule", values.get("region"), **place)
    if found := _target(cloud, answer, values):
        return found
    raise ProviderError(f"rule {values['rule']} did not take the target {values['targetId']}")


EVENT_TARGET = ResourceType(
    "aws:cloudwatch/eventTarget:EventTarget",
    service="events",
    documentation="https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html",
    identity="[{eventBusName}-|default]{rule}-{targetId}",
    lookup="[{eventBusName}/|default]{rule}/{targetId}",
    name=AutoName("targetId", 64),
    properties={
        "rule": string(required=True, replace=True, length=Range(1, 64), form=EVENT_NAME),
        "eventBusName": _BUS,
        "targetId": string("Id", computed=True, replace=True, form=EVENT_NAME),
        "arn": string(required=True, form=ARN_OR_NOTHING),
        "roleArn": string(form=ARN_OR_NOTHING),
        "input": json_text(),
        "inputPath": string(length=Range(0, 256)),
        "inputTransformer": nested(
            {"inputTemplate": string(required=True, length=Range(1, 8192)), "inputPaths": mapping("InputPathsMap")},
        ),
        "batchTarget": nested(
            {
                "jobDefinition": string(required=True),
                "jobName": string(required=True),
                "arraySize": integer("ArrayProperties.Size", between=Range(2, 10_000)),
                "jobAttempts": integer("RetryStrategy.Attempts", between=Range(1, 10)),
            },
            "BatchParameters",
        ),
        "sqsTarget": nested({"messageGroupId": string()}, "SqsParameters"),
        "deadLetterConfig": nested({"arn": string(form=ARN_OR_NOTHING)}),
        "retryPolicy": nested(
            {
                "maximumEventAgeInSeconds": integer(between=Range(60, 86_400)),
                "maximumRetryAttempts": integer(between=Range(0, 185)),
            }
        ),
        "forceDestroy": boolean(local=True, default=False),
    },
    create=Call("put_targets"),
    read=Call("list_targets_by_rule"),
    rewrite=True,
    delete=Call("remove_targets", extra={"Ids": ["{targetId}"]}),
    amend_request=_target_request,
    to_document=_target,
    await_change=_put,
    idempotent=True,
)
