"""Systems Manager: parameters of the Parameter Store."""

from scar_foundation.limits import Range
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.model import AutoName, Call, ResourceType, Tags, output, string


def _overwriting(operation: str, request: Properties, parameter: Properties) -> Properties:
    """Overwrite only a parameter that this stack has made and that so has a version."""
    return {**request, "Overwrite": True} if operation == "put_parameter" and "version" in parameter else request


def _stored(cloud: Cloud, parameter: Properties, _seconds: float) -> Properties:
    """Read what `put_parameter` does not return: the ARN."""
    answer = cloud.call("ssm", "get_parameter", parameter.get("region"), Name=parameter["name"], WithDecryption=True)
    found: Properties = answer["Parameter"]
    return found


_TEXT = Range(0, 1024)

PARAMETER = ResourceType(
    "aws:ssm/parameter:Parameter",
    service="ssm",
    documentation="https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html",
    identity="{name}",
    name=AutoName("name", 1011),
    properties={
        "name": string(computed=True, replace=True, length=Range(1, 2048)),
        "type": string(required=True, one_of=("String", "StringList", "SecureString")),
        "value": string(required=True),
        "description": string(unread=True, length=_TEXT),
        "tier": string(unread=True, computed=True, one_of=("Standard", "Advanced", "Intelligent-Tiering")),
        "keyId": string(unread=True, computed=True),
        "allowedPattern": string(unread=True, length=_TEXT),
        "dataType": string(computed=True, replace=True, one_of=("aws:ec2:image", "aws:ssm:integration", "text")),
        "arn": output("ARN"),
        "version": output(volatile="always"),
    },
    create=Call("put_parameter"),
    read=Call("get_parameter", "Parameter", {"WithDecryption": True}),
    rewrite=True,
    delete=Call("delete_parameter"),
    amend_request=_overwriting,
    await_change=_stored,
    tags=Tags(
        {"ResourceType": "Parameter", "ResourceId": "{name}"},
        "list_tags_for_resource",
        "add_tags_to_resource",
        "remove_tags_from_resource",
        at="TagList",
        pairs=("Key", "Value"),
    ),
    created="LastModifiedDate",
)
