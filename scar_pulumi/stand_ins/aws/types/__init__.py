"""The resource types that the stand-in serves. A new one is an entry in one of these modules and its name here."""

from collections.abc import Mapping
from dataclasses import replace

from scar_pulumi.stand_ins.aws.inputs import did_you_mean
from scar_pulumi.stand_ins.aws.model import ResourceType, mapping, string
from scar_pulumi.stand_ins.aws.types import apigatewayv2, batch, cloudwatch, ec2, ecr, iam, lambda_, s3, sqs, ssm
from scar_pulumi.stand_ins.plugin.failures import UnservedError


def _completed(type_: ResourceType) -> ResourceType:
    """With the properties that every regional and every tagged type has."""
    common = {}
    if type_.regional:
        common["region"] = string(local=True, computed=True, replace=True)
    if type_.tags:
        common["tags"] = mapping(local=True)
        common["tagsAll"] = mapping(local=True, output=True)
    return replace(type_, properties={**type_.properties, **common})


_SERVED = (
    *apigatewayv2.TYPES,
    batch.COMPUTE_ENVIRONMENT,
    batch.JOB_DEFINITION,
    batch.JOB_QUEUE,
    cloudwatch.LOG_GROUP,
    ec2.LAUNCH_TEMPLATE,
    ecr.LIFECYCLE_POLICY,
    ecr.REPOSITORY,
    ecr.REPOSITORY_POLICY,
    iam.INSTANCE_PROFILE,
    iam.ROLE,
    iam.ROLE_POLICY,
    iam.ROLE_POLICY_ATTACHMENT,
    lambda_.EVENT_INVOKE_CONFIG,
    lambda_.FUNCTION,
    lambda_.FUNCTION_URL,
    lambda_.PERMISSION,
    s3.BUCKET,
    s3.BUCKET_V2,
    s3.LIFECYCLE,
    s3.PUBLIC_ACCESS_BLOCK,
    s3.NOTIFICATION,
    s3.OBJECT,
    sqs.QUEUE,
    ssm.PARAMETER,
)

TYPES: Mapping[str, ResourceType] = {type_.token: _completed(type_) for type_ in _SERVED}


def find(token: str) -> ResourceType:
    """The type with a token such as `aws:sqs/queue:Queue`; raises `UnservedError`."""
    if type_ := TYPES.get(token):
        return type_
    near = did_you_mean(token, TYPES) or f"; it serves {', '.join(sorted(TYPES))}"
    raise UnservedError(f"{token}: the stand-in aws provider of local stacks does not serve this type{near}")
