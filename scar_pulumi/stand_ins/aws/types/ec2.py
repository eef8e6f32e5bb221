"""Elastic Compute Cloud: launch templates."""

from scar_foundation.limits import Range
from scar_foundation.plugin.values import Properties
from scar_pulumi.stand_ins.aws.cloud import Cloud
from scar_pulumi.stand_ins.aws.forms import LAUNCH_TEMPLATE_NAME
from scar_pulumi.stand_ins.aws.model import AutoName, Call, ResourceType, Tags, boolean, integer, nested, output, string

_DATA = "LaunchTemplateData"
_VOLUMES = ("standard", "io1", "io2", "gp2", "sc1", "st1", "gp3")
_DISK = {
    "deviceName": string(),
    "ebs": nested(
        {
            "volumeSize": integer(computed=True),
            "volumeType": string(computed=True, one_of=_VOLUMES),
            "encrypted": boolean(spelled=True),
            "deleteOnTermination": boolean(spelled=True),
        }
    ),
}


def _with_data(cloud: Cloud, answer: Properties, values: Properties) -> Properties | None:
    template = next(iter(answer["LaunchTemplates"]), None)
    if template is None:
        return None
    name, region = template["LaunchTemplateName"], values.get("region")
    versions = cloud.call(
        "ec2", "describe_launch_template_versions", region, LaunchTemplateName=name, Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    return {"Tags": [], **template, _DATA: versions[0][_DATA]}


LAUNCH_TEMPLATE = ResourceType(
    "aws:ec2/launchTemplate:LaunchTemplate",
    service="ec2",
    documentation="https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateLaunchTemplate.html",
    identity="{launchTemplateId}",
    unique="{name}",
    name=AutoName("name", 128, prefix="namePrefix"),
    properties={
        "name": string(
            "LaunchTemplateName", computed=True, replace=True, length=Range(3, 125), form=LAUNCH_TEMPLATE_NAME
        ),
        "namePrefix": string(local=True, computed=True, replace=True, length=Range(3, 102), form=LAUNCH_TEMPLATE_NAME),
        "blockDeviceMappings": nested(_DISK, f"{_DATA}.BlockDeviceMappings", many=True),
        "userData": string(f"{_DATA}.UserData"),
        "imageId": string(f"{_DATA}.ImageId"),
        "launchTemplateId": output(),
        "latestVersion": integer("LatestVersionNumber", output=True, volatile="always"),
        "defaultVersion": integer("DefaultVersionNumber", output=True),
        "arn": output(template="arn:{partition}:ec2:{region}:{account}:launch-template/{launchTemplateId}"),
    },
    create=Call("create_launch_template", "LaunchTemplate"),
    read=Call("describe_launch_templates", extra={"LaunchTemplateNames": ["{name}"]}),
    updates=("create_launch_template_version",),
    delete=Call("delete_launch_template"),
    to_document=_with_data,
    await_change=lambda cloud, values, _: cloud.call(
        "ec2", "describe_launch_templates", values.get("region"), LaunchTemplateNames=[values["name"]]
    )["LaunchTemplates"][0],
    tags=Tags(
        {"Resources": ["{launchTemplateId}"]}, "describe_tags", "create_tags", "delete_tags", pairs=("Key", "Value")
    ),
    created="CreateTime",
)
