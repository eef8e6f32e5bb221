"""Simple Notification Service: topics, and who is told."""

from functools import partial

from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.forms import ARN_OR_NOTHING
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Tags,
    boolean,
    json_text,
    output,
    string,
)

_switch = partial(boolean, text=True)
_ARN = "arn:{partition}:sns:{region}:{account}:{name}"
_ATTRIBUTES = {"displayName": "DisplayName", "policy": "Policy", "kmsMasterKeyId": "KmsMasterKeyId"}


def _change_attributes(cloud: Cloud, values: Properties, _: float) -> Properties:
    """Set the attributes one by one, as SNS takes them; return the topic."""
    region, place = values.get("region"), {"TopicArn": values["arn"]}
    live = cloud.call("sns", "get_topic_attributes", region, **place)["Attributes"]
    for ours, theirs in _ATTRIBUTES.items():
        wished = values.get(ours)
        if wished is not None and str(wished) != live.get(theirs, ""):
            cloud.call("sns", "set_topic_attributes", region, **place, AttributeName=theirs, AttributeValue=str(wished))
    return _topic(cloud, cloud.call("sns", "get_topic_attributes", region, **place), values)


def _topic(_: Cloud, answer: Properties, __: Properties) -> Properties:
    arn = answer["Attributes"]["TopicArn"]
    return {**answer, "TopicArn": arn, "Name": arn.rpartition(":")[2]}


TOPIC = ResourceType(
    "aws:sns/topic:Topic",
    service="sns",
    documentation="https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html",
    identity="{arn}",
    lookup=_ARN,
    unique="{name}",
    name=AutoName("name", 256, prefix="namePrefix", suffix=("fifoTopic", ".fifo")),
    properties={
        "name": string(computed=True, replace=True),
        "namePrefix": string(local=True, computed=True, replace=True),
        "displayName": string("Attributes.DisplayName"),
        "policy": json_text("Attributes.Policy", computed=True),
        "kmsMasterKeyId": string("Attributes.KmsMasterKeyId"),
        "fifoTopic": _switch("Attributes.FifoTopic", default=False, replace=True),
        "arn": output(template=_ARN),
        "owner": output(template="{account}"),
    },
    create=Call("create_topic"),
    read=Call("get_topic_attributes", extra={"TopicArn": _ARN}),
    # CreateTopic answers for a topic that exists as it is; what it is asked for besides is set afterwards.
    rewrite=True,
    delete=Call("delete_topic", extra={"TopicArn": _ARN}),
    amend_request=lambda operation, request, values: (
        {"Name": values["name"], "Tags": request.get("Tags", []), **_kind(values)}
        if operation == "create_topic"
        else request
    ),
    to_document=_topic,
    await_change=_change_attributes,
    tags=Tags(
        {"ResourceArn": "{arn}"}, "list_tags_for_resource", "tag_resource", "untag_resource", pairs=("Key", "Value")
    ),
    idempotent=True,
)


def _kind(topic: Properties) -> Properties:
    return {"Attributes": {"FifoTopic": "true"}} if topic.get("fifoTopic") else {}


TOPIC_SUBSCRIPTION = ResourceType(
    "aws:sns/topicSubscription:TopicSubscription",
    service="sns",
    documentation="https://docs.aws.amazon.com/sns/latest/api/API_Subscribe.html",
    identity="{arn}",
    unique="{topic} {protocol} {endpoint}",
    lookup="{arn}",
    properties={
        "topic": string("TopicArn", required=True, replace=True, form=ARN_OR_NOTHING),
        "protocol": string(required=True, replace=True, one_of=("lambda", "sqs")),
        "endpoint": string(required=True, replace=True),
        "rawMessageDelivery": _switch("Attributes.RawMessageDelivery", default=False, replace=True),
        "filterPolicy": json_text("Attributes.FilterPolicy", replace=True),
        "arn": output("SubscriptionArn"),
    },
    create=Call("subscribe", extra={"ReturnSubscriptionArn": True}),
    read=Call("get_subscription_attributes"),
    delete=Call("unsubscribe"),
    to_document=lambda _, answer, __: {
        **answer,
        **{name: answer["Attributes"].get(name) for name in ("TopicArn", "Protocol", "Endpoint", "SubscriptionArn")},
    },
)
