"""CloudWatch Logs: log groups."""

from scar_foundation.limits import LOG_RETENTION_CHOICES
from scar_pulumi.stand_ins.aws.model import (
    AutoName,
    Call,
    ResourceType,
    Setting,
    Tags,
    boolean,
    integer,
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
        "name": string("logGroupName", computed=True, replace=True),
        "namePrefix": string(local=True, computed=True, replace=True),
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
