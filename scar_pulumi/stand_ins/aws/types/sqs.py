"""Simple Queue Service: queues, whose settings are all text attributes, and who may send to them."""

from functools import partial

from scar_foundation.limits import Range
from scar_pulumi.stand_ins.aws.forms import QUEUE_NAME
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Tags,
    boolean,
    integer,
    json_text,
    output,
    string,
)

_number = partial(integer, text=True)
_switch = partial(boolean, text=True)

QUEUE = ResourceType(
    "aws:sqs/queue:Queue",
    service="sqs",
    documentation="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html",
    identity="{url}",
    unique="{name}",
    name=AutoName("name", 80, prefix="namePrefix", suffix=("fifoQueue", ".fifo")),
    properties={
        "name": string("QueueName", computed=True, replace=True, form=QUEUE_NAME),
        "namePrefix": string(local=True, computed=True, replace=True),
        "delaySeconds": _number("Attributes.DelaySeconds", default=0, between=Range(0, 900)),
        "maxMessageSize": _number("Attributes.MaximumMessageSize", default=262144, between=Range(1024, 1048576)),
        "messageRetentionSeconds": _number(
            "Attributes.MessageRetentionPeriod", default=345600, between=Range(60, 1209600)
        ),
        "receiveWaitTimeSeconds": _number("Attributes.ReceiveMessageWaitTimeSeconds", default=0, between=Range(0, 20)),
        "visibilityTimeoutSeconds": _number("Attributes.VisibilityTimeout", default=30, between=Range(0, 43200)),
        "fifoQueue": _switch("Attributes.FifoQueue", default=False, replace=True),
        "contentBasedDeduplication": _switch("Attributes.ContentBasedDeduplication", default=False),
        "policy": json_text("Attributes.Policy", computed=True),
        "redrivePolicy": json_text("Attributes.RedrivePolicy", computed=True),
        "redriveAllowPolicy": json_text("Attributes.RedriveAllowPolicy", computed=True),
        "sqsManagedSseEnabled": _switch("Attributes.SqsManagedSseEnabled", computed=True),
        "url": output("QueueUrl"),
        "arn": output(template="arn:{partition}:sqs:{region}:{account}:{name}"),
    },
    create=Call("create_queue"),
    read=Call("get_queue_attributes", extra={"AttributeNames": ["All"]}),
    updates=("set_queue_attributes",),
    delete=Call("delete_queue"),
    to_document=lambda _, answer, __: {**answer, "QueueName": answer["Attributes"]["QueueArn"].rpartition(":")[2]},
    tags=Tags({"QueueUrl": "{url}"}, "list_queue_tags", "tag_queue", "untag_queue"),
)

QUEUE_POLICY = ResourceType(
    "aws:sqs/queuePolicy:QueuePolicy",
    service="sqs",
    documentation="https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html",
    identity="{queueUrl}",
    properties={
        "queueUrl": string(required=True, replace=True),
        "policy": json_text("Attributes.Policy", required=True),
    },
    create=Call("set_queue_attributes"),
    read=Call("get_queue_attributes", extra={"AttributeNames": ["Policy"]}),
    rewrite=True,
    delete=Call("set_queue_attributes", extra={"Attributes": {"Policy": ""}}),
    to_document=lambda _, answer, values: (
        {**answer, "QueueUrl": values["queueUrl"]} if answer.get("Attributes", {}).get("Policy") else None
    ),
)
