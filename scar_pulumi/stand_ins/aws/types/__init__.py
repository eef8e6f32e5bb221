"""The resource types that the stand-in serves: every table in the modules of this folder, one for each service."""

from collections.abc import Mapping
from dataclasses import replace

from scar_foundation.plugin.failures import UnservedError
from scar_pulumi.stand_ins.aws.inputs import did_you_mean
from scar_pulumi.stand_ins.aws.model import ResourceType, mapping, string
from scar_pulumi.stand_ins.aws.types import (
    apigatewayv2,
    batch,
    cloudwatch,
    dynamodb,
    ec2,
    ecr,
    iam,
    lambda_,
    s3,
    scheduler,
    sfn,
    sns,
    sqs,
    ssm,
)


def _completed(type_: ResourceType) -> ResourceType:
    """Add the properties that every regional and every tagged type has."""
    common = {}
    if type_.regional:
        common["region"] = string(local=True, computed=True, replace=True)
    if type_.tags:
        common["tags"] = mapping(local=True)
        common["tagsAll"] = mapping(local=True, output=True)
    return replace(type_, properties={**type_.properties, **common})


_SERVICES = (apigatewayv2, batch, cloudwatch, dynamodb, ec2, ecr, iam, lambda_, s3, scheduler, sfn, sns, sqs, ssm)

TYPES: Mapping[str, ResourceType] = {
    type_.token: _completed(type_)
    for service in _SERVICES
    for type_ in vars(service).values()
    if isinstance(type_, ResourceType)
}


def find(token: str) -> ResourceType:
    """Return the type with a token such as `aws:sqs/queue:Queue`; raise `UnservedError` for others."""
    if type_ := TYPES.get(token):
        return type_
    near = did_you_mean(token, TYPES) or f"; it serves {', '.join(sorted(TYPES))}"
    raise UnservedError(f"{token}: the stand-in aws provider of local stacks does not serve this type{near}")
